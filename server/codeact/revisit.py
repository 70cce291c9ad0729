"""Coming back to a run: prove its proposal again, walk its way again, or run the tests without any model."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from codeact.apply import Plan
from codeact.errors import SettingsError
from codeact.events import RunEnded, TestsRan
from codeact.evidence import Evidence, Proposal
from codeact.journal import open_journal, read_journal
from codeact.pool import Pool
from codeact.proposal import changes_of
from codeact.run import run_task
from codeact.scripting import prove_script
from codeact.settings import Settings
from codeact.snapshot import open_snapshot, read_file, take_snapshot
from codeact.testing import Selection, run_tests
from codeact.trajectory import FileChange, TaskKind, TestReport
from codeact.verify import Bench, find_bench, open_bench, prove, run_suite
from codeact.walk import Listener, Recording


async def verify_run(settings: Settings, run: str, on_event: Listener = lambda _: None) -> Evidence:
    """Prove a run's proposal again: the suite before, the suite after, each in a fresh sandbox; no model, no network.

    The new evidence is added to the run's journal.

    Raises:
        RunNotFound: there is no such run.
        SettingsError: it made no proposal that could be proven.
    """
    proposal = _proposal_of(settings, run)
    evidence = await prove_again(settings, proposal, proposal.snapshot, changes_of(proposal), on_event)
    with open_journal(settings, run) as journal:
        journal.append("evidence", evidence)
    return evidence


async def prove_again(
    settings: Settings,
    proposal: Proposal,
    tree: str,
    changes: Sequence[FileChange],
    on_event: Listener = lambda _: None,
    *,
    part: bool = False,
) -> Evidence:
    """Prove changes on a snapshot, with the targets of an earlier proposal: a merged one, or some of its hunks.

    Args:
        settings: where to run.
        proposal: names the run and the tests that are to pass.
        tree: the snapshot to prove on; another than the proposal's if the workspace has moved on.
        changes: the product files to change in it.
        on_event: hears the test reports.
        part: the changes are only some of the proposal's, so that some of its targets may go on failing.
    """
    snapshot = await asyncio.to_thread(open_snapshot, settings, tree)
    bench = await _bench_of(settings, proposal.run)
    if kept := _kept_script(proposal, changes):
        effect = [change for change in changes if change not in kept]
        return await prove_script(bench, snapshot, kept, effect, on_event)
    before, _ = await run_suite(bench, snapshot)
    on_event(TestsRan(phase="proof-before", report=before))
    wanted = set(proposal.evidence.targets) if proposal.evidence else set()
    targets = [result for result in before.failing if result.node_id in wanted]
    repeats = proposal.evidence.repeats if proposal.evidence else {}
    return await prove(
        replace(bench, repeats=repeats),
        snapshot,
        changes,
        targets,
        before,
        lambda report: on_event(TestsRan(phase="proof-after", report=report)),
        part=part,
    )


async def prove_plan(
    settings: Settings,
    proposal: Proposal,
    plan: Plan,
    buffers: Mapping[str, str] | None = None,
    on_event: Listener = lambda _: None,
    *,
    part: bool = False,
) -> Evidence:
    """Prove what a plan would write, on the workspace as it is now; see `prove_again`."""
    snapshot = await asyncio.to_thread(take_snapshot, settings, buffers or {})
    changes = [FileChange(change.path, read_file(snapshot, change.path), change.after) for change in plan.changes]
    return await prove_again(settings, proposal, snapshot.tree, changes, on_event, part=part)


async def replay_run(settings: Settings, run: str, on_event: Listener = lambda _: None) -> tuple[RunEnded, bool]:
    """Walk a run's way again, from its snapshot and with its model's recorded answers.

    Returns:
        How the new run ended, and whether that is what the recorded one came to: the same status and the same diff.

    Raises:
        RunNotFound: there is no such run.
        SettingsError: it ended before it had a snapshot.
        ModelError: the walk asks for more answers than were recorded; it has gone another way.
    """
    record = read_journal(settings, run)
    started, snapshot, ended = record.started(), record.snapshot(), record.ended()
    chosen = record.chosen()
    if not started or not snapshot or not chosen:
        raise SettingsError(f"Run {run} cannot be replayed: it ended before it asked a model.")
    recording = Recording(snapshot.tree, chosen, record.completions(), record.packages(), record.lessons())
    again = await run_task(started.task, settings, on_event=on_event, recorded=recording)
    return again, ended is not None and (ended.status, ended.diff) == (again.status, again.diff)


async def run_tests_once(
    settings: Settings,
    tests: Sequence[str] = (),
    buffers: Mapping[str, str] | None = None,
    on_event: Listener = lambda _: None,
    pool: Pool | None = None,
) -> TestReport:
    """Run the workspace's tests once, in a sandbox, unsaved buffers included."""
    snapshot = await asyncio.to_thread(take_snapshot, settings, buffers or {})
    bench = await find_bench(settings, "tests", pool=pool)
    async with open_bench(bench, snapshot) as sandbox:
        report = await run_tests(sandbox, Selection(tests=tuple(tests)), settings.sandbox.limits)
    if pool:
        pool.settle()
    on_event(TestsRan(phase="check", report=report))
    return report


async def _bench_of(settings: Settings, run: str) -> Bench:
    """The bench that a run had."""
    record = read_journal(settings, run)
    started = record.started()
    data = started is not None and started.task.kind is not TaskKind.FIX
    return await find_bench(settings, run, data=data, packages=record.packages())


def _kept_script(proposal: Proposal, changes: Sequence[FileChange]) -> Sequence[FileChange]:
    """The script among the changes of a script task's proposal, and its test; nothing if it is left out."""
    path = PurePosixPath(proposal.evidence.command[-1]) if proposal.evidence else PurePosixPath()
    kept = [change for name in (path, path.with_name(f"test_{path.name}")) if path.name
            for change in changes if change.path == str(name)]  # fmt: skip
    return kept if kept and kept[0].path == str(path) else ()


def _proposal_of(settings: Settings, run: str) -> Proposal:
    proposal = read_journal(settings, run).proposal()
    if proposal is None:
        raise SettingsError(f"Run {run} made no proposal. `codeact show {run}` tells how it ended.")
    if not proposal.patches:
        raise SettingsError(
            f"Run {run} proposes to change tests only, which nothing can prove. See `codeact diff {run}`."
        )
    return proposal
