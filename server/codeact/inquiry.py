"""The ask task: the model looks, computes and changes in the sandbox, and hands over an answer, artifacts or a diff."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cached_property

from codeact.agent import Assignment, Ending, work
from codeact.compact import FENCE, Asking, ask_for_code, conclude, describe_briefly, doubt, keep_helpers
from codeact.consensus import essence_of, names_in
from codeact.events import Event, RunEnded, StepTaken
from codeact.filesets import named_folder
from codeact.findings import (
    check_citations,
    gather,
    hidden_bars,
    is_product,
    unfounded_numbers,
    unused_terms,
    wrong_columns,
)
from codeact.formatting import format_files
from codeact.handover import propose
from codeact.journal import find_run, read_journal
from codeact.models.base import is_small
from codeact.observations import describe_repeats, describe_steps, printed, since_restart
from codeact.openings import table_opening
from codeact.prompts import fill
from codeact.remedies import Remedy, find_remedy, learn, load_remedies, save_remedies
from codeact.sandboxes.base import Sandbox
from codeact.snapshot import Snapshot, list_files, read_file
from codeact.supplies import open_supplied
from codeact.surroundings import describe_conventions, describe_workspace, is_access_log, read_tables
from codeact.tooling import begin_with_tools, describe_tools
from codeact.trajectory import Action, FileChange, FileState, Message, Observation, Step
from codeact.verify import find_bench
from codeact.walk import Recording, Walk, choose_model, freeze
from codeact_sandbox.helpers import describe

COMPACT_SIZE, FULL_SIZE = 3500, 16_000
COMPACT_CONVENTIONS, FULL_CONVENTIONS = 400, 4000
TABLE = re.compile(r"\.(csv|tsv|json|jsonl|xlsx?|parquet)\b")
GROUPS = re.compile(r"\b(per|by|each|every|average|mean|total|sum|most|top|highest|lowest)\b", re.IGNORECASE)
LARGEST = re.compile(r"\b(most|top|highest|largest|biggest|best|longest|greatest|leading)\b", re.IGNORECASE)
MAX_REFUSED = 3  # answers that forget something which the task spells out
EACH = re.compile(r"\b(?:in|of|for|from) each\b|\bper\b", re.IGNORECASE)
RUNS = re.compile(
    r"\bin a row\b|\bconsecutive|\bstreak|\blongest (?:\w+ )?(?:run|spell|series|period)\b", re.IGNORECASE
)
CHART = re.compile(r"\b(chart|plot|graph|diagram|histogram|draw|figure|visuali[sz]e|pie|bars?)\w*", re.IGNORECASE)
LIBRARIES = ("numpy", "pandas", "matplotlib", "openpyxl", "plotly", "yaml", "requests", "PIL")


@dataclass
class Inquiry:
    """One conversation over one snapshot: what is asked of the model, and what its steps have brought."""

    walk: Walk
    snapshot: Snapshot
    sandbox: Sandbox
    steps: list[Step] = field(default_factory=list)
    remedies: tuple[Remedy, ...] = ()
    earlier: Sequence[Action] = ()
    forgotten: tuple[str, ...] = ()
    wrong: str = ""
    refused: int = 0
    minded: bool = False

    def tell(self, event: Event) -> None:
        """Hear of a step, and pass everything on."""
        if isinstance(event, StepTaken):
            self.steps.append(event.step)
        self.walk.tell(event)

    async def assignment(self, asking: Asking, *, compact: bool) -> Assignment:
        """What the agent is told, and what it reads after each action."""
        return Assignment(
            brief=await self._brief(compact=compact),
            interpret=keep_helpers if compact else lambda block: block,
            describe=lambda observations: self._describe(observations, compact=compact),
            restart=self._restart,
            nudge=fill("ask-unlooked"),
            objection=self._object,
            conclude=self._conclude if compact else None,
            retell=compact,
            panel=asking.panel,
            essence=self._essence if compact else None,
        )

    async def _restart(self) -> None:
        """Put the view and the interpreter to where the question was asked."""
        await self.sandbox.restore()
        for action in self.earlier:
            await self.sandbox.execute(action)

    async def _essence(self, steps: Sequence[Step]) -> str:
        """What an attempt amounts to."""
        files = (await self.sandbox.changes()).files
        return essence_of(steps, files, await asyncio.to_thread(lambda: self._names))

    @cached_property
    def _names(self) -> frozenset[str]:
        return names_in(self.snapshot, self.walk.task.instruction)

    def _describe(self, observations: Sequence[Observation], *, compact: bool) -> str:
        """What the model reads: what came of its actions, and what is known of such an error."""
        if compact and self.forgotten:
            return fill("unused", terms=", ".join(self.forgotten), code=self.steps[-1].action.code)
        if compact and self.wrong:
            return self.wrong
        if compact:
            return describe_briefly(observations[-1])
        notes = describe_repeats(self.steps, find_remedy(self.remedies, observations[-1]))
        return describe_steps(observations, notes)

    async def _conclude(self, steps: Sequence[Step]) -> str:
        """The answer of a small model, unless it has forgotten something that the task spells out.

        Once an answer minds all of that, no other counts; when several did not, it is nothing that code needs.
        """
        self.forgotten, self.wrong = (), ""
        answer = conclude(steps)
        if not answer or hidden_bars(steps[-1].observation):
            return ""
        self.wrong = wrong_columns(self.walk.task.instruction, (await self.sandbox.changes()).files)
        if self.wrong:
            return ""
        lacking = unused_terms(self.walk.task.instruction, "\n".join(step.action.code for step in steps))
        self.minded = self.minded or not lacking
        if not lacking or (self.refused >= MAX_REFUSED and not self.minded):
            return answer
        self.refused += 1
        self.forgotten = lacking
        return ""

    def _object(self, answer: str) -> str:
        """Numbers that nobody has computed are not taken for an answer."""
        numbers = unfounded_numbers(answer, self.walk.task.instruction, self.steps)
        return fill("ask-unfounded", numbers=", ".join(numbers[:5])) if numbers else ""

    async def changes(self) -> tuple[dict[str, FileState | None], list[FileChange]]:
        """The files that the steps have made to hand over, and the changes of the project, formatted as it is."""
        found = await format_files(self.sandbox, self.snapshot, (await self.sandbox.changes()).files)
        made: dict[str, FileState | None] = {}
        changed = []
        for path, after in found.items():
            before = read_file(self.snapshot, path)
            if is_product(path, before, self.walk.task.instruction):
                made[path] = after
            else:
                changed.append(FileChange(path, before, after))
        return made, changed

    async def _brief(self, *, compact: bool) -> tuple[Message, ...]:
        task = self.walk.task
        wanted = "\n\n".join(filter(None, (task.instruction, task.shown)))
        how = self._how() if compact else fill("ask-how")
        if task.follows:
            earlier = await self._go_on_from(task.follows)
            return (*earlier, Message("user", fill("follow-up", instruction=wanted, how=how)))
        size = COMPACT_SIZE if compact else FULL_SIZE
        workspace = describe_workspace(self.snapshot, task.instruction, size)
        packages = await find_packages(self.sandbox)
        if compact and not (CHART.search(task.instruction) or TABLE.search(workspace)):
            packages = "pytest"  # a small model imports whatever it is told of
        system = (
            fill("system-ask-compact", packages=packages)
            if compact
            else fill("system-ask", packages=packages, helpers=f"{describe()}\n{describe_tools()}")
        )
        question = fill(
            "ask",
            workspace=workspace,
            conventions=describe_conventions(self.snapshot, COMPACT_CONVENTIONS if compact else FULL_CONVENTIONS),
            instruction=wanted,
            how=how,
        )
        return Message("system", system), Message("user", question)

    def _how(self) -> str:
        """What a small model is told of how to go about it: no word that this task does not need."""
        question = self.walk.task.instruction
        charts = fill("ask-how-chart") if CHART.search(question) else ""
        largest = ", the largest of them .nlargest(HOW_MANY)" if LARGEST.search(question) else ""
        if largest and EACH.search(question):
            largest = (
                ', the largest in each group .sort_values("VALUE", ascending=False).groupby("GROUP").head(HOW_MANY)'
            )
        groups = fill("ask-how-groups", largest=largest) if GROUPS.search(question) and self._has_tables() else ""
        groups += "\n" + fill("ask-how-runs") if RUNS.search(question) and self._has_tables() else ""
        tools = describe_tools(question, *self._about_files())
        helpers = fill("ask-how-tools", tools=tools) if tools else ""
        return fill("ask-how-compact", charts=charts, groups=groups, helpers=helpers)

    def opening(self) -> str:
        """How the code of a model begins that goes on from there."""
        if self.walk.task.follows:
            return FENCE
        question = self.walk.task.instruction
        tools = begin_with_tools(question, *self._about_files())
        chart = CHART.search(question) is not None
        return FENCE + (tools or table_opening(question, read_tables(self.snapshot), chart=chart))

    def _about_files(self) -> tuple[Sequence[str], str]:
        """The files that there are, without logs that are no web server's, and the folder that the question names."""
        paths = list_files(self.snapshot)
        known = [path for path in paths if not path.endswith(".log") or is_access_log(self.snapshot, path)]
        return known, named_folder(paths, self.walk.task.instruction)

    def _has_tables(self) -> bool:
        return any(TABLE.search(path) for path in list_files(self.snapshot))

    async def _go_on_from(self, run: str) -> tuple[Message, ...]:
        """Do the steps of an earlier run again, so that its variables and files are there, and return its messages."""
        record = read_journal(self.walk.settings, find_run(self.walk.settings, run))
        self.earlier = [step.action for step in since_restart(record.steps()) if not step.observation.failure]
        await self._restart()
        messages: list[Message] = []
        for request in record.requests():
            messages = [*messages[: request.kept], *request.added]
        last = record.completions()[-1:]
        said = [Message("assistant", answer.text) for completion in last for answer in completion.answers[:1]]
        ended = record.ended()
        if said and ended and ended.answer and ended.answer not in said[-1].content:
            said += [Message("user", ended.answer)]  # what the code printed was the answer
        return (*messages, *said)


async def answer_question(walk: Walk, buffers: Mapping[str, str], recorded: Recording | None) -> RunEnded:
    """Let the model work until it answers; what it changed in the project becomes a proposal."""
    snapshot = await freeze(walk, buffers, recorded)
    async with AsyncExitStack() as stack:
        bench = await find_bench(walk.settings, walk.run, walk.say, data=True, pool=walk.pool)
        sandbox = await stack.enter_async_context(open_supplied(walk, bench, snapshot, recorded))
        model = await stack.enter_async_context(choose_model(walk, recorded))
        remedies = () if recorded else load_remedies(walk.settings)
        inquiry = Inquiry(walk, snapshot, sandbox, remedies=remedies)
        asking = ask_for_code(model, inquiry.opening())
        assignment = await inquiry.assignment(asking, compact=is_small(model))
        walk.say(f"asking {model.name}")
        outcome = await work(assignment, model, sandbox, walk.settings.budget, inquiry.tell, asking.schedule)
        walk.usage += outcome.usage
        walk.remark(doubt(outcome))
        if not recorded:
            save_remedies(walk.settings, learn(remedies, inquiry.steps))
        made, changed = await inquiry.changes()
        bench = sandbox.bench
    kept = since_restart(inquiry.steps)
    good = [step for step in kept if not step.observation.failure and not step.observation.timed_out]
    artifacts = gather(good, made)
    answer = check_citations(outcome.answer or printed(good), lambda path: _count_lines(snapshot, path))
    if numbers := unfounded_numbers(outcome.answer, walk.task.instruction, kept):
        answer += f"\n\n(Not among what the code printed: {', '.join(numbers[:5])}.)"
    if not (good or outcome.ending is Ending.ANSWERED):
        return walk.end("failed", f"No answer: {outcome.ending}.", answer=answer)
    if changed:
        return await propose(walk, bench, snapshot, changed, answer, artifacts)
    handed = f", with {len(artifacts)} artifact{'s' * (len(artifacts) != 1)}" if artifacts else ""
    count = len(inquiry.steps)
    said = "" if outcome.ending is Ending.ANSWERED else " No final words came: this is what the code printed."
    return walk.end(
        "answered", f"Answered in {count} step{'s' * (count != 1)}{handed}.{said}", answer=answer, artifacts=artifacts
    )


async def find_packages(sandbox: Sandbox) -> str:
    """Which of the libraries that such tasks like are there, as a list in words."""
    code = f"import importlib.util\n', '.join(n for n in {LIBRARIES!r} if importlib.util.find_spec(n)) or 'nothing'"
    return (await sandbox.execute(Action(code))).value


def _count_lines(snapshot: Snapshot, path: str) -> int | None:
    state = read_file(snapshot, path)
    return None if state is None else state.content.count(b"\n") + 1
