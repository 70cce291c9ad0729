"""How a fix task ends: what was mended becomes a proposal with its proof, and what was not is told with the reason."""

from collections.abc import Sequence
from dataclasses import replace

from codeact.errors import SettingsError
from codeact.events import RunEnded, TestsRan
from codeact.evidence import Evidence, Group, Proposal
from codeact.fixing import Repair
from codeact.grouping import group_hunks, with_needs
from codeact.minimise import Files
from codeact.proposal import changes_of, make_proposal, select, stat
from codeact.targets import matching
from codeact.trajectory import Outcome, TestResult
from codeact.triage import find_lonely
from codeact.verify import Bench, prove
from codeact.walk import Walk

MAX_TOLD = 5  # failures that the last message tells of


async def propose(walk: Walk, repair: Repair, bench: Bench) -> RunEnded:
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
    left = beyond_reach(repair)
    message = summary(proposal, len(repair.targets())) + (f" · not for code to mend: {left}" if left else "")
    return walk.end("verified", message, proposal)


async def _group(walk: Walk, repair: Repair, bench: Bench, proposal: Proposal) -> tuple[Group, ...]:
    """The parts of a proven proposal by cause; one that does not hold by itself needs all that came before it."""
    before = {patch.path: patch.before for patch in proposal.patches}
    groups = group_hunks(proposal, before, repair.causes)
    found: list[Group] = []
    for group in groups:
        walk.say(f"proving group {group.number} of {len(groups)} by itself")
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
            f"before you accept it. ({unsolved(walk)})",
            proposal,
        )
    left = beyond_reach(repair)
    return walk.end(
        "failed", f"No verified fix. {unsolved(walk)}." + (f" Not for code to mend: {left}" if left else "")
    )


def unsolved(walk: Walk) -> str:
    """Which tests are not mended, and why."""
    reasons = [f"{node_id}: {ending}" for node_id, ending in walk.unsolved.items()]
    more = [f"and {len(reasons) - MAX_TOLD} more"] if len(reasons) > MAX_TOLD else []
    return "; ".join(reasons[:MAX_TOLD] + more)


async def nothing_to_fix(walk: Walk, repair: Repair) -> RunEnded:
    """End a run for which no test fails, or none that was named.

    Raises:
        SettingsError: no test has such a name.
    """
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


def beyond_reach(repair: Repair) -> str:
    """What no change of the code can mend, and why, in one line."""
    found = [diagnosis for diagnosis in repair.diagnoses.values() if not diagnosis.hopeful]
    more = f" And {len(found) - MAX_TOLD} more." if len(found) > MAX_TOLD else ""
    return " ".join(f"{diagnosis.node_id}: {diagnosis.detail}" for diagnosis in found[:MAX_TOLD]) + more
