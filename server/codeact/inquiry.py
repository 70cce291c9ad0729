"""The ask task: the model looks, computes and changes in the sandbox, and hands over an answer, artifacts or a diff."""

import ast
import re
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

from codeact.agent import Assignment, Ending, work
from codeact.briefs import describe_observation
from codeact.events import Event, RunEnded, StepTaken, TestsRan
from codeact.findings import check_citations, gather, is_product, unfounded_numbers, unused_terms
from codeact.formatting import format_files
from codeact.journal import find_run, read_journal
from codeact.models.base import Model, is_small
from codeact.prompts import fill
from codeact.proposal import make_proposal, stat
from codeact.protected import protected
from codeact.remedies import Remedy, count_repeats, find_remedy, learn, load_remedies, save_remedies
from codeact.sandboxes.base import Sandbox
from codeact.snapshot import Snapshot, list_files, read_file
from codeact.supplies import open_supplied
from codeact.surroundings import describe_conventions, describe_workspace
from codeact.targets import test_files
from codeact.testing import Selection, run_tests
from codeact.trajectory import Action, Artifact, FileChange, FileState, Message, Observation, Sampling, Step
from codeact.verify import Bench, find_bench, open_bench, prove
from codeact.walk import Recording, Walk, choose_model, freeze
from codeact_sandbox.helpers import describe
from codeact_sandbox.toolbox import TOOLS, describe_tools

COMPACT_SIZE, FULL_SIZE = 3500, 16_000
COMPACT_CONVENTIONS, FULL_CONVENTIONS = 400, 4000
# A small model's first answer is its best; after a failure some chance keeps it from saying the same again.
# What it writes after its code is an explanation that nobody reads.
FIRST = Sampling(max_tokens=700, stop=("\n```\n",))
SMALL_SCHEDULE = (FIRST, *(replace(FIRST, temperature=0.6, afresh=True),) * 6)
CHART_ROWS = 12
MAX_ANSWER = 4000  # characters of what code printed
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
    forgotten: tuple[str, ...] | None = None

    def tell(self, event: Event) -> None:
        """Hear of a step, and pass everything on."""
        if isinstance(event, StepTaken):
            self.steps.append(event.step)
        self.walk.tell(event)

    async def assignment(self, *, compact: bool) -> Assignment:
        """What the agent is told, and what it reads after each action."""

        async def restart() -> None:
            await self.sandbox.restore()

        return Assignment(
            brief=await self._brief(compact=compact),
            interpret=keep_helpers if compact else lambda block: block,
            describe=lambda observations: self._describe(observations, compact=compact),
            restart=restart,
            nudge=fill("ask-unlooked"),
            objection=self._object,
            conclude=self._conclude if compact else lambda _: "",
            retell=compact,
        )

    def _describe(self, observations: Sequence[Observation], *, compact: bool) -> str:
        """What the model reads: what came of its actions, and what is known of such an error."""
        if compact and self.forgotten:
            return fill("unused", terms=", ".join(self.forgotten))
        if compact:
            return describe_briefly(observations[-1])
        notes = describe_repeats(self.steps, find_remedy(self.remedies, observations[-1]))
        return describe_steps(observations, notes)

    def _conclude(self, steps: Sequence[Step]) -> str:
        """The answer of a small model, unless it has forgotten something that the task spells out: asked about once."""
        answer = conclude(steps)
        if self.forgotten is not None or not answer:
            self.forgotten = self.forgotten and ()
            return answer
        self.forgotten = unused_terms(self.walk.task.instruction, "\n".join(step.action.code for step in steps))
        return "" if self.forgotten else answer

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
        packages = await find_packages(self.sandbox)
        system = (
            fill("system-ask-compact", packages=packages)
            if compact
            else fill("system-ask", packages=packages, helpers=f"{describe()}\n{describe_tools()}")
        )
        question = fill(
            "ask",
            workspace=describe_workspace(self.snapshot, task.instruction, COMPACT_SIZE if compact else FULL_SIZE),
            conventions=describe_conventions(self.snapshot, COMPACT_CONVENTIONS if compact else FULL_CONVENTIONS),
            instruction=wanted,
            how=how,
        )
        return Message("system", system), Message("user", question)

    def _how(self) -> str:
        """What a small model is told of how to go about it: no word that this task does not need."""
        question = self.walk.task.instruction
        charts = fill("ask-how-chart") if CHART.search(question) else ""
        tools = describe_tools(question)
        helpers = fill("ask-how-tools", tools=tools) if tools else ""
        return fill("ask-how-compact", charts=charts, helpers=helpers)

    async def _go_on_from(self, run: str) -> tuple[Message, ...]:
        """Do the steps of an earlier run again, so that its variables and files are there, and return its messages."""
        record = read_journal(self.walk.settings, find_run(self.walk.settings, run))
        for step in record.steps():
            if not step.observation.failure:
                await self.sandbox.execute(step.action)
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
        assignment = await inquiry.assignment(compact=is_small(model))
        walk.say(f"asking {model.name}")
        outcome = await work(assignment, model, sandbox, walk.settings.budget, inquiry.tell, schedule_for(model))
        walk.usage += outcome.usage
        if not recorded:
            save_remedies(walk.settings, learn(remedies, inquiry.steps))
        made, changed = await inquiry.changes()
        bench = sandbox.bench
    good = [step for step in inquiry.steps if not step.observation.failure and not step.observation.timed_out]
    artifacts = gather(good, made)
    answer = check_citations(outcome.answer or _printed(good), lambda path: _count_lines(snapshot, path))
    if numbers := unfounded_numbers(outcome.answer, walk.task.instruction, inquiry.steps):
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


async def propose(
    walk: Walk,
    bench: Bench,
    snapshot: Snapshot,
    changed: Sequence[FileChange],
    answer: str,
    artifacts: tuple[Artifact, ...],
) -> RunEnded:
    """Make a proposal of changed files; proven if the workspace has tests, and all of them are as they were."""
    proposal = make_proposal(walk.run, snapshot.tree, changed)
    walk.say("running the tests without and with the change")
    async with open_bench(bench, snapshot) as sandbox:
        before = await run_tests(sandbox, Selection(), walk.settings.sandbox.limits)
    walk.tell(TestsRan(phase="proof-before", report=before))
    if not before.results:
        message = f"Not proven: the workspace has no tests that could tell. {stat(proposal.patches)}"
        return walk.end("unverified", message, proposal, answer, artifacts)
    evidence = await prove(
        bench,
        snapshot,
        changed,
        (),
        before,
        lambda report: walk.tell(TestsRan(phase="proof-after", report=report)),
    )
    existing = frozenset(list_files(snapshot))
    tests = [change.path for change in changed if protected(change.path, test_files(before), existing)]
    if tests:
        reason = f"It changes tests or their configuration, which nothing proves: {', '.join(tests)}."
        evidence = replace(evidence, verified=False, reasons=(*evidence.reasons, reason))
    proposal = replace(proposal, evidence=evidence)
    if not evidence.verified:
        return walk.end("unverified", f"Not proven: {' '.join(evidence.reasons)}", proposal, answer, artifacts)
    passed = evidence.after.counts
    message = f"all {sum(passed.values())} tests end as before, in a fresh sandbox · {stat(proposal.patches)}"
    return walk.end("verified", message, proposal, answer, artifacts)


def schedule_for(model: Model) -> Sequence[Sampling]:
    """One answer at a time: there is no test that could choose among several."""
    return SMALL_SCHEDULE if is_small(model) else model.schedule


def keep_helpers(code: str) -> str:
    """A small model's code without its own versions of helpers that are there already."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError):
        return code
    lines = code.split("\n")
    for node in reversed(body):
        if isinstance(node, ast.FunctionDef) and node.name in TOOLS:
            del lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(lines)


def conclude(steps: Sequence[Step]) -> str:
    """What the code of a small model printed is the answer: its words about that would only be less exact."""
    seen = steps[-1].observation
    if seen.failure or seen.timed_out:
        return ""
    text = _printed(steps)[:MAX_ANSWER]
    return f"```text\n{text}\n```" if "\n" in text else text


def describe_repeats(steps: Sequence[Step], remedy: Remedy | None) -> str:
    """What to tell about an error that came before: in this run, or in an earlier one that got past it."""
    count = count_repeats(steps)
    if count > 1:
        return fill("ask-repeated", count=str(count))
    return fill("ask-remedy", code=remedy.code) if remedy else ""


def describe_briefly(seen: Observation) -> str:
    """What a small model is told of an attempt that brought nothing, whose code it does not see again."""
    if seen.timed_out:
        return "It did not end in time."
    if seen.failure is None:
        return "Nothing was printed. print() the result."
    lines = seen.failure.traceback.splitlines()
    places = [at for at, line in enumerate(lines) if line.lstrip().startswith('File "<action') and at + 1 < len(lines)]
    failing = f"This line failed: {lines[places[-1] + 1].strip()}\n" if places else ""
    hints = "\n".join(line for line in lines if line.startswith(("Hint:", "Values where", "  "))
                      and not line.startswith(("  File", "    ")))  # fmt: skip
    return f"{failing}{seen.failure.type}: {seen.failure.message[:300]}\n{hints}".strip()


def describe_steps(observations: Sequence[Observation], notes: str = "") -> str:
    """What the model reads after its actions: what came of them, and what it is to do now."""
    parts = [part for one in observations for part in (describe_observation(one), describe_charts(one))]
    seen = "\n\n".join(filter(None, [*parts, notes])) or "It ran and printed nothing."
    last = observations[-1]
    if last.failure or last.timed_out:
        return fill("ask-failed", observation=seen)
    return fill("ask-seen", observation=seen)


def describe_charts(observation: Observation) -> str:
    """The numbers that figures show, for whoever cannot see them: the first rows of each."""
    charts = [
        made for made in observation.artifacts if made.media_type == "text/csv" and made.name.startswith("figure-")
    ]
    heads = ["\n".join(made.data.decode("utf-8", "replace").splitlines()[: CHART_ROWS + 1]) for made in charts]
    return "\n".join(f"The chart shows:\n{head}" for head in heads)


async def find_packages(sandbox: Sandbox) -> str:
    """Which of the libraries that such tasks like are there, as a list in words."""
    code = f"import importlib.util\n', '.join(n for n in {LIBRARIES!r} if importlib.util.find_spec(n)) or 'nothing'"
    return (await sandbox.execute(Action(code))).value


def _printed(steps: Sequence[Step]) -> str:
    """What the last step that had something to say printed."""
    for step in reversed(steps):
        if text := (step.observation.finished or step.observation.stdout or step.observation.value).strip():
            return text
    return ""


def _count_lines(snapshot: Snapshot, path: str) -> int | None:
    state = read_file(snapshot, path)
    return None if state is None else state.content.count(b"\n") + 1
