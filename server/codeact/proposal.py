"""Making proposals out of changed files, choosing among their hunks, and showing them."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from codeact.errors import SettingsError
from codeact.evidence import Hunk, Patch, Proposal, Tally
from codeact.lines import changed_regions, split_lines
from codeact.trajectory import FileChange, FileState, TestReport
from codeact.unified import is_text, render


def make_proposal(
    run: str, tree: str, changes: Sequence[FileChange], is_protected: Callable[[str], bool] = lambda _: False
) -> Proposal:
    """Describe changed files as patches.

    Args:
        run: id of the run that made them.
        tree: git tree id of the snapshot they were made from.
        changes: the files; those that did not really change are left out.
        is_protected: whether a path holds tests or their configuration; such patches are set apart as unproven.
    """
    patches = [
        Patch(path=change.path, before=change.before, after=change.after, hunks=_hunks(change))
        for change in sorted(changes, key=lambda change: change.path)
        if change.before != change.after
    ]
    return Proposal(
        run=run,
        snapshot=tree,
        patches=tuple(patch for patch in patches if not is_protected(patch.path)),
        unproven=tuple(patch for patch in patches if is_protected(patch.path)),
    )


def unified_diff(proposal: Proposal, *, binary: bool = True) -> str:
    """The patches as text in git's format; see `unified`. The unproven ones are not in it."""
    return render(proposal.patches, binary=binary)


def changes_of(proposal: Proposal) -> tuple[FileChange, ...]:
    """The files that the patches change, before and after."""
    return tuple(FileChange(patch.path, patch.before, patch.after) for patch in proposal.patches)


def separate(proposal: Proposal) -> Proposal | None:
    """The unproven patches as a proposal of their own, without evidence; None if there are none."""
    if not proposal.unproven:
        return None
    return Proposal(run=proposal.run, snapshot=proposal.snapshot, patches=proposal.unproven)


def select(proposal: Proposal, ids: Collection[str]) -> Proposal:
    """The proposal with some of its hunks only, which nobody has proven yet: its evidence is dropped.

    Args:
        proposal: what to choose from.
        ids: ids of hunks, or paths, which stand for the whole patch. A patch without hunks is chosen by its path; a
            change of mode goes with any hunk of its file.

    Raises:
        SettingsError: an id names nothing in the proposal.
    """
    known = {patch.path for patch in proposal.patches} | {h.id for patch in proposal.patches for h in patch.hunks}
    if unknown := sorted(set(ids) - known):
        raise SettingsError(f"The proposal has no hunk {', '.join(unknown)}. It has: {', '.join(sorted(known))}.")
    chosen = (_select_in(patch, ids) for patch in proposal.patches)
    return replace(proposal, patches=tuple(patch for patch in chosen if patch), evidence=None, unproven=())


def stat(patches: Sequence[Patch]) -> str:
    """How much some patches change, in a few words: number of files, lines added, lines removed."""
    hunks = [hunk for patch in patches for hunk in patch.hunks]
    added = sum(len(split_lines(hunk.new)) for hunk in hunks)
    removed = sum(len(split_lines(hunk.old)) for hunk in hunks)
    opaque = sum(not (is_text(patch.before) and is_text(patch.after)) for patch in patches)
    files = f"{len(patches)} file{'s' * (len(patches) != 1)}"
    return f"{files}, +{added} \N{MINUS SIGN}{removed}" + (f", {opaque} not text" if opaque else "")


def tally(report: TestReport) -> Tally:
    """What a test report comes to."""
    counts = Counter(result.outcome for result in report.results)
    return Tally(counts=dict(sorted(counts.items())), failing=tuple(result.node_id for result in report.failing))


def _hunks(change: FileChange) -> tuple[Hunk, ...]:
    if not (is_text(change.before) and is_text(change.after)):
        return ()
    old, new = (split_lines(state.content) if state else [] for state in (change.before, change.after))
    return tuple(
        Hunk(
            id=f"{change.path}#{number}",
            old_start=region.old_start + 1,
            old=b"".join(old[region.old_start : region.old_stop]),
            new_start=region.new_start + 1,
            new=b"".join(new[region.new_start : region.new_stop]),
        )
        for number, region in enumerate(changed_regions(old, new), 1)
    )


def _select_in(patch: Patch, ids: Collection[str]) -> Patch | None:
    hunks = [hunk for hunk in patch.hunks if hunk.id in ids]
    if patch.path in ids or len(hunks) == len(patch.hunks) > 0:
        return patch
    if not hunks or not patch.before or not patch.after:  # a file is created or deleted by its only hunk
        return None
    old = split_lines(patch.before.content)
    new: list[bytes] = []
    placed: list[Hunk] = []
    at = 0
    for hunk in hunks:
        new += old[at : hunk.old_start - 1]
        placed.append(replace(hunk, new_start=len(new) + 1))
        new += split_lines(hunk.new)
        at = hunk.old_start - 1 + len(split_lines(hunk.old))
    content = b"".join([*new, *old[at:]])
    return replace(patch, after=FileState(content, patch.after.mode), hunks=tuple(placed))
