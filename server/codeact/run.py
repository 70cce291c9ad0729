"""The walk of a request, from what was asked to a proven proposal.

Read `run_task` and `fix_tests`: workspace, snapshot, sandbox, tests, model, proof, journal. Each step is one
call into a part that knows nothing of the others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from codeact.errors import CodeActError, ModelUnavailable, SettingsError
from codeact.events import RunEnded, RunStarted, StepTaken, TestsRan, Triaged
from codeact.evidence import Evidence, Group, Proposal
from codeact.fixing import Repair
from codeact.formatting import format_files
from codeact.grouping import group_hunks, with_needs
from codeact.inquiry import answer_question
from codeact.journal import create_journal, new_run_id
from codeact.ladder import Ladder
from codeact.minimise import Files
from codeact.models.base import Model
from codeact.pool import Pool
from codeact.proposal import changes_of, make_proposal, select, stat
from codeact.room import find_cause
from codeact.scripting import write_script
from codeact.settings import Settings
from codeact.supplies import missing_in, open_supplied
from codeact.targets import matching
from codeact.testing import Selection, run_tests, want_of_packages
from codeact.trajectory import Outcome, Task, TaskKind, TestResult
from codeact.triage import find_lonely, triage
from codeact.verify import Bench, find_bench, prove
from codeact.walk import Consent, Listener, Recording, Walk, choose_model, freeze

MAX_TOLD = 5  # failures that the last message tells of


async def run_task(  # noqa: PLR0913 - what a door lends to a run; most leave it out
    task: Task,
    settings: Settings,
    *,
    buffers: Mapping[str, str] | None = None,
    on_event: Listener = lambda _: None,
    recorded: Recording | None = None,
    model: Model | None = None,
    pool: Pool | None = None,
    consent: Consent | None = None,
) -> RunEnded:
    """Do a task and tell how it ended; the workspace is only read.

    Cancelling the caller's asyncio task ends the sandbox and the run; its journal says so.

    Args:
        task: what was asked.
        settings: how to do it, and where.
        buffers: unsaved texts of the editor, by path relative to the workspace.
        on_event: hears everything as it happens.
        recorded: repeats an earlier run's snapshot and answers instead of taking and asking for new ones.
        model: whom to ask, if not the one that the settings name.
        pool: where sandboxes may be ready, and are left ready for the next run; by default one for this run only.
        consent: asks the developer, for instance whether a missing package may be fetched; None if nobody is there.

    Raises:
        CodeActError: the machinery failed; the journal has the reason.
    """
    run = new_run_id()
    secrets = [settings.model.api_key.value] if settings.model.api_key else []
    async with AsyncExitStack() as stack:
        journal = stack.enter_context(create_journal(settings, run, secrets))
        pool = pool or await stack.enter_async_context(Pool())
        walk = Walk(task, settings, run, journal, on_event, model, pool, consent)
        walk.tell(RunStarted(run=run, task=task, workspace=str(settings.workspace)))
        try:
            async with asyncio.timeout(settings.budget.timeout):
                return await WALKS[task.kind](walk, buffers or {}, recorded)
        except TimeoutError:
            return walk.end("failed", f"No verified fix within {settings.budget.timeout:.0f} s.")
        except asyncio.CancelledError:
            walk.end("cancelled", "Cancelled.")
            raise
        except (CodeActError, OSError) as error:
            cause = find_cause(error, settings)
            walk.end("failed", str(cause))
            if cause is error:
                raise
            raise cause from error
        finally:
            if pool:
                pool.settle()


async def fix_tests(walk: Walk, buffers: Mapping[str, str], recorded: Recording | None) -> RunEnded:
    """Mend what fails, one failing test after the other, and prove all of it together."""
    snapshot = await freeze(walk, buffers, recorded)
    async with AsyncExitStack() as stack:
        bench = await find_bench(walk.settings, walk.run, walk.say, pool=walk.pool)
        sandbox = await stack.enter_async_context(open_supplied(walk, bench, snapshot, recorded))
        walk.say("running the tests")
        await sandbox.preload()
        before = await run_tests(sandbox, Selection(), walk.settings.sandbox.limits)
        while await sandbox.supply(missing_in(before)):
            before = await run_tests(sandbox, Selection(), walk.settings.sandbox.limits)
        bench = sandbox.bench
        walk.tell(TestsRan(phase="before", report=before))
        repair = Repair(walk.task, snapshot, sandbox, walk.settings.sandbox.limits, before)
        if lack := want_of_packages(repair.targets()):
            return walk.end("failed", lack)
        if not repair.targets():
            return await _nothing_to_fix(walk, repair)
        bench.prepare(snapshot)  # for the proof
        await _triage(walk, repair)
        if not repair.within_reach():
            return walk.end("failed", f"No change of the code can help. {_beyond_reach(repair)}")
        ladder = await _make_ladder(walk, recorded, repair, stack)
        for target in repair.within_reach():
            await ladder.climb(target)
        if ladder.trouble:
            if not repair.mended:
                raise ModelUnavailable(f"{_unsolved(walk)}. {ladder.trouble}")
            walk.note = f"No model was asked: {ladder.trouble}"
        await _minimise(walk, repair)
        repair.files = await format_files(sandbox, snapshot, repair.files)
    return await _propose(walk, repair, bench)


async def _triage(walk: Walk, repair: Repair) -> None:
    """Find out what kind of failure each is, and say so."""
    walk.say("running what failed again")
    repair.diagnoses = {found.node_id: found for found in await triage(repair)}
    walk.tell(Triaged(diagnoses=tuple(repair.diagnoses.values())))


def _beyond_reach(repair: Repair) -> str:
    """What no change of the code can mend, and why, in one line."""
    found = [diagnosis for diagnosis in repair.diagnoses.values() if not diagnosis.hopeful]
    more = f" And {len(found) - MAX_TOLD} more." if len(found) > MAX_TOLD else ""
    return " ".join(f"{diagnosis.node_id}: {diagnosis.detail}" for diagnosis in found[:MAX_TOLD]) + more


async def _make_ladder(walk: Walk, recorded: Recording | None, repair: Repair, stack: AsyncExitStack) -> Ladder:
    """The ways to a fix; those without a model if there is none."""
    try:
        return Ladder(walk, repair, await stack.enter_async_context(choose_model(walk, recorded)))
    except ModelUnavailable as trouble:
        walk.say("without a model")
        walk.why = str(trouble)
        return Ladder(walk, repair, None, trouble)


async def _minimise(walk: Walk, repair: Repair) -> None:
    """Leave out of the fix what no test needs."""
    if repair.files:
        walk.say("leaving out what no test needs")
        if step := await repair.minimise():
            walk.tell(StepTaken(step=step))


async def _propose(walk: Walk, repair: Repair, bench: Bench) -> RunEnded:
    """Make a proposal of what was mended and prove it; without any, offer changed tests as unproven, if there are."""
    files, targets = repair.best()
    if not files or not targets:
        return _no_fix(walk, repair)
    walk.say("proving the fix in a fresh sandbox")
    proposal, evidence = await _prove(walk, repair, bench, files, targets)
    if repair.whole and not evidence.verified:  # what was left out was needed elsewhere
        proposal, evidence = await _prove(walk, repair, bench, repair.whole, targets)
    if not evidence.verified:
        return walk.end("unverified", f"A fix was found but not proven: {' '.join(evidence.reasons)}", proposal)
    proposal = replace(proposal, groups=await _group(walk, repair, bench, proposal))
    left = _beyond_reach(repair)
    message = summary(proposal, len(repair.targets())) + (f" · not for code to mend: {left}" if left else "")
    return walk.end("verified", message, proposal)


async def _group(walk: Walk, repair: Repair, bench: Bench, proposal: Proposal) -> tuple[Group, ...]:
    """The parts of a proven proposal by cause; one that does not hold by itself needs all that came before it."""
    before = {patch.path: patch.before for patch in proposal.patches}
    groups = group_hunks(proposal, before, repair.causes)
    found: list[Group] = []
    for group in groups:
        walk.say(f"proving cause {group.number} of {len(groups)} by itself")
        part = select(proposal, with_needs(replace(proposal, groups=groups), [group.number]))
        targets = [result for result in repair.mended if result.node_id in group.tests]
        often = replace(bench, repeats=repair.repeats())
        evidence = await prove(often, repair.snapshot, changes_of(part), targets, repair.before)
        earlier = tuple(range(1, group.number))
        found.append(group if evidence.verified else replace(group, needs=earlier))
    return tuple(found)


async def _prove(
    walk: Walk, repair: Repair, bench: Bench, files: Files, targets: Sequence[TestResult]
) -> tuple[Proposal, Evidence]:
    changes, snapshot = repair.changes(files), repair.snapshot
    evidence = await prove(
        replace(bench, repeats=repair.repeats()),
        snapshot,
        changes,
        targets,
        repair.before,
        lambda report: walk.tell(TestsRan(phase="proof-after", report=report)),
    )
    proposal = make_proposal(walk.run, snapshot.tree, changes, repair.is_protected)
    return replace(proposal, evidence=evidence), evidence


def _no_fix(walk: Walk, repair: Repair) -> RunEnded:
    rewritten = repair.changes(repair.rewritten_tests)
    proposal = make_proposal(walk.run, repair.snapshot.tree, rewritten, repair.is_protected)
    if proposal.unproven:
        return walk.end(
            "unverified",
            "No fix of the code was found. The model would change tests instead: that proves nothing, so look closely "
            f"before you accept it. ({_unsolved(walk)})",
            proposal,
        )
    left = _beyond_reach(repair)
    return walk.end(
        "failed", f"No verified fix. {_unsolved(walk)}." + (f" Not for code to mend: {left}" if left else "")
    )


def _unsolved(walk: Walk) -> str:
    """Which tests are not mended, and why."""
    reasons = [f"{node_id}: {ending}" for node_id, ending in walk.unsolved.items()]
    more = [f"and {len(reasons) - MAX_TOLD} more"] if len(reasons) > MAX_TOLD else []
    return "; ".join(reasons[:MAX_TOLD] + more)


async def _nothing_to_fix(walk: Walk, repair: Repair) -> RunEnded:
    before = repair.before
    chosen = matching(before, walk.task.tests)
    if before.problem:
        return walk.end("failed", before.problem)
    if not chosen:
        raise SettingsError(f"No test matches {', '.join(walk.task.tests)}. Name a path or a node id as pytest does.")
    if lonely := await find_lonely(repair, chosen):
        return walk.end(
            "failed",
            f"{', '.join(lonely)}: passes among all tests and fails alone: it needs what a test before it leaves. "
            "A proof runs all tests, so it could not show that mended.",
        )
    count = len(chosen)
    skipped = count - sum(result.outcome is Outcome.PASSED for result in chosen)
    note = f" ({skipped} skipped or expected to fail)" if skipped else ""
    return walk.end("answered", f"Nothing to fix: no test fails among {count}{note}.")


def summary(proposal: Proposal, wanted: int) -> str:
    """What is proven, in one line: for instance "fixes 2 tests, 31 other still passes, proven in a fresh sandbox"."""
    evidence = proposal.evidence
    if evidence is None:
        return f"not proven · {stat(proposal.patches)}"
    fixed = len(evidence.targets)
    others = max(evidence.after.counts.get(Outcome.PASSED, 0) - fixed, 0)
    still = {0: "", 1: "1 other still passes, "}.get(others, f"{others} others still pass, ")
    of_wanted = f" of {wanted}" if fixed < wanted else ""
    return (
        f"fixes {fixed}{of_wanted} test{'s' * (max(fixed, wanted) != 1)}, {still}"
        f"proven in a fresh sandbox · {stat(proposal.patches)}"
    )


WALKS: Mapping[TaskKind, Callable[[Walk, Mapping[str, str], Recording | None], Awaitable[RunEnded]]] = {
    TaskKind.FIX: fix_tests,
    TaskKind.ASK: answer_question,
    TaskKind.SCRIPT: write_script,
}
