"""The walk of a request, from what was asked to a proven proposal.

Read `run_task` and `fix_tests`: workspace, snapshot, sandbox, tests, model, proof, journal. Each step is one
call into a part that knows nothing of the others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

from codeact.causes import find_causes
from codeact.errors import CodeActError, ModelUnavailable, SettingsError
from codeact.events import CauseTried, Grouped, RunEnded, RunStarted, StepTaken, TestsRan, Triaged
from codeact.fixing import Repair
from codeact.formatting import format_files
from codeact.inquiry import answer_question
from codeact.journal import create_journal, new_run_id
from codeact.ladder import Ladder
from codeact.learning import remember_fix
from codeact.models.base import Model
from codeact.pool import Pool
from codeact.proposing import beyond_reach, nothing_to_fix, propose, unsolved
from codeact.room import find_cause
from codeact.scripting import write_script
from codeact.settings import Settings
from codeact.supplies import missing_in, open_supplied
from codeact.testing import Selection, run_tests, want_of_packages
from codeact.trajectory import Task, TaskKind
from codeact.triage import triage
from codeact.verify import find_bench
from codeact.walk import Consent, Listener, Recording, Walk, choose_model, freeze, recall_lessons


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
        SettingsError: nothing was asked.
        CodeActError: the machinery failed; the journal has the reason.
    """
    if task.kind is not TaskKind.FIX and not (task.script or task.instruction.strip()):
        raise SettingsError('Nothing was asked. Say what you want, such as: codeact ask "which modules import json?"')
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
    """Mend what fails, one likely cause after the other, and prove all of it together."""
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
            return await nothing_to_fix(walk, repair)
        bench.prepare(snapshot)  # for the proof
        await _triage(walk, repair)
        if not repair.within_reach():
            return walk.end("failed", f"No change of the code can help. {beyond_reach(repair)}")
        ladder = await _make_ladder(walk, recorded, repair, stack)
        await _mend(walk, repair, ladder)
        if ladder.trouble:
            if not repair.mended:
                raise ModelUnavailable(f"{unsolved(walk)}. {ladder.trouble}")
            walk.remark(f"No model was asked: {ladder.trouble}")
        await _minimise(walk, repair)
        repair.files = await format_files(sandbox, snapshot, repair.files)
    ended = await propose(walk, repair, bench)
    if not recorded:
        remember_fix(walk.settings, repair, ended, ladder.tried)
    return ended


async def _triage(walk: Walk, repair: Repair) -> None:
    """Find out what kind of failure each is, and say so."""
    walk.say("running what failed again")
    repair.diagnoses = {found.node_id: found for found in await triage(repair)}
    walk.tell(Triaged(diagnoses=tuple(repair.diagnoses.values())))


async def _make_ladder(walk: Walk, recorded: Recording | None, repair: Repair, stack: AsyncExitStack) -> Ladder:
    """The ways to a fix, in the light of earlier ones; those without a model if there is none."""
    lessons = recall_lessons(walk, recorded)
    try:
        return Ladder(walk, repair, await stack.enter_async_context(choose_model(walk, recorded)), lessons=lessons)
    except ModelUnavailable as trouble:
        walk.say("without a model")
        walk.why = str(trouble)
        return Ladder(walk, repair, None, trouble, lessons)


async def _mend(walk: Walk, repair: Repair, ladder: Ladder) -> None:
    """Have each failing test mended, cause by cause; where there are several tests, say how far that is."""
    targets = {target.node_id: target for target in repair.within_reach()}
    causes = find_causes(repair)
    several = len(targets) > 1
    if several:
        walk.tell(Grouped(causes=causes))
    for cause in causes:
        walk.about = f"cause {cause.number} of {len(causes)}: {cause.label}" if len(causes) > 1 else ""
        for name in cause.tests:
            await ladder.climb(targets[name])
        left = tuple(name for name in cause.tests if targets[name] not in repair.mended)
        if several:
            mended = tuple(name for name in cause.tests if name not in left)
            walk.tell(CauseTried(number=cause.number, mended=mended, left=left))
    walk.about = ""


async def _minimise(walk: Walk, repair: Repair) -> None:
    """Leave out of the fix what no test needs."""
    if repair.files:
        walk.say("leaving out what no test needs")
        if step := await repair.minimise():
            walk.tell(StepTaken(step=step))


WALKS: Mapping[TaskKind, Callable[[Walk, Mapping[str, str], Recording | None], Awaitable[RunEnded]]] = {
    TaskKind.FIX: fix_tests,
    TaskKind.ASK: answer_question,
    TaskKind.SCRIPT: write_script,
}
