"""The script task: a script with a command line of its own, tried on the snapshot, and what it would change."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath

from codeact import __version__
from codeact.agent import Ending, work
from codeact.compact import doubt
from codeact.drafting import MAX_SAID, SCRIPT_SECONDS, Drafting, describe_failure
from codeact.events import RunEnded, TestsRan
from codeact.evidence import Evidence, Tally
from codeact.findings import FOLDER, gather, is_product
from codeact.formatting import format_files
from codeact.handover import propose
from codeact.models.base import Model
from codeact.proposal import make_proposal, stat, tally
from codeact.scripts import TEST, add_provenance, file_name
from codeact.snapshot import Snapshot, list_files, read_file, write_tree
from codeact.supplies import open_supplied
from codeact.testing import regressions
from codeact.trajectory import FileChange, FileState
from codeact.verify import Bench, find_bench, open_bench, run_suite
from codeact.walk import Recording, Walk, choose_model, freeze


async def write_script(walk: Walk, buffers: Mapping[str, str], recorded: Recording | None) -> RunEnded:
    """Let the model write a script until it runs, and propose it with what it would change."""
    snapshot = await freeze(walk, buffers, recorded)
    if walk.task.script:
        return await _run_again(walk, snapshot)
    path = file_name(walk.settings.scripts, walk.task.instruction, list_files(snapshot))
    async with AsyncExitStack() as stack:
        bench = await find_bench(walk.settings, walk.run, walk.say, data=True, pool=walk.pool)
        sandbox = await stack.enter_async_context(open_supplied(walk, bench, snapshot, recorded))
        model: Model = await stack.enter_async_context(choose_model(walk, recorded))
        drafting = Drafting(walk, snapshot, sandbox, path)
        assignment, asking = await drafting.assignment(model)
        walk.say(f"asking {model.name}")
        outcome = await work(assignment, model, sandbox, walk.settings.budget, drafting.tell, asking.schedule)
        walk.usage += outcome.usage
        walk.remark(doubt(outcome))
        if outcome.ending is not Ending.SOLVED:
            return walk.end("failed", f"No working script: {outcome.ending}.")
        await sandbox.restore()
        draft = (await format_files(sandbox, snapshot, {path: drafting.draft}))[path]
        bench = sandbox.bench
    assert draft is not None  # noqa: S101 - the check has seen it
    return await _propose(walk, bench, drafting, draft)


async def _propose(walk: Walk, bench: Bench, drafting: Drafting, draft: FileState) -> RunEnded:
    snapshot, instruction = drafting.snapshot, walk.task.instruction
    script = add_provenance(draft, instruction, walk.run, snapshot.tree)
    name = PurePosixPath(drafting.path)
    kept = [
        FileChange(drafting.path, None, script),
        FileChange(str(name.with_name(f"test_{name.name}")), None, FileState(TEST.format(script=name.name).encode())),
    ]
    effect, made = _sort(snapshot, drafting.effect)
    walk.say("running the script and the tests in fresh sandboxes")
    evidence = await prove_script(bench, snapshot, kept, effect, walk.tell)
    proposal = replace(make_proposal(walk.run, snapshot.tree, [*kept, *effect]), evidence=evidence)
    effected = stat(make_proposal(walk.run, snapshot.tree, effect).patches) if effect else "nothing"
    message = f"{drafting.path} runs, and does the same again in a fresh sandbox; it changes {effected}"
    artifacts = gather(drafting.steps, made)
    if not evidence.verified:
        return walk.end("unverified", f"Not proven: {' '.join(evidence.reasons)}", proposal, drafting.said, artifacts)
    return walk.end("verified", message, proposal, drafting.said, artifacts)


def _sort(
    snapshot: Snapshot, effect: Mapping[str, FileState | None]
) -> tuple[list[FileChange], dict[str, FileState | None]]:
    """What a script changes in the project, and what it hands over; new data files and pictures are both."""
    changed = [
        FileChange(path, read_file(snapshot, path), after)
        for path, after in effect.items()
        if not path.startswith(FOLDER)
    ]
    return changed, {path: after for path, after in effect.items() if is_product(path, read_file(snapshot, path), "")}


async def _run_again(walk: Walk, snapshot: Snapshot) -> RunEnded:
    """Run a kept script on the snapshot, and propose what it changes; no model is asked."""
    path, *arguments = walk.task.script
    bench = await find_bench(walk.settings, walk.run, walk.say, data=True, pool=walk.pool)
    walk.say(f"running {path}")
    async with open_supplied(walk, bench, snapshot) as sandbox:
        done = await sandbox.spawn([sandbox.python, "-B", path, *arguments], timeout=SCRIPT_SECONDS)
        files = (await sandbox.changes()).files
        bench = sandbox.bench
    said = done.stdout.strip()[:MAX_SAID]
    if done.exit_code != 0:
        return walk.end("failed", describe_failure(" ".join(arguments) or "no arguments", done), answer=said)
    changed, made = _sort(snapshot, files)
    artifacts = gather((), made)
    if not changed:
        return walk.end("answered", f"{path} ran and changes nothing.", answer=said, artifacts=artifacts)
    return await propose(walk, bench, snapshot, changed, said, artifacts)


async def prove_script(
    bench: Bench,
    snapshot: Snapshot,
    kept: Sequence[FileChange],
    effect: Sequence[FileChange],
    tell: Callable[[TestsRan], None],
) -> Evidence:
    """Run the script as it will be kept in a fresh sandbox, and the suite without and with all of it.

    Args:
        bench: where to run.
        snapshot: what the script was written for.
        kept: the script, then its test if that is kept too.
        effect: what the script changed when it was tried; it must do exactly that again.
        tell: hears the test reports.
    """
    script = kept[0].path
    with_script = write_tree(snapshot, kept)
    reasons = []
    async with open_bench(bench, with_script) as sandbox:
        command = [sandbox.python, "-B", script]
        done = await sandbox.spawn(command, timeout=SCRIPT_SECONDS)
        again = (await sandbox.changes()).files
        environment = dict(sandbox.environment)
    if done.exit_code != 0:
        reasons.append(f"{script} ends with exit code {done.exit_code} in a fresh sandbox.")
    expected = {change.path: change.after for change in effect}
    if differing := sorted(path for path, after in expected.items() if again.get(path) != after):
        reasons.append(f"{script} does not do the same twice: {', '.join(differing[:5])}.")
    before, _ = await run_suite(bench, snapshot)
    tell(TestsRan(phase="proof-before", report=before))
    proposed = write_tree(snapshot, [*kept, *effect])
    after, _ = await run_suite(bench, proposed)
    tell(TestsRan(phase="proof-after", report=after))
    worse = regressions(before, after) if before.results else ()
    reasons += [f"{node_id} is worse than before." for node_id in worse]
    return Evidence(
        snapshot=snapshot.tree,
        proposed=proposed.tree,
        command=("python", script),
        targets=(),
        before=tally(before) if before.results else Tally(counts={}),
        after=tally(after) if after.results else Tally(counts={}),
        regressions=tuple(worse),
        environment={**environment, "codeact": __version__},
        proven_at=datetime.now(UTC).isoformat(timespec="seconds"),
        verified=not reasons,
        reasons=tuple(reasons),
    )
