"""Several causes in one proposal: which hunk mends which tests, and which of them can be taken without the others."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from codeact.errors import SettingsError
from codeact.evidence import Group, Hunk, Proposal
from codeact.lines import split_lines
from codeact.proposal import make_proposal
from codeact.trajectory import FileChange, FileState, TestResult


@dataclass(frozen=True)
class Mended:
    """One step to a whole fix.

    Attributes:
        tests: those that it has mended.
        files: all changed files after it.
        rung: the rung of the ladder that it was on.
        edit: what it changed, in a few words, if it was a single edit.
    """

    tests: tuple[TestResult, ...]
    files: Mapping[str, FileState | None]
    rung: str = ""
    edit: str = ""


def group_hunks(
    proposal: Proposal, before: Mapping[str, FileState | None], mended: Sequence[Mended]
) -> tuple[Group, ...]:
    """The parts of a proposal, one for each step that still has a hunk in it; none if that is one.

    A hunk belongs to the step that touched its lines last, which needs those that touched them earlier.

    Args:
        proposal: all steps together.
        before: the snapshot's state of each changed file.
        mended: the steps in order, each on top of the one before.
    """
    steps = [_hunks_of(before, step.files) for step in mended]
    owners: dict[str, list[int]] = {}
    for patch in proposal.patches:
        for hunk in patch.hunks:
            owners[hunk.id] = list(_touching(patch.path, hunk, steps)) or [len(steps)]
        if not patch.hunks:
            same = [step.files.get(patch.path) == patch.after and patch.path in step.files for step in mended]
            owners[patch.path] = [same.index(True) + 1 if True in same else len(steps)]
    groups = []
    for number, step in enumerate(mended, 1):
        hunks = tuple(name for name, touched in owners.items() if touched[-1] == number)
        needs = {other for name in hunks for other in owners[name][:-1]}
        if hunks:
            tests = tuple(result.node_id for result in step.tests)
            groups.append(Group(number=number, tests=tests, hunks=hunks, needs=tuple(sorted(needs))))
    return _number(groups) if len(groups) > 1 else ()


def with_needs(proposal: Proposal, numbers: Collection[int]) -> tuple[str, ...]:
    """The ids of the hunks of some groups, with those that they need.

    Raises:
        SettingsError: the proposal has no such group.
    """
    groups = {group.number: group for group in proposal.groups}
    if unknown := sorted(set(numbers) - set(groups)):
        known = f"It has: {', '.join(map(str, groups))}." if groups else "It has one cause only."
        raise SettingsError(f"The proposal has no group {', '.join(map(str, unknown))}. {known}")
    wanted: set[int] = set()
    waiting = list(numbers)
    while waiting:
        number = waiting.pop()
        if number not in wanted:
            wanted.add(number)
            waiting += groups[number].needs
    return tuple(name for number in sorted(wanted) for name in groups[number].hunks)


def _hunks_of(
    before: Mapping[str, FileState | None], files: Mapping[str, FileState | None]
) -> dict[str, tuple[Hunk, ...]]:
    changes = [FileChange(path, before.get(path), after) for path, after in files.items()]
    return {patch.path: patch.hunks for patch in make_proposal("", "", changes).patches}


def _touching(path: str, hunk: Hunk, steps: Sequence[Mapping[str, tuple[Hunk, ...]]]) -> Iterator[int]:
    """The numbers of the steps after which a hunk's lines are other than they were before."""
    known: list[tuple[int, bytes, bytes]] = []
    for number, step in enumerate(steps, 1):
        found = [(other.old_start, other.old, other.new) for other in step.get(path, ()) if _meet(hunk, other)]
        if found != known:
            yield number
        known = found


def _meet(one: Hunk, other: Hunk) -> bool:
    """Whether two hunks have to do with the same lines of the file before."""
    first, second = _span(one), _span(other)
    return first[0] <= second[1] and second[0] <= first[1]


def _span(hunk: Hunk) -> tuple[int, int]:
    return hunk.old_start, hunk.old_start + max(len(split_lines(hunk.old)) - 1, 0)


def _number(groups: Sequence[Group]) -> tuple[Group, ...]:
    """The groups, numbered without gaps."""
    numbers = {group.number: number for number, group in enumerate(groups, 1)}
    return tuple(
        replace(
            group,
            number=numbers[group.number],
            needs=tuple(numbers[needed] for needed in group.needs if needed in numbers),
        )
        for group in groups
    )
