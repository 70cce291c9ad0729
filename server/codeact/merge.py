"""Three-way merge of one file's lines, by git's own merge."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from codeact.errors import ApplyError
from codeact.lines import changed_regions, split_lines

CONFLICTS_AT_MOST = 127  # `git merge-file` exits with the number of conflicts up to this, above with an error


@dataclass(frozen=True)
class Merge:
    """What came of a merge: its content, or None and the 1-based first and last lines of ours that stand against it."""

    content: bytes | None
    clashes: tuple[tuple[int, int], ...] = ()


def merge(base: bytes, ours: bytes, theirs: bytes) -> Merge:
    """Bring two changes of `base` together.

    Raises:
        ApplyError: git cannot be run.
    """
    with tempfile.TemporaryDirectory(prefix="codeact-merge-") as folder:
        for name, content in (("base", base), ("ours", ours), ("theirs", theirs)):
            (Path(folder) / name).write_bytes(content)
        status, merged, problem = _run_git(Path(folder))
    if not 0 <= status <= CONFLICTS_AT_MOST:
        raise ApplyError(f"git could not merge the change with yours: {problem}.")
    return Merge(merged) if status == 0 else Merge(None, _clashes(base, ours, theirs))


def _run_git(folder: Path) -> tuple[int, bytes, str]:
    # Imported here, since that takes 0.3 s and fails where git is missing, and most applies merge nothing.
    try:
        from git import Git, GitError  # noqa: PLC0415 - see above
    except ImportError as error:
        raise ApplyError("Your edits cannot be merged with the proposal, since git is missing. Install it.") from error
    try:
        status, merged, problem = Git(folder).execute(
            ["git", "merge-file", "-p", "-q", "ours", "base", "theirs"],
            with_extended_output=True,
            with_exceptions=False,
            stdout_as_string=False,
            strip_newline_in_stdout=False,
        )
    except (GitError, OSError) as error:
        raise ApplyError(f"Your edits cannot be merged with the proposal, since git failed: {error}.") from error
    return status, merged if isinstance(merged, bytes) else merged.encode("utf-8", "surrogateescape"), problem


def _clashes(base: bytes, ours: bytes, theirs: bytes) -> tuple[tuple[int, int], ...]:
    """Lines of ours that were changed where, or right beside where, theirs were."""
    lines = split_lines(base)
    their_regions = changed_regions(lines, split_lines(theirs))
    return tuple(
        (mine.new_start + 1, max(mine.new_stop, mine.new_start + 1))
        for mine in changed_regions(lines, split_lines(ours))
        if any(r.old_start <= mine.old_stop and mine.old_start <= r.old_stop for r in their_regions)
    )
