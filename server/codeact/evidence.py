"""The values a run ends with: what is proposed, what proves it, and what became of it.

Plain frozen data; the functions over it live in `proposal`, `apply` and `verify`. Content is bytes throughout, so that
line endings and encodings come through untouched.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from codeact.trajectory import FileChange, FileState, Outcome


@dataclass(frozen=True, kw_only=True)
class Hunk:
    """One region of lines that differs; nothing of it is context.

    Attributes:
        id: names it within the proposal, also after a selection: `src/cart.py#1`.
        old_start: 1-based line of the file before, at which `old` begins; an insertion goes before that line.
        old: the lines taken out, with their line ends.
        new_start: 1-based line of the file after, at which `new` begins.
        new: the lines put in, with their line ends.
    """

    id: str
    old_start: int
    old: bytes = field(repr=False)
    new_start: int
    new: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Patch:
    """What is proposed for one file. A renamed file is two patches: one deletes, one creates.

    Attributes:
        path: the file.
        before: its state in the snapshot; None if the patch creates it.
        after: its proposed state; None if the patch deletes it.
        hunks: the differing regions, top to bottom; none when a file is binary, a symlink, or differs in mode only.
    """

    path: str
    before: FileState | None
    after: FileState | None
    hunks: tuple[Hunk, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What a test run came to.

    Attributes:
        counts: how many tests ended in which way; outcomes that did not occur are left out.
        failing: node ids that count as failing, in order.
    """

    counts: Mapping[Outcome, int]
    failing: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was run before and after, on which snapshot, and what came of it.

    Attributes:
        snapshot: git tree id of the files before.
        proposed: git tree id of the files after, tests and test configuration being the snapshot's.
        command: the test command.
        targets: node ids of the tests that the task was about.
        before: the suite without the proposal.
        after: the suite with it, in a fresh sandbox.
        regressions: node ids that are worse after than before.
        environment: facts such as `backend`, `python`, `pytest`, `platform`, `codeact`.
        protected: path and SHA-256 (hex) of each test and test configuration file taken from the snapshot.
        seconds: wall time of the proof.
        proven_at: when, as ISO 8601 in UTC.
        verified: whether all promises hold.
        reasons: why not, one sentence each.
        repeats: for flaky targets, how often in a row each had to pass.
    """

    snapshot: str
    proposed: str
    command: tuple[str, ...]
    targets: tuple[str, ...]
    before: Tally
    after: Tally
    regressions: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    protected: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    proven_at: str = ""
    verified: bool = False
    reasons: tuple[str, ...] = ()
    repeats: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Group:
    """The part of a proposal that goes back to one cause.

    Attributes:
        number: names it within the proposal, from 1 on.
        tests: node ids of the tests that it mends.
        hunks: ids of its hunks, or the path of a patch that has none.
        needs: numbers of groups without which it does not hold.
    """

    number: int
    tests: tuple[str, ...]
    hunks: tuple[str, ...]
    needs: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A set of patches, with its evidence.

    Attributes:
        run: id of the run that made it.
        snapshot: git tree id of the files it was made from.
        patches: what is proposed, by path.
        evidence: its proof; None if none was tried.
        unproven: patches of tests and test configuration. No proof covers them: they are offered separately.
        groups: its parts by cause, each proven by itself with what it needs; none if there is one cause.
    """

    run: str
    snapshot: str
    patches: tuple[Patch, ...]
    evidence: Evidence | None = None
    unproven: tuple[Patch, ...] = ()
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What was written to the workspace, or put back in it: the files' paths; `merged` had edits of the developer.

    `files` is what an editor wrote, whose files hold it only once they are saved; what `apply` in a terminal wrote is
    kept beside the journal.
    """

    run: str
    paths: tuple[str, ...]
    merged: tuple[str, ...] = ()
    files: tuple[FileChange, ...] = ()
