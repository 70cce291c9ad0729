"""A script in the making: each draft is tried with `--help`, `--dry-run` and for real, on the snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from codeact import editing, kits
from codeact.advice import advise
from codeact.agent import Assignment, Verdict
from codeact.answers import quote
from codeact.briefs import describe_observation
from codeact.compact import Asking, ask_for_code
from codeact.consensus import essence_of
from codeact.events import Event, StepTaken
from codeact.filesets import describe_fileset
from codeact.findings import (
    alike,
    misplaced_file,
    unmade_files,
    unused_terms,
    without_content,
    worked_examples,
    wrong_columns,
)
from codeact.framing import FRAME_START, frame
from codeact.inquiry import find_packages
from codeact.mending import allow_folders, sort_listings
from codeact.models.base import Model, is_small
from codeact.prompts import fill
from codeact.sandboxes.base import Completed, Sandbox
from codeact.snapshot import Snapshot, list_files
from codeact.surroundings import describe_conventions, describe_workspace, read_tables
from codeact.trajectory import FileState, Message, Step
from codeact.walk import Walk

SCRIPT_SECONDS = 120.0
HELP_SECONDS = 30.0
MAX_SAID = 2000
COMPACT_SIZE, FULL_SIZE = 2500, 12_000
USAGE_ERROR = 2
MAX_ASKED = 20  # times that a script which ran is asked about what seems to be missing


@dataclass
class Drafting:
    """One script on one snapshot: where it is kept, and what came of its last trial."""

    walk: Walk
    snapshot: Snapshot
    sandbox: Sandbox
    path: str
    steps: list[Step] = field(default_factory=list)
    said: str = ""
    effect: dict[str, FileState | None] = field(default_factory=dict)
    draft: FileState | None = None
    compact: bool = False
    files: str = ""
    asked: int = 0

    def tell(self, event: Event) -> None:
        """Hear of a step, and pass everything on."""
        if isinstance(event, StepTaken):
            self.steps.append(event.step)
        self.walk.tell(event)

    async def assignment(self, model: Model) -> tuple[Assignment, Asking]:
        """What the agent is told, how its script is judged, and how the model is asked."""
        self.compact = compact = is_small(model)
        size = COMPACT_SIZE if compact else FULL_SIZE
        task = self.walk.task
        paths = list_files(self.snapshot)
        fileset = describe_fileset(paths, task.instruction) if compact else ""
        self.files = editing.files_to_change(task.instruction, paths) if compact else ""
        question = fill(
            "script-edit" if self.files else "script-compact" if compact else "script",
            fileset=f"- The files meant are {fileset}" if fileset else "",
            files=self.files,
            kit=kits.describe_kit(kits.choose_kit(task.instruction, paths, linewise=bool(self.files))),
            workspace=describe_workspace(self.snapshot, task.instruction, size, plain=compact),
            conventions=describe_conventions(self.snapshot, size // 8),
            instruction="\n\n".join(filter(None, (task.instruction, task.shown))),
        )
        system = fill("system-script-compact")
        if not compact:
            system = fill("system-script", packages=await find_packages(self.sandbox))
        asking = ask_for_code(model, self._opening(paths, fileset))
        assignment = Assignment(
            brief=(Message("system", system), Message("user", question)),
            interpret=lambda block: self._write(self._frame(block) if compact else block),
            describe=lambda seen: "\n\n".join(filter(None, (describe_observation(one) for one in seen if one.failure))),
            restart=self.sandbox.restore,
            check=self.check,
            retell=compact,
            panel=asking.panel,
            essence=self._essence if compact else None,
            nudge=fill("script-failed", problem="There was no ```python block in your answer."),
        )
        return assignment, asking

    def _opening(self, paths: Sequence[str], fileset: str) -> str:
        """How the model's code begins: with what it is about."""
        instruction = self.walk.task.instruction
        if self.files:
            return editing.opening(instruction, paths)
        return kits.opening(instruction, paths, fileset, read_tables(self.snapshot))

    async def _essence(self, _: Sequence[Step]) -> str:
        """What the script has done."""
        return essence_of((), self.effect, ()) if self.effect else self.said

    def _frame(self, block: str) -> str:
        """The script around a small model's code."""
        code = editing.complete(block, self.files) if self.files else block
        return frame(kits.add_kit(allow_folders(sort_listings(code))), self.walk.task.instruction)

    def _write(self, script: str) -> str:
        """The action that puts a script in its place."""
        return f"write({self.path!r}, {quote(script.strip() + chr(10))})"

    async def check(self) -> Verdict:
        """Try the script: its help, its dry run, which may change nothing, and itself."""
        state = (await self.sandbox.changes()).files.get(self.path)
        problem = "There is no script yet." if state is None else await self._try(state)
        if not problem and self.asked < MAX_ASKED:
            written = [path for path, now in self.effect.items() if now]
            unmade = unmade_files(self.walk.task.instruction, list_files(self.snapshot), written)
            self.asked += bool(unmade)
            problem = f"It ran, but did not write {', '.join(unmade)}, which the task names." if unmade else ""
        if state and not problem and self.compact and not self.asked:
            self.asked += 1
            body, _, _ = state.content.decode("utf-8", "replace").partition(FRAME_START)
            made = "\n".join(self.effect)
            terms = unused_terms(self.walk.task.instruction, f"{body}\n{made}")
            named = [term for term in terms if not term.isdigit()]  # "three lines" need no 3 in a script
            problem = f"It ran, but does not use what the task names: {', '.join(named)}." if named else ""
        if problem:
            return Verdict(passed=False, text=problem if self.compact else fill("script-failed", problem=problem))
        return Verdict(passed=True, score=1.0)

    async def _try(self, state: FileState) -> str:
        """What is wrong with the script; empty if nothing is."""
        await self.sandbox.restore()  # what an earlier draft changed is none of this one's effect
        await self.sandbox.write({self.path: state})
        trials = [["--help"], *([["--dry-run"]] if b"--dry-run" in state.content else []), []]
        for arguments in trials:
            seconds = HELP_SECONDS if arguments == ["--help"] else SCRIPT_SECONDS
            command = [self.sandbox.python, "-B", self.path, *arguments]
            done = await self.sandbox.spawn(command, timeout=seconds)
            if done.exit_code != 0:
                return describe_failure(" ".join(arguments) or "no arguments", done, brief=self.compact)
            effect = {path: now for path, now in (await self.sandbox.changes()).files.items() if path != self.path}
            if arguments and effect:
                return f"With {arguments[0]} it changes files. It must only print what would be done."
        self.draft = state
        self.said, self.effect = done.stdout.strip()[:MAX_SAID], effect
        return await self._doubt(command)

    async def _doubt(self, command: Sequence[str]) -> str:
        """What speaks against a script that ran to its end; empty if nothing does."""
        if not (self.effect or self.said):
            return "It ran, but printed nothing and changed nothing, so it did not do what was asked."
        if self.files and (wrong := await self._try_examples() or await self._try_again(command)):
            return wrong
        if self.compact and (misplaced := misplaced_file(self.walk.task.instruction, self._made())):
            return misplaced
        if self.compact and (same := alike(self.effect)):
            return f"It writes the same into {' and '.join(same)}."
        if self.compact and (empty := without_content(self.effect)):
            return f"{empty} has nothing in it: look at how the files begin, and what the code looks for."
        return wrong_columns(self.walk.task.instruction, self.effect)

    def _made(self) -> tuple[str, ...]:
        """The files that the script makes."""
        known = set(list_files(self.snapshot))
        return tuple(path for path, now in self.effect.items() if now and path not in known)

    async def _try_examples(self) -> str:
        """What is wrong with what becomes of one line, where the task shows it; empty if nothing is."""
        for before, after in worked_examples(self.walk.task.instruction):
            code = editing.TRIAL.format(
                script=quote(self.path), line=quote(before), path=quote(next(iter(self.effect), "x"))
            )
            done = await self.sandbox.spawn([self.sandbox.python, "-B", "-c", code], timeout=HELP_SECONDS)
            if (said := done.stdout.strip()) != after and done.exit_code == 0:
                return f"Of the line {before} it makes {said}. It must be {after}."
        return ""

    async def _try_again(self, command: Sequence[str]) -> str:
        """What is wrong with a script that changes files, as its second run shows; empty if nothing is."""
        if not self.effect:
            return f"It changes none of {self.files}."
        if emptied := [path for path, now in self.effect.items() if now and not now.content.strip()]:
            return f"It leaves nothing of {emptied[0]}. Lines that need no change must be in the list that is returned."
        await self.sandbox.spawn(command, timeout=SCRIPT_SECONDS)
        twice = {path: now for path, now in (await self.sandbox.changes()).files.items() if path != self.path}
        changed = sorted(path for path in {**self.effect, **twice} if self.effect.get(path) != twice.get(path))
        if not changed:
            return ""
        return f"Run a second time, it changes {changed[0]} again. A file that has it already must stay as it is."


def describe_failure(arguments: str, done: Completed, *, brief: bool = False) -> str:
    """How a script that was run with these arguments has failed, and what to do where that is known.

    Args:
        arguments: what it was run with, in words.
        done: how it ended.
        brief: without the lines that led there, which a small model would only copy.
    """
    if done.timed_out:
        return f"Run with {arguments}, it did not end in time."
    said = (done.stderr.strip() or done.stdout.strip())[-MAX_SAID:]
    hint = " Every option needs a default." if done.exit_code == USAGE_ERROR and "usage:" in said else ""
    last = said.splitlines()[-1] if said else ""
    advice = advise(last)
    if advice or (brief and last):
        return f"Run with {arguments}, it ended with exit code {done.exit_code}: {last}\n{advice}"
    return f"Run with {arguments}, it ended with exit code {done.exit_code}.{hint}\n{said}"
