"""What a question or a script has changed in the project: a proposal, proven by the tests that there are."""

from collections.abc import Sequence
from dataclasses import replace

from codeact.events import RunEnded, TestsRan
from codeact.proposal import make_proposal, stat
from codeact.protected import protected
from codeact.snapshot import Snapshot, list_files
from codeact.targets import test_files
from codeact.testing import Selection, run_tests
from codeact.trajectory import Artifact, FileChange
from codeact.verify import Bench, open_bench, prove
from codeact.walk import Walk


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
        bench.prepare(snapshot)
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
