"""The proof: the same tests on the snapshot and on the proposal, each in a fresh sandbox that no model has touched.

Tests, conftest files and test configuration are the snapshot's, whatever the proposal says of them. A proposal is
verified if each target passes, nothing that passed before fails, nothing vanished from collection, nothing is newly
skipped or expected to fail, and nothing in the changes smells of cheating.
"""

import asyncio
import hashlib
import platform
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from codeact import __version__
from codeact.containers import with_image
from codeact.environments import Addition, add_package, choose_interpreter, find_addition, with_additions
from codeact.errors import PrepareError
from codeact.evidence import Evidence
from codeact.proposal import tally
from codeact.protected import protected
from codeact.sandboxes import open_sandbox
from codeact.sandboxes.base import Interpreter, Sandbox, SandboxSpec
from codeact.settings import Settings
from codeact.smells import smells_of_fix
from codeact.snapshot import Snapshot, list_files, materialise, read_file, write_tree
from codeact.targets import is_mended, test_files
from codeact.testing import Selection, regressions, run_tests
from codeact.trajectory import FileChange, TestReport, TestResult


@dataclass(frozen=True)
class Bench:
    """What a proof is run with: settings, the interpreter, and the run that it belongs to."""

    settings: Settings
    interpreter: Interpreter | None
    run: str


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
    worse = regressions(before, after)
    reasons += [f"{node_id} is worse than before." for node_id in worse]
    smells = smells_of_fix(snapshot, changes, targets) if targets else ()
    reasons += [f"It smells of cheating: {smell}" for smell in smells]
    reasons += [after.problem] if after.problem not in ("", before.problem) else []
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
    )


async def find_bench(
    settings: Settings,
    run: str,
    on_progress: Callable[[str], None] = lambda _: None,
    *,
    data: bool = False,
    packages: Sequence[str] = (),
) -> Bench:
    """The bench for a run: the workspace's own Python or one prepared for it, unless an image brings one.

    Args:
        settings: of the workspace.
        run: id of the run.
        on_progress: hears of an environment that has to be prepared first.
        data: libraries for data are wanted too, where the workspace has no environment of its own.
        packages: what an earlier run had to add, pinned.

    Raises:
        PrepareError: such a package is no longer there, and may not be fetched without being asked for.
    """
    if settings.sandbox.image:
        return Bench(await asyncio.to_thread(with_image, settings, on_progress), None, run)
    interpreter = await asyncio.to_thread(choose_interpreter, settings, on_progress, data=data)
    additions = [await asyncio.to_thread(_addition, settings, pin, interpreter) for pin in packages]
    return Bench(settings, with_additions(interpreter, additions), run)


def _addition(settings: Settings, pin: str, interpreter: Interpreter) -> Addition:
    if found := find_addition(settings, pin, interpreter):
        return found
    if settings.packages == "always":
        return add_package(settings, pin, interpreter)
    raise PrepareError(f"The run needs {pin}, which is no longer there. Fetch it again: codeact prepare --with {pin}")


@asynccontextmanager
async def open_bench(bench: Bench, snapshot: Snapshot) -> AsyncIterator[Sandbox]:
    """A fresh sandbox with a view of a snapshot."""
    settings = bench.settings
    async with AsyncExitStack() as stack:
        folder = await asyncio.to_thread(stack.enter_context, materialise(snapshot))
        spec = SandboxSpec(
            run=bench.run,
            snapshot=folder,
            workspace=settings.workspace,
            interpreter=bench.interpreter,
            limits=settings.sandbox.limits,
            image=settings.sandbox.image,
            state=settings.state / "sandboxes",
        )
        yield await stack.enter_async_context(open_sandbox(spec, settings.sandbox.backend))


async def run_suite(bench: Bench, snapshot: Snapshot) -> tuple[TestReport, dict[str, str]]:
    """Run all tests of a snapshot in a fresh sandbox, and tell in what environment."""
    async with open_bench(bench, snapshot) as sandbox:
        report = await run_tests(sandbox, Selection(), bench.settings.sandbox.limits)
        return report, {**sandbox.environment, "platform": platform.platform(), "codeact": __version__}


def _hash_protected(snapshot: Snapshot, tests: Collection[str]) -> dict[str, str]:
    existing = frozenset(list_files(snapshot))
    paths = [path for path in existing if protected(path, tests, existing)]
    states = {path: read_file(snapshot, path) for path in paths}
    return {path: hashlib.sha256(state.content).hexdigest() for path, state in states.items() if state}
