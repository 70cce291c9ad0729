"""The fix task: which tests fail, what is known about each, and when a failure counts as mended."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from codeact.affected import affected
from codeact.agent import Assignment, Verdict
from codeact.answers import interpret, quote
from codeact.briefs import describe_failures, describe_observation, fix_brief
from codeact.facts import Definition, Facts, collect_facts
from codeact.minimise import Files, minimise
from codeact.prompts import fill
from codeact.protected import protected
from codeact.sandboxes.base import Sandbox
from codeact.search import Candidate, Search, Tests, search_edits
from codeact.settings import Limits
from codeact.smells import smells_of_fix
from codeact.snapshot import Snapshot, list_files, read_file
from codeact.targets import is_mended, matching, test_files
from codeact.testing import Selection, regressions, run_tests
from codeact.trajectory import (
    FAILING,
    Action,
    FileChange,
    FileState,
    Frame,
    Outcome,
    Step,
    Task,
    TestReport,
    TestResult,
)
from codeact_sandbox.helpers import HELPERS, describe

SEARCH_SECONDS = 15.0
MINIMISE_SECONDS = 10.0
HANGING_SECONDS = 4.0
MAX_BESIDE = 50
MAX_RELATED = 10
MAX_NEAR = 200
MAX_TRACED = 2000  # tests, above which their ways are not recorded
SETTLED = (Outcome.PASSED, Outcome.FAILED)


@dataclass(frozen=True)
class Doubted:
    """Files that made a test pass, and everything else too, but smell of cheating."""

    target: TestResult
    files: Files


@dataclass
class Repair:
    """The work on one snapshot: what the tests said before, and what has been mended in the view so far.

    `whole` is the fix as it was before it was minimised, if it was. `forks` tells whether tests do the same in a fork
    of a process that has loaded pytest as they do in a new one.
    """

    task: Task
    snapshot: Snapshot
    sandbox: Sandbox
    limits: Limits
    before: TestReport
    mended: list[TestResult] = field(default_factory=list)
    files: dict[str, FileState | None] = field(default_factory=dict)
    rewritten_tests: dict[str, FileState | None] = field(default_factory=dict)
    doubted: "Doubted | None" = None
    whole: Files | None = None
    forks: bool = True
    _ways: dict[str, tuple[Frame, ...]] = field(default_factory=dict)
    _covered: dict[str, tuple[Frame, ...]] = field(default_factory=dict)
    _broken: frozenset[str] = frozenset()

    def targets(self) -> tuple[TestResult, ...]:
        """What the task asks to mend."""
        return tuple(result for result in matching(self.before, self.task.tests) if result.outcome in FAILING)

    def is_protected(self, path: str) -> bool:
        """Whether a path is a test or test configuration, which only the snapshot defines."""
        return protected(path, self._tests, self._existing)

    async def facts(self, target: TestResult) -> Facts:
        """Run a failing test again, traced, with others of its file that fail, and gather what is known about it."""
        names = (target.node_id, *(other.node_id for other in self._related(target)))
        report = await self._run(Selection(tests=names, trace=True))
        if self.forks and not report.failing:  # a fork does not fail where the cold run did
            self.forks = False
            report = await self._run(Selection(tests=names, trace=True))
        traced = {result.node_id: result for result in report.failing}
        for result in report.failing:
            self._ways[result.node_id] = (*result.frames, *result.called)
        return collect_facts(traced.get(target.node_id, target), self._read, self.is_protected)

    def assignment(self, facts: Facts, *, compact: bool) -> Assignment:
        """What the agent is told about a target, and how its work is judged."""
        return Assignment(
            brief=fix_brief(facts, helpers=describe(), instruction=self.task.instruction, compact=compact),
            interpret=lambda block: interpret(block, facts.suspects, tuple(HELPERS)),
            describe=lambda seen: "\n\n".join(filter(None, map(describe_observation, seen))),
            nudge=fill("empty"),
            restart=self.take_back,
            check=lambda: self.check(facts.target),
        )

    async def check(self, target: TestResult) -> Verdict:
        """Judge the view: tests put back, then the target, then everything that passed before or was mended since."""
        changes = (await self.sandbox.changes()).files
        given = {path: state for path, state in changes.items() if self.is_protected(path)}
        note = ""
        if given:
            self.rewritten_tests = given
            await self.sandbox.write({path: read_file(self.snapshot, path) for path in given})
            note = f"{', '.join(given)}: tests and test configuration stay as they are; your change was taken back.\n"
        own = {path: state for path, state in changes.items() if path not in given}
        if own == self.files:
            return Verdict(passed=False, score=-0.5, text=note + "No file of the project was changed by this.")
        report = await self._run(Selection(tests=(target.node_id,)))
        if not is_mended(target, report):
            text = f"{note}The test still fails:\n{describe_failures(report, report.failing)}"
            return Verdict(passed=False, score=_nearness(report), text=text, report=report)
        suite, broken = await self._run_others(own)
        if broken:
            worse = [result for result in suite.failing if result.node_id in broken]
            text = f"{note}{target.node_id} passes now, but others are worse:\n{describe_failures(suite, worse)}"
            return Verdict(passed=False, score=0.5, text=text, report=suite)
        smells = smells_of_fix(self.snapshot, self.changes(own), [target, *self.mended])
        if smells:
            self.doubted = self.doubted or Doubted(target, dict(own))
            text = f"{note}It passes now, but not by working out the answer. {' '.join(map(str, smells))}"
            return Verdict(passed=False, score=0.15, text=text, report=suite)
        self.files = dict(own)
        self.mended += [result for result in self.targets() if is_mended(result, suite) and result not in self.mended]
        return Verdict(passed=True, score=1.0, report=suite)

    async def minimise(self) -> Step | None:
        """Leave out of what has been mended what no test needs; the step that did it, None if all is needed."""
        known = {path: read_file(self.snapshot, path) for path in self.files}
        names = self._tests_beside(*self.mended)

        async def holds(files: Files) -> bool:
            await self.sandbox.write({**known, **files})
            report = await self._run(Selection(tests=tuple(names)))
            return not report.failing and all(is_mended(target, report) for target in self.mended)

        found = await minimise(self.changes(self.files), holds, seconds=MINIMISE_SECONDS)
        await self.take_back()
        if not found.put_back:
            return None
        less = {path: state for path, state in {**known, **found.files}.items() if state != self.files[path]}
        thought = (
            f"No test needs {found.put_back} of the changed places: they are as they were ({found.trials} trials)."
        )
        action = Action("\n".join(_writing(path, state) for path, state in less.items()))
        observation = await self.sandbox.execute(action)
        self.whole, self.files = self.files, dict(found.files)
        await self.take_back()
        return Step(number=0, thought=thought, action=action, observation=observation)

    def best(self) -> tuple[Files, Sequence[TestResult]]:
        """What is to be proven: what was mended, and by which files; failing that, what is doubted."""
        if self.mended or not self.doubted:
            return self.files, self.mended
        return self.doubted.files, [self.doubted.target]

    def changes(self, files: Files) -> list[FileChange]:
        """Files of the view, each beside what the snapshot has."""
        return [FileChange(path, read_file(self.snapshot, path), after) for path, after in files.items()]

    async def search(self, facts: Facts) -> Search:
        """Try single edits of the suspects, without a model."""
        suspects = [(definition, self._read(definition.path) or "") for definition in facts.suspects if definition.name]
        target, *beside = self._tests_beside(facts.target)
        others = [other.node_id for other in self._related(facts.target)]
        seconds = {result.node_id: result.seconds for result in self.before.results if result.outcome in SETTLED}
        usual = sum(seconds.get(node_id, 0.0) for node_id in (target, *others, *beside))
        tests = Tests((target, *others), tuple(beside), self._concerned, min(0.6 + 3 * usual, self.limits.test_seconds))
        try:
            return await search_edits(self.sandbox, suspects, tests, seconds=SEARCH_SECONDS)
        finally:
            await self.take_back()

    async def take(self, candidate: Candidate, facts: Facts, tried: int) -> Step | None:
        """Make an edit that was found; the step that did it, None if it does not pass the check."""
        action = Action(f"define({candidate.edit.path!r}, {quote(candidate.definition.source)})")
        observation = await self.sandbox.execute(action)
        verdict = await self.check(facts.target)
        if not verdict.passed:
            await self.take_back()
            return None
        thought = f"Of {tried} single edits tried without a model, this one passes: {candidate.edit.what}."
        seen = replace(observation, tests=verdict.report)
        return Step(number=0, thought=thought, action=action, observation=seen, afresh=True)

    def _tests_beside(self, *targets: TestResult) -> list[str]:
        """The targets, and the tests of their files that passed before and are to pass still."""
        paths = {target.node_id.partition("::")[0] for target in targets}
        beside = [
            result.node_id
            for result in self.before.results
            if result.node_id.partition("::")[0] in paths and result.outcome is Outcome.PASSED
        ]
        return [*(target.node_id for target in targets), *beside[:MAX_BESIDE]]

    def _related(self, target: TestResult) -> list[TestResult]:
        """Other failing tests of the target's file that are yet to be mended."""
        path = target.node_id.partition("::")[0]
        failing = (result for result in self.targets() if result.node_id.partition("::")[0] == path)
        others = [result for result in failing if result.node_id != target.node_id and result not in self.mended]
        return others[:MAX_RELATED]

    def _concerned(self, definition: Definition) -> frozenset[str]:
        """The failing tests that go through a definition, as far as they were traced."""
        last = definition.line + definition.source.count("\n")
        return frozenset(
            node_id
            for node_id, way in self._ways.items()
            if any(frame.path == definition.path and definition.line <= frame.line <= last for frame in way)
        )

    async def _run_others(self, files: Files) -> tuple[TestReport, frozenset[str]]:
        """Run the tests that these files are likely to break, then all; the report, and which are worse than before.

        What is likely to break is learnt from a traced run, where further targets can make use of that.
        """
        near = {*self._broken, *affected(self._covered, self.changes(files))} & self._holding
        if near:
            report = await self._run(Selection(tests=tuple(sorted(near)[:MAX_NEAR])))
            if now := near.intersection(result.node_id for result in report.failing):
                return report, frozenset(now)
        to_come = len(self.targets()) > len(self.mended) + 1
        suite = await self._run(Selection(trace=to_come and not self._covered and len(self._holding) <= MAX_TRACED))
        self._covered |= {result.node_id: result.called for result in suite.results if result.called}
        unmended = [mended.node_id for mended in self.mended if not is_mended(mended, suite)]
        worse = frozenset((*regressions(self.before, suite), *unmended))
        self._broken |= worse
        return suite, worse

    @cached_property
    def _holding(self) -> frozenset[str]:
        return frozenset(result.node_id for result in self.before.results if result.outcome is Outcome.PASSED)

    async def _run(self, selection: Selection) -> TestReport:
        """Run tests; those that hung before, and alone, for a shorter time."""
        limits = self.limits
        if selection.tests and self._hanging.intersection(selection.tests):
            slowest = max((result.seconds for result in self.before.results if result.outcome in SETTLED), default=0.0)
            limits = replace(limits, test_seconds=min(limits.test_seconds, max(HANGING_SECONDS, 3 * slowest)))
        return await run_tests(self.sandbox, selection, limits, warm=self.forks)

    async def take_back(self) -> None:
        """Put the view to what has been mended so far, without the failed attempts since."""
        await self.sandbox.restore()
        await self.sandbox.write(self.files)

    @cached_property
    def _hanging(self) -> frozenset[str]:
        return frozenset(result.node_id for result in self.before.results if result.outcome is Outcome.TIMEOUT)

    @cached_property
    def _tests(self) -> frozenset[str]:
        return test_files(self.before)

    @cached_property
    def _existing(self) -> frozenset[str]:
        return frozenset(list_files(self.snapshot))

    def _read(self, path: str) -> str | None:
        state = self.files[path] if path in self.files else read_file(self.snapshot, path)
        return state.content.decode("utf-8", "replace") if state else None


def _nearness(report: TestReport) -> float:
    """How near a failing candidate is: an assertion that fails is nearer than code that does not load."""
    if not report.results:
        return 0.0
    assertion = all(
        "AssertionError" in result.message or result.message.startswith("assert") for result in report.failing
    )
    return 0.2 if assertion else 0.1


def _writing(path: str, state: FileState | None) -> str:
    """The code of an action that puts a file to a state."""
    if state is None:
        return f"import pathlib; pathlib.Path({path!r}).unlink()"
    try:
        return f"write({path!r}, {quote(state.content.decode())})"
    except UnicodeDecodeError:
        return f"import pathlib; pathlib.Path({path!r}).write_bytes({state.content!r})"
