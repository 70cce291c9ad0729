"""The script task: a script with a command line of its own, tried on the snapshot, and what it would change."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath

from codeact import __version__
from codeact.advice import advise
from codeact.agent import Assignment, Ending, Verdict, work
from codeact.answers import quote
from codeact.briefs import describe_observation
from codeact.compact import PANEL, schedule_for
from codeact.consensus import essence_of
from codeact.events import Event, RunEnded, StepTaken, TestsRan
from codeact.evidence import Evidence, Tally
from codeact.filesets import describe_fileset
from codeact.findings import FOLDER, gather, is_product, unmade_files, unused_terms
from codeact.formatting import format_files
from codeact.framing import FRAME_START, frame
from codeact.handover import propose
from codeact.inquiry import find_packages
from codeact.models.base import Model, is_small
from codeact.prompts import fill
from codeact.proposal import make_proposal, stat, tally
from codeact.sandboxes.base import Completed, Sandbox
from codeact.scripts import TEST, add_provenance, file_name
from codeact.snapshot import Snapshot, list_files, read_file, write_tree
from codeact.supplies import open_supplied
from codeact.surroundings import describe_conventions, describe_workspace
from codeact.testing import regressions
from codeact.trajectory import FileChange, FileState, Message, Step
from codeact.verify import Bench, find_bench, open_bench, run_suite
from codeact.walk import Recording, Walk, choose_model, freeze

SCRIPT_SECONDS = 120.0
HELP_SECONDS = 30.0
MAX_SAID = 2000
COMPACT_SIZE, FULL_SIZE = 2500, 12_000
USAGE_ERROR = 2
MAX_ASKED = 3  # times that a script which ran is asked about what seems to be missing


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
    asked: int = 0

    def tell(self, event: Event) -> None:
        """Hear of a step, and pass everything on."""
        if isinstance(event, StepTaken):
            self.steps.append(event.step)
        self.walk.tell(event)

    async def assignment(self, *, compact: bool) -> Assignment:
        """What the agent is told, and how its script is judged."""
        self.compact = compact
        size = COMPACT_SIZE if compact else FULL_SIZE
        task = self.walk.task
        fileset = describe_fileset(list_files(self.snapshot), task.instruction) if compact else ""
        question = fill(
            "script-compact" if compact else "script",
            fileset=f"- The files meant are {fileset}" if fileset else "",
            workspace=describe_workspace(self.snapshot, task.instruction, size, plain=compact),
            conventions=describe_conventions(self.snapshot, size // 8),
            instruction="\n\n".join(filter(None, (task.instruction, task.shown))),
        )
        system = fill("system-script-compact")
        if not compact:
            system = fill("system-script", packages=await find_packages(self.sandbox))
        return Assignment(
            brief=(
                Message("system", system),
                Message("user", question),
            ),
            interpret=lambda block: self._write(frame(block, self.walk.task.instruction) if compact else block),
            describe=lambda seen: "\n\n".join(filter(None, (describe_observation(one) for one in seen if one.failure))),
            restart=self.sandbox.restore,
            check=self.check,
            retell=compact,
            panel=PANEL if compact else None,
            essence=self._essence if compact else None,
            nudge=fill("script-failed", problem="There was no ```python block in your answer."),
        )

    async def _essence(self, _: Sequence[Step]) -> str:
        """What the script has done."""
        return essence_of((), self.effect, ()) if self.effect else self.said

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
            problem = fill("unused", terms=", ".join(terms), code=body) if terms else ""
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
                return _failed(" ".join(arguments) or "no arguments", done)
            effect = {path: now for path, now in (await self.sandbox.changes()).files.items() if path != self.path}
            if arguments and effect:
                return f"With {arguments[0]} it changes files. It must only print what would be done."
        self.draft = state
        self.said, self.effect = done.stdout.strip()[:MAX_SAID], effect
        if self.effect or self.said:
            return ""
        return "It ran, but printed nothing and changed nothing, so it did not do what was asked."


async def write_script(walk: Walk, buffers: Mapping[str, str], recorded: Recording | None) -> RunEnded:
    """Let the model write a script until it runs, and propose it with what it would change."""
    snapshot = await freeze(walk, buffers, recorded)
    if walk.task.script:
        return await _run_again(walk, snapshot)
    path = file_name(walk.settings.scripts, walk.task.instruction, list_files(snapshot))
    async with AsyncExitStack() as stack:
        bench = await find_bench(walk.settings, walk.run, walk.say, data=True, pool=walk.pool)
        sandbox = await stack.enter_async_context(open_supplied(walk, bench, snapshot, recorded))
        model: Model = await stack.enter_async_context(choose_model(walk, recorded))
        drafting = Drafting(walk, snapshot, sandbox, path)
        assignment = await drafting.assignment(compact=is_small(model))
        walk.say(f"asking {model.name}")
        outcome = await work(assignment, model, sandbox, walk.settings.budget, drafting.tell, schedule_for(model))
        walk.usage += outcome.usage
        if outcome.ending is not Ending.SOLVED:
            return walk.end("failed", f"No working script: {outcome.ending}.")
        await sandbox.restore()
        draft = (await format_files(sandbox, snapshot, {path: drafting.draft}))[path]
        bench = sandbox.bench
    assert draft is not None  # noqa: S101 - the check has seen it
    return await _propose(walk, bench, drafting, draft)


async def _propose(walk: Walk, bench: Bench, drafting: Drafting, draft: FileState) -> RunEnded:
    snapshot, instruction = drafting.snapshot, walk.task.instruction
    script = add_provenance(draft, instruction, walk.run, snapshot.tree)
    name = PurePosixPath(drafting.path)
    kept = [
        FileChange(drafting.path, None, script),
        FileChange(str(name.with_name(f"test_{name.name}")), None, FileState(TEST.format(script=name.name).encode())),
    ]
    effect, made = _sort(snapshot, drafting.effect)
    walk.say("running the script and the tests in fresh sandboxes")
    evidence = await prove_script(bench, snapshot, kept, effect, walk.tell)
    proposal = replace(make_proposal(walk.run, snapshot.tree, [*kept, *effect]), evidence=evidence)
    effected = stat(make_proposal(walk.run, snapshot.tree, effect).patches) if effect else "nothing"
    message = f"{drafting.path} runs, and does the same again in a fresh sandbox; it changes {effected}"
    artifacts = gather(drafting.steps, made)
    if not evidence.verified:
        return walk.end("unverified", f"Not proven: {' '.join(evidence.reasons)}", proposal, drafting.said, artifacts)
    return walk.end("verified", message, proposal, drafting.said, artifacts)


def _sort(
    snapshot: Snapshot, effect: Mapping[str, FileState | None]
) -> tuple[list[FileChange], dict[str, FileState | None]]:
    """What a script changes in the project, and what it hands over; new data files and pictures are both."""
    changed = [
        FileChange(path, read_file(snapshot, path), after)
        for path, after in effect.items()
        if not path.startswith(FOLDER)
    ]
    return changed, {path: after for path, after in effect.items() if is_product(path, read_file(snapshot, path), "")}


async def _run_again(walk: Walk, snapshot: Snapshot) -> RunEnded:
    """Run a kept script on the snapshot, and propose what it changes; no model is asked."""
    path, *arguments = walk.task.script
    bench = await find_bench(walk.settings, walk.run, walk.say, data=True, pool=walk.pool)
    walk.say(f"running {path}")
    async with open_supplied(walk, bench, snapshot) as sandbox:
        done = await sandbox.spawn([sandbox.python, "-B", path, *arguments], timeout=SCRIPT_SECONDS)
        files = (await sandbox.changes()).files
        bench = sandbox.bench
    said = done.stdout.strip()[:MAX_SAID]
    if done.exit_code != 0:
        return walk.end("failed", _failed(" ".join(arguments) or "no arguments", done), answer=said)
    changed, made = _sort(snapshot, files)
    artifacts = gather((), made)
    if not changed:
        return walk.end("answered", f"{path} ran and changes nothing.", answer=said, artifacts=artifacts)
    return await propose(walk, bench, snapshot, changed, said, artifacts)


async def prove_script(
    bench: Bench,
    snapshot: Snapshot,
    kept: Sequence[FileChange],
    effect: Sequence[FileChange],
    tell: Callable[[TestsRan], None],
) -> Evidence:
    """Run the script as it will be kept in a fresh sandbox, and the suite without and with all of it.

    Args:
        bench: where to run.
        snapshot: what the script was written for.
        kept: the script, then its test if that is kept too.
        effect: what the script changed when it was tried; it must do exactly that again.
        tell: hears the test reports.
    """
    script = kept[0].path
    with_script = write_tree(snapshot, kept)
    reasons = []
    async with open_bench(bench, with_script) as sandbox:
        command = [sandbox.python, "-B", script]
        done = await sandbox.spawn(command, timeout=SCRIPT_SECONDS)
        again = (await sandbox.changes()).files
        environment = dict(sandbox.environment)
    if done.exit_code != 0:
        reasons.append(f"{script} ends with exit code {done.exit_code} in a fresh sandbox.")
    expected = {change.path: change.after for change in effect}
    if differing := sorted(path for path, after in expected.items() if again.get(path) != after):
        reasons.append(f"{script} does not do the same twice: {', '.join(differing[:5])}.")
    before, _ = await run_suite(bench, snapshot)
    tell(TestsRan(phase="proof-before", report=before))
    proposed = write_tree(snapshot, [*kept, *effect])
    after, _ = await run_suite(bench, proposed)
    tell(TestsRan(phase="proof-after", report=after))
    worse = regressions(before, after) if before.results else ()
    reasons += [f"{node_id} is worse than before." for node_id in worse]
    return Evidence(
        snapshot=snapshot.tree,
        proposed=proposed.tree,
        command=("python", script),
        targets=(),
        before=tally(before) if before.results else Tally(counts={}),
        after=tally(after) if after.results else Tally(counts={}),
        regressions=tuple(worse),
        environment={**environment, "codeact": __version__},
        proven_at=datetime.now(UTC).isoformat(timespec="seconds"),
        verified=not reasons,
        reasons=tuple(reasons),
    )


def _failed(arguments: str, done: Completed) -> str:
    if done.timed_out:
        return f"Run with {arguments}, it did not end in time."
    said = (done.stderr.strip() or done.stdout.strip())[-MAX_SAID:]
    hint = " Every option needs a default." if done.exit_code == USAGE_ERROR and "usage:" in said else ""
    last = said.splitlines()[-1] if said else ""
    if advice := advise(last):  # the line that failed would only be copied
        return f"Run with {arguments}, it ended with exit code {done.exit_code}: {last}\n{advice}"
    return f"Run with {arguments}, it ended with exit code {done.exit_code}.{hint}\n{said}"
