"""The proof: the same tests on the snapshot and on the proposal, each in a fresh sandbox that no model has touched.

Tests, conftest files and test configuration are the snapshot's, whatever the proposal says of them. A proposal is
verified if each target passes, nothing that passed before fails, nothing vanished from collection, nothing is newly
skipped or expected to fail, nothing in the changes smells of cheating, and the test process does not tell tests as
passing that must fail (`counterproof`).
"""

import asyncio
import hashlib
import platform
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from codeact import __version__
from codeact.containers import with_image
from codeact.counterproof import MOST, QUICK, count_rounds, find_lies, make_failing
from codeact.environments import Addition, add_package, choose_interpreter, find_addition, with_additions
from codeact.errors import PrepareError
from codeact.evidence import Evidence
from codeact.pool import Pool, open_view, order_for
from codeact.proposal import tally
from codeact.protected import protected
from codeact.sandboxes.base import Interpreter, Sandbox
from codeact.settings import Settings
from codeact.smells import smells_of_fix
from codeact.snapshot import Snapshot, list_files, read_file, write_tree
from codeact.targets import is_mended, test_files
from codeact.testing import Selection, regressions, run_tests
from codeact.trajectory import FileChange, Outcome, TestReport, TestResult

EVERYTHING = Selection()


@dataclass(frozen=True)
class Bench:
    """What a proof is run with: settings, the interpreter, the run that it belongs to, and where sandboxes wait.

    `repeats` tells for flaky targets how often in a row they must pass.
    """

    settings: Settings
    interpreter: Interpreter | None
    run: str
    repeats: Mapping[str, int] = field(default_factory=dict)
    pool: Pool | None = None

    def prepare(self, snapshot: Snapshot) -> None:
        """Begin to start the sandbox that will be wanted next, on this snapshot or one like it."""
        if self.pool:
            self.pool.prepare(order_for(self.settings, self.interpreter), snapshot)


async def prove(
    bench: Bench,
    snapshot: Snapshot,
    changes: Sequence[FileChange],
    targets: Sequence[TestResult],
    before: TestReport,
    on_report: Callable[[TestReport], None] = lambda _: None,
    *,
    part: bool = False,
) -> Evidence:
    """Run the whole suite on the snapshot with `changes`, in a fresh sandbox, and compare.

    Args:
        bench: where to run.
        snapshot: what the changes were made from.
        changes: product files only; protected ones must have been taken out.
        targets: the tests that failed and are to pass.
        before: the suite on the snapshot alone.
        on_report: called with the suite's report.
        part: the changes are a part of a proposal; then the targets are those that pass, of which there must be one.
    """
    started = time.monotonic()
    proposed = write_tree(snapshot, changes)
    after, environment = await run_suite(bench, proposed)
    on_report(after)
    mended = [target for target in targets if is_mended(target, after)]
    targets = mended if part and mended else targets
    reasons = [f"{target.node_id} does not pass." for target in targets if not is_mended(target, after)]
    repeats = {target.node_id: times for target in targets if (times := bench.repeats.get(target.node_id, 0)) > 1}
    if repeats and not reasons:
        reasons += await _repeat(bench, proposed, targets, repeats)
    worse = regressions(before, after)
    reasons += [f"{node_id} is worse than before." for node_id in worse]
    smells = smells_of_fix(snapshot, changes, targets) if targets else ()
    reasons += [f"It smells of cheating: {smell}" for smell in smells]
    reasons += [after.problem] if after.problem not in ("", before.problem) else []
    reasons += [] if reasons else await _doubt(bench, proposed, targets, after, count_rounds(changes))
    return Evidence(
        snapshot=snapshot.tree,
        proposed=proposed.tree,
        command=after.command,
        targets=tuple(target.node_id for target in targets),
        before=tally(before),
        after=tally(after),
        regressions=tuple(worse),
        environment=environment,
        protected=_hash_protected(proposed, test_files(before)),
        seconds=time.monotonic() - started,
        proven_at=datetime.now(UTC).isoformat(timespec="seconds"),
        verified=not reasons,
        reasons=tuple(reasons),
        repeats=repeats,
    )


async def _doubt(
    bench: Bench, proposed: Snapshot, targets: Sequence[TestResult], after: TestReport, rounds: int
) -> Sequence[str]:
    """Why the report of a suite cannot be believed; none if tests that must fail are told as failing, each time."""
    passing = [result.node_id for result in after.results if result.outcome is Outcome.PASSED]
    asked = [target.node_id for target in targets] or passing[:MOST]
    changes, bound = await asyncio.to_thread(make_failing, proposed, asked)
    files = tuple(change.path for change in changes)
    lies: tuple[str, ...] = ()
    for _ in range(rounds if bound else 0):
        broken = await asyncio.to_thread(write_tree, proposed, changes)
        report, _ = await run_suite(bench, broken, Selection(() if after.seconds <= QUICK else files))
        if lies := find_lies(report, bound):
            break
    return [
        f"Made to fail, {node_id} is still told as passing, so the tests' report proves nothing." for node_id in lies
    ]


async def find_bench(
    settings: Settings,
    run: str,
    on_progress: Callable[[str], None] = lambda _: None,
    *,
    data: bool = False,
    pool: Pool | None = None,
    packages: Sequence[str] = (),
) -> Bench:
    """The bench for a run: the workspace's own Python or one prepared for it, unless an image brings one.

    Args:
        settings: of the workspace.
        run: id of the run.
        on_progress: hears of an environment that has to be prepared first.
        data: libraries for data are wanted too, where the workspace has no environment of its own.
        pool: where sandboxes may be ready.
        packages: what an earlier run had to add, pinned.

    Raises:
        PrepareError: such a package is no longer there, and may not be fetched without being asked for.
    """
    if settings.sandbox.image:
        return Bench(await asyncio.to_thread(with_image, settings, on_progress), None, run, pool=pool)
    interpreter = await asyncio.to_thread(choose_interpreter, settings, on_progress, data=data)
    additions = [await asyncio.to_thread(_addition, settings, pin, interpreter) for pin in packages]
    return Bench(settings, with_additions(interpreter, additions), run, pool=pool)


def _addition(settings: Settings, pin: str, interpreter: Interpreter) -> Addition:
    if found := find_addition(settings, pin, interpreter):
        return found
    if settings.packages == "always":
        return add_package(settings, pin, interpreter)
    raise PrepareError(f"The run needs {pin}, which is no longer there. Fetch it again: codeact prepare --with {pin}")


@asynccontextmanager
async def open_bench(bench: Bench, snapshot: Snapshot) -> AsyncIterator[Sandbox]:
    """A fresh sandbox with a view of a snapshot."""
    order = order_for(bench.settings, bench.interpreter)
    opened = bench.pool.open(order, snapshot, bench.run) if bench.pool else open_view(order, snapshot, bench.run)
    async with opened as sandbox:
        yield sandbox


async def run_suite(
    bench: Bench, snapshot: Snapshot, selection: Selection = EVERYTHING
) -> tuple[TestReport, dict[str, str]]:
    """Run the tests of a snapshot in a fresh sandbox, all of them or some, and tell in what environment."""
    async with open_bench(bench, snapshot) as sandbox:
        report = await run_tests(sandbox, selection, bench.settings.sandbox.limits)
        return report, {**sandbox.environment, "platform": platform.platform(), "codeact": __version__}


async def _repeat(
    bench: Bench, snapshot: Snapshot, targets: Sequence[TestResult], repeats: Mapping[str, int]
) -> list[str]:
    """Run flaky tests again and again, each time in a new process; what does not pass as often as it must."""
    reasons = []
    async with open_bench(bench, snapshot) as sandbox:
        for target in targets:
            for number in range(repeats.get(target.node_id, 0)):
                report = await run_tests(sandbox, Selection(tests=(target.node_id,)), bench.settings.sandbox.limits)
                if not is_mended(target, report):
                    reasons.append(f"{target.node_id} is flaky, and fails still, though it passed {number + 1} times.")
                    break
    return reasons


def _hash_protected(snapshot: Snapshot, tests: Collection[str]) -> dict[str, str]:
    existing = frozenset(list_files(snapshot))
    paths = [path for path in existing if protected(path, tests, existing)]
    states = {path: read_file(snapshot, path) for path in paths}
    return {path: hashlib.sha256(state.content).hexdigest() for path, state in states.items() if state}
