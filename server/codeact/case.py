"""A case: tests that fail on a snapshot, what kind of failure each is, and how they are run again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from codeact.diagnosis import Diagnosis, Kind
from codeact.protected import protected
from codeact.sandboxes.base import Sandbox
from codeact.settings import Limits
from codeact.snapshot import Snapshot, list_files
from codeact.targets import is_conftest, matching, passes_wanted, test_files
from codeact.testing import OnLines, Selection, run_tests
from codeact.trajectory import FAILING, Outcome, Task, TestReport, TestResult

HANGING_SECONDS = 4.0
MAX_BESIDE = 50
WHEN = (Kind.COLLECTION, Kind.REAL, Kind.ORDER, Kind.ENVIRONMENT, Kind.FLAKY)  # a kind's turn
SETTLED = (Outcome.PASSED, Outcome.FAILED)


@dataclass
class Case:
    """What was asked, and what the tests said of the snapshot.

    `forks` tells whether tests do the same in a fork of a process that has loaded pytest as they do in a new one.
    """

    task: Task
    snapshot: Snapshot
    sandbox: Sandbox
    limits: Limits
    before: TestReport
    diagnoses: Mapping[str, Diagnosis] = field(default_factory=dict)
    forks: bool = True

    def targets(self) -> tuple[TestResult, ...]:
        """What the task asks to mend. A conftest file is none of it unless other code keeps it from being imported."""
        failing = (result for result in matching(self.before, self.task.tests) if result.outcome in FAILING)
        return tuple(
            result
            for result in failing
            if not is_conftest(result) or any(not self.is_protected(frame.path) for frame in result.frames)
        )

    def within_reach(self) -> tuple[TestResult, ...]:
        """The targets that a change of the code may mend: those that always fail first, flaky ones last."""
        hopeful = [target for target in self.targets() if self.diagnosis(target).hopeful]
        return tuple(sorted(hopeful, key=lambda target: WHEN.index(self.diagnosis(target).kind)))

    def diagnosis(self, target: TestResult) -> Diagnosis:
        """What kind of failure it is; an ordinary one if that was not found out."""
        return self.diagnoses.get(target.node_id) or Diagnosis(node_id=target.node_id, kind=Kind.REAL)

    def repeats(self) -> dict[str, int]:
        """How often in a row each flaky target has to pass before it counts as mended."""
        flaky = [found for found in self.diagnoses.values() if found.kind is Kind.FLAKY]
        return {found.node_id: passes_wanted(found.rate) for found in flaky}

    def is_protected(self, path: str) -> bool:
        """Whether a path is a test or test configuration, which only the snapshot defines."""
        return protected(path, self._tests, self.existing)

    def tests_beside(self, *targets: TestResult) -> list[str]:
        """The targets, and the tests of their files that passed before and are to pass still."""
        paths = {target.node_id.partition("::")[0] for target in targets}
        beside = [
            result.node_id
            for result in self.before.results
            if result.node_id.partition("::")[0] in paths and result.outcome is Outcome.PASSED
        ]
        return [*(target.node_id for target in targets), *beside[:MAX_BESIDE]]

    async def run_cold(self, names: Sequence[str]) -> TestReport:
        """Run tests in a new process, in the given order; all tests if there are no names."""
        return await run_tests(self.sandbox, Selection(tests=tuple(names)), self.limits)

    async def run_warm(self, names: Sequence[str], **variables: str) -> TestReport:
        """Run tests in the given order, in a fork if that does the same as a new process, with some variables set."""
        return await self.run(Selection(tests=tuple(names), variables=tuple(variables.items())))

    async def run(self, selection: Selection, on_lines: OnLines = lambda *_: None) -> TestReport:
        """Run tests; those that hung before, and alone, for a shorter time."""
        limits = self.limits
        if selection.tests and self.hanging.intersection(selection.tests):
            slowest = max((result.seconds for result in self.before.results if result.outcome in SETTLED), default=0.0)
            limits = replace(limits, test_seconds=min(limits.test_seconds, max(HANGING_SECONDS, 3 * slowest)))
        return await run_tests(self.sandbox, selection, limits, on_lines=on_lines, warm=self.forks)

    @cached_property
    def holding(self) -> frozenset[str]:
        """The tests that passed."""
        return frozenset(result.node_id for result in self.before.results if result.outcome is Outcome.PASSED)

    @cached_property
    def hanging(self) -> frozenset[str]:
        """The tests that did not end in time."""
        return frozenset(result.node_id for result in self.before.results if result.outcome is Outcome.TIMEOUT)

    @cached_property
    def _tests(self) -> frozenset[str]:
        return test_files(self.before)

    @cached_property
    def existing(self) -> frozenset[str]:
        """The files of the snapshot."""
        return frozenset(list_files(self.snapshot))
