"""The fix task: which tests fail, what is known about each, and when a failure counts as mended."""

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import accumulate

from codeact.affected import affected
from codeact.agent import Assignment, Verdict
from codeact.answers import interpret, quote, shortest_passage
from codeact.behaviour import Comparison, compare_edits
from codeact.briefs import describe_failures, describe_observation, fix_brief
from codeact.case import SETTLED, Case
from codeact.definitions import Definition
from codeact.diagnosis import Kind
from codeact.facts import Facts, collect_facts
from codeact.grouping import Mended
from codeact.keeping import find_state
from codeact.localise import Heat, Spectrum, find_late_lines
from codeact.minimise import Files, minimise
from codeact.prompts import fill
from codeact.search import Candidate, Search, Suspected, Tests, try_edits
from codeact.smells import smells_of_fix
from codeact.snapshot import list_versions, read_file
from codeact.surroundings import describe_conventions
from codeact.symptoms import Surroundings
from codeact.targets import is_conftest, is_mended, passes_wanted
from codeact.testing import Selection, regressions
from codeact.tracing import trace_tests
from codeact.trajectory import (
    Action,
    FileChange,
    FileState,
    Frame,
    Outcome,
    Step,
    TestReport,
    TestResult,
)
from codeact_sandbox.helpers import HELPERS, describe
from codeact_sandbox.textfile import decode_source

MINIMISE_SECONDS = 10.0
TRIAL_SECONDS = 0.3  # of processor time for one edit, beside what its tests take
RECORD_SECONDS = 0.5  # that passing tests may take together, for their calls to be recorded
MAX_RELATED = 10
MAX_TRACED = 30
MAX_TRACED_BESIDE = 200
TRACE_SECONDS = 1.0
MAX_CONVENTIONS = 4000  # characters
MAX_NEAR = 200
MAX_COVERED = 2000  # tests, above which their ways are not recorded


@dataclass(frozen=True)
class Doubted:
    """Files that made a test pass, and everything else too, but smell of cheating."""

    target: TestResult
    files: Files


@dataclass
class Repair(Case):
    """The work on a case: what has been mended in the view so far.

    `whole` is the fix as it was before it was minimised, if it was. `rung` is the rung of the ladder that is climbed.
    """

    mended: list[TestResult] = field(default_factory=list)
    causes: list[Mended] = field(default_factory=list)
    files: dict[str, FileState | None] = field(default_factory=dict)
    rewritten_tests: dict[str, FileState | None] = field(default_factory=dict)
    doubted: "Doubted | None" = None
    whole: Files | None = None
    rung: str = ""
    spectrum: Spectrum = Spectrum()
    _ways: dict[str, tuple[Frame, ...]] = field(default_factory=dict)
    _traced: dict[str, TestResult] = field(default_factory=dict)
    _traced_files: Files = field(default_factory=dict)
    _late: dict[str, Heat] = field(default_factory=dict)
    _covered: dict[str, tuple[Frame, ...]] = field(default_factory=dict)
    _broken: frozenset[str] = frozenset()

    def surroundings(self) -> Surroundings:
        """What a failure is judged by."""
        return Surroundings(
            root=str(self.snapshot.workspace),
            read=self._read,
            is_test=self.is_protected,
            is_left_out=lambda path: path not in self.existing and (self.snapshot.workspace / path).exists(),
        )

    async def facts(self, target: TestResult) -> Facts:
        """Run failing tests again, traced, and some that pass, and gather what is known about one of them."""
        if target.node_id not in self._traced or self._traced_files != self.files:
            report = await self.trace(target)
            if self.forks and not report.failing and self.diagnosis(target).kind is not Kind.FLAKY:
                self.forks = False  # a fork does not fail where the cold run did
                await self.trace(target)
        return self.facts_so_far(target)

    def was_traced(self, target: TestResult) -> bool:
        """Whether it is known what lines a test runs."""
        return target.node_id in self.spectrum.failing or target.node_id in self.spectrum.passing

    def facts_so_far(self, target: TestResult) -> Facts:
        """What is known about a failing test from the runs that there were."""
        found = self._traced.get(target.node_id, target)
        spectrum = self.spectrum.blame(target.node_id)
        return collect_facts(found, self._read, self.is_protected, spectrum, self._changed(found))

    async def trace(self, target: TestResult) -> TestReport:
        """Trace the failing tests, last one first, then tests that pass; the report, without the latter."""
        report, spectrum = await trace_tests(self.run, *self._names_to_trace(target))
        self.spectrum = spectrum.blame(target.node_id)
        self._traced_files = dict(self.files)
        self._traced = {result.node_id: result for result in report.failing}
        for result in report.failing:
            self._ways[result.node_id] = (*result.frames, *result.called)
        return report

    def assignment(self, facts: Facts, *, compact: bool) -> Assignment:
        """What the agent is told about a target, and how its work is judged."""
        told = "" if compact else describe_conventions(self.snapshot, MAX_CONVENTIONS)
        said = "\n\n".join(filter(None, (self.task.instruction, told)))
        return Assignment(
            brief=fix_brief(facts, helpers=describe(), instruction=said, compact=compact),
            interpret=lambda block: interpret(block, facts.suspects, tuple(HELPERS)),
            describe=lambda seen: "\n\n".join(filter(None, map(describe_observation, seen))),
            nudge=fill("empty"),
            restart=self.take_back,
            check=lambda: self.check(facts.target),
        )

    async def check(self, target: TestResult, edit: str = "") -> Verdict:
        """Judge the view: tests put back, then the target, then everything that passed before or was mended since.

        A single edit is named in a few words, for what it may teach.
        """
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
        report = await self._run_target(target)
        if not is_mended(target, report):
            text = f"{note}The test still fails:\n{describe_failures(report, report.failing)}"
            return Verdict(passed=False, score=_nearness(report), text=text, report=report)
        suite, broken = await self._run_others(own)
        if broken:
            worse = [result for result in suite.failing if result.node_id in broken]
            text = f"{note}{target.node_id} passes now, but others are worse:\n{describe_failures(suite, worse)}"
            return Verdict(passed=False, score=0.5, text=text, report=suite)
        if not is_mended(target, suite):
            now = [result for result in suite.failing if result.node_id.startswith(target.node_id)]
            text = f"{note}It passed now, but among all tests it fails:\n{describe_failures(suite, now)}"
            return Verdict(passed=False, score=0.5, text=text, report=suite)
        smells = smells_of_fix(self.snapshot, self.changes(own), [target, *self.mended])
        if smells:
            self.doubted = self.doubted or Doubted(target, dict(own))
            text = f"{note}It passes now, but not by working out the answer. {' '.join(map(str, smells))}"
            return Verdict(passed=False, score=0.15, text=text, report=suite)
        self.files = dict(own)
        passing = [result for result in self.targets() if is_mended(result, suite) and result not in self.mended]
        # A flaky test that passes by the way is not mended; the target has passed often enough.
        lucky = {result.node_id for result in passing if self.diagnosis(result).kind is Kind.FLAKY} - {target.node_id}
        fresh = [result for result in passing if result.node_id not in lucky]
        self.mended += fresh
        self.causes.append(Mended(tuple(fresh), self.files, self.rung, edit))
        return Verdict(passed=True, score=1.0, report=suite)

    async def minimise(self) -> Step | None:
        """Leave out of what has been mended what no test needs; the step that did it, None if all is needed."""
        known = {path: read_file(self.snapshot, path) for path in self.files}
        names = self.tests_beside(*self.mended)

        async def holds(files: Files) -> bool:
            await self.sandbox.write({**known, **files})
            report = await self.run(Selection(tests=tuple(names)))
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

    def sources(self, facts: Facts) -> dict[str, str]:
        """The texts of the suspects' files, as they are now."""
        return {definition.path: self._read(definition.path) or "" for definition in facts.suspects}

    async def search(self, facts: Facts, edits: Sequence[Suspected], *, seconds: float) -> Search:
        """Try single edits, each alone, within some seconds of processor time."""
        async with self._plainly(facts):
            return await try_edits(self.sandbox, edits, self._tests_for(facts.target), seconds=seconds)

    async def compare(self, candidates: Sequence[Candidate], facts: Facts) -> Comparison | None:
        """Find out what edits that pass do beside what tests check; None if that cannot be told."""
        tests = self._tests_for(facts.target, RECORD_SECONDS)
        edits = [candidate.edit for candidate in candidates]
        async with self._plainly(facts):
            return await compare_edits(self.sandbox, edits, self.sources(facts), tests)

    @asynccontextmanager
    async def _plainly(self, facts: Facts) -> AsyncIterator[None]:
        """Have the suspects' files in the view as edits know them.

        Edits are places in these bytes, which a byte order mark or another encoding would move.
        """
        await self.sandbox.write({path: _plain(source) for path, source in self.sources(facts).items()})
        try:
            yield
        finally:
            await self.take_back()

    def _tests_for(self, failing: TestResult, seconds: float = math.inf) -> Tests:
        """What edits are tried against: a failing test, others like it, and passing ones that take so long at most."""
        target, *beside = self.tests_beside(failing)
        others = [other.node_id for other in self._related(failing)]
        took = {result.node_id: result.seconds for result in self.before.results if result.outcome in SETTLED}
        spent = accumulate(took.get(node_id, 0.0) for node_id in beside)
        first = self.diagnosis(failing).after
        beside = [
            node_id for node_id, until in zip(beside, spent, strict=True) if until < seconds and node_id not in first
        ]
        usual = sum(took.get(node_id, 0.0) for node_id in (target, *others, *beside, *first))
        patience = min(TRIAL_SECONDS + 2 * usual, self.limits.test_seconds)
        return Tests((target, *others), tuple(beside), self._concerned, patience, first)

    async def take(self, candidate: Candidate, facts: Facts, thought: str) -> Step | None:
        """Make an edit that was found; the step that did it, None if it does not pass the check."""
        edit = candidate.edit
        before = self._read(edit.path) or ""
        old, new = shortest_passage(before, edit.apply(before))
        action = Action(f"replace({edit.path!r}, {quote(old)}, {quote(new)})")
        observation = await self.sandbox.execute(action)
        verdict = await self.check(facts.target, edit.what)
        if not verdict.passed:
            await self.take_back()
            return None
        seen = replace(observation, tests=verdict.report)
        return Step(number=0, thought=thought, action=action, observation=seen, afresh=True)

    def _names_to_trace(self, target: TestResult) -> tuple[Sequence[str], Sequence[str]]:
        """The failing tests, and tests that pass: of the same files first, as many as can be run in a moment."""
        if after := self.diagnosis(target).after:
            return (*after, target.node_id), ()
        others = [
            result.node_id
            for result in self.within_reach()
            if result not in self.mended and result.node_id != target.node_id
        ]
        usual = [node_id for node_id in others if node_id not in self.hanging][:MAX_TRACED]
        failing = (target.node_id,) if target.node_id in self.hanging else (*usual[::-1], target.node_id)
        paths = {node_id.partition("::")[0] for node_id in failing}
        passed = [result for result in self.before.results if result.outcome is Outcome.PASSED]
        passed.sort(key=lambda result: result.node_id.partition("::")[0] not in paths)
        spent = accumulate(result.seconds for result in passed)
        beside = [result.node_id for result, until in zip(passed, spent, strict=True) if until < TRACE_SECONDS]
        return failing, beside[:MAX_TRACED_BESIDE]

    def _changed(self, target: TestResult) -> Heat:
        """How lately the lines that a test ran have changed, from the developer's repository."""
        ran = self.spectrum.failing.get(target.node_id, {})
        paths = [path for path in {**ran, **{frame.path: None for frame in target.frames}} if path not in self._late]
        versions = list_versions(self.snapshot, paths)
        for path in paths:
            self._late[path] = find_late_lines(path, self._read(path) or "", versions.get(path, ()))
        late = {place: how for heat in self._late.values() for place, how in heat.items()}
        if self.diagnosis(target).kind is Kind.ORDER:  # something is kept from one test to the next
            late |= dict.fromkeys((place for path in ran for place in find_state(path, self._read(path) or "")), 1.0)
        return late

    def _related(self, target: TestResult) -> list[TestResult]:
        """Other tests of the target's file that always fail, and are yet to be mended."""
        path = target.node_id.partition("::")[0]
        steady = (
            result for result in self.within_reach() if self.diagnosis(result).kind in (Kind.REAL, Kind.COLLECTION)
        )
        failing = (result for result in steady if result.node_id.partition("::")[0] == path)
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

    async def _run_target(self, target: TestResult) -> TestReport:
        """Run one test as it failed: after others if it fails after those only, often if it does not always fail."""
        diagnosis = self.diagnosis(target)
        if diagnosis.kind is not Kind.FLAKY:
            names = () if is_conftest(target) else (*diagnosis.after, target.node_id)
            return await self.run(Selection(tests=names))
        for _ in range(passes_wanted(diagnosis.rate)):
            report = await self.run_cold((target.node_id,))
            if not is_mended(target, report):
                break
        return report

    async def _run_others(self, files: Files) -> tuple[TestReport, frozenset[str]]:
        """Run the tests that these files are likely to break, then all; the report, and which are worse than before.

        What is likely to break is learnt from a traced run, where further targets can make use of that.
        """
        near = {*self._broken, *affected(self._covered, self.changes(files))} & self.holding
        if near:
            report = await self.run(Selection(tests=tuple(sorted(near)[:MAX_NEAR])))
            if now := near.intersection(result.node_id for result in report.failing):
                return report, frozenset(now)
        to_come = len(self.targets()) > len(self.mended) + 1
        suite = await self.run(Selection(trace=to_come and not self._covered and len(self.holding) <= MAX_COVERED))
        self._covered |= {result.node_id: result.called for result in suite.results if result.called}
        unmended = [mended.node_id for mended in self.mended if not is_mended(mended, suite)]
        worse = frozenset((*regressions(self.before, suite), *unmended))
        self._broken |= worse
        return suite, worse

    async def take_back(self) -> None:
        """Put the view to what has been mended so far, without the failed attempts since."""
        await self.sandbox.restore()
        await self.sandbox.write(self.files)

    def _read(self, path: str) -> str | None:
        state = self.files[path] if path in self.files else read_file(self.snapshot, path)
        return decode_source(state.content) if state else None


def _nearness(report: TestReport) -> float:
    """How near a failing candidate is: an assertion that fails is nearer than code that does not load."""
    if not report.results:
        return 0.0
    assertion = all(
        "AssertionError" in result.message or result.message.startswith("assert") for result in report.failing
    )
    return 0.2 if assertion else 0.1


def _plain(source: str) -> FileState:
    return FileState(source.encode("utf-8", "surrogateescape"))


def _writing(path: str, state: FileState | None) -> str:
    """The code of an action that puts a file to a state."""
    if state is None:
        return f"import pathlib; pathlib.Path({path!r}).unlink()"
    try:
        return f"write({path!r}, {quote(state.content.decode())})"
    except UnicodeDecodeError:
        return f"import pathlib; pathlib.Path({path!r}).write_bytes({state.content!r})"
