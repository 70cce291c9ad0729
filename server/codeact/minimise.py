"""Leaves out of a fix what no test needs: whole hunks first, then lines within them.

A model that rewrites a function often changes more than the fault. Each place that differs is put back to what it was,
one after the other, and stays so if the tests still hold. What does not change the program, such as a comment, and what
does not even parse, is decided without a test run. After delta debugging (Zeller and Hildebrandt, 2002).
"""

import ast
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from codeact.lines import Region, changed_regions, split_lines
from codeact.trajectory import FileChange, FileState
from codeact.unified import is_text

Files = Mapping[str, FileState | None]
MAX_TRIALS = 24
MAX_LINES = 40  # of one hunk, beyond which it is not taken apart


@dataclass(frozen=True)
class Unit:
    """A place that can be put back by itself: old lines `[start, stop)` became `new`; a whole file if `new` is None."""

    path: str
    start: int
    stop: int
    new: tuple[bytes, ...] | None


@dataclass(frozen=True)
class Minimised:
    """What is left of a fix: its files, how many changed places were put back, and how many test runs it took."""

    files: Files
    put_back: int
    trials: int


async def minimise(
    changes: Sequence[FileChange], holds: Callable[[Files], Awaitable[bool]], *, seconds: float
) -> Minimised:
    """Find a smaller fix that holds as well.

    Args:
        changes: the fix; it holds.
        holds: whether the tests do with these files, all others being the snapshot's.
        seconds: no further trial is begun after this time.
    """
    work = _Work({change.path: change for change in changes}, holds, time.monotonic() + seconds)
    hunks = [unit for change in changes for unit in _hunks(change)]
    kept = await work.put_back(hunks, hunks)
    parts = [part for unit in kept for part in _parts(unit, work.changes[unit.path])]
    kept = await work.put_back(parts, parts)
    return Minimised(work.files(kept), work.dropped, work.trials)


@dataclass
class _Work:
    """One fix, and what has been tried on it."""

    changes: Mapping[str, FileChange]
    holds: Callable[[Files], Awaitable[bool]]
    deadline: float
    trials: int = 0
    dropped: int = 0

    async def put_back(self, units: Sequence[Unit], kept: Sequence[Unit]) -> list[Unit]:
        """Put each unit back for which the tests hold without it; what remains."""
        left = list(kept)
        for unit in units:
            fewer = [other for other in left if other is not unit]
            if fewer and await self._is_needless(unit, left, fewer):
                left = fewer
                self.dropped += 1
        return left

    async def _is_needless(self, unit: Unit, left: Sequence[Unit], fewer: Sequence[Unit]) -> bool:
        before, after = self.files(left), self.files(fewer)
        if unit.path.endswith(".py") and unit.new is not None:
            program = _program(after.get(unit.path, self.changes[unit.path].before))
            if program is None:
                return False
            if program == _program(before.get(unit.path)):
                return True
        if self.trials >= MAX_TRIALS or time.monotonic() > self.deadline:
            return False
        self.trials += 1
        return await self.holds(after)

    def files(self, units: Collection[Unit]) -> Files:
        """The files with these changes only; those without any are left out."""
        found: dict[str, FileState | None] = {}
        for path, change in self.changes.items():
            chosen = [unit for unit in units if unit.path == path]
            if any(unit.new is None for unit in chosen):
                found[path] = change.after
            elif chosen and change.before and change.after:
                content = _apply(split_lines(change.before.content), chosen)
                found[path] = FileState(content, change.after.mode)
        return found


def _hunks(change: FileChange) -> Iterator[Unit]:
    if not change.before or not change.after or not (is_text(change.before) and is_text(change.after)):
        yield Unit(change.path, 0, 0, None)
        return
    old, new = split_lines(change.before.content), split_lines(change.after.content)
    regions = changed_regions(old, new)
    if not regions:
        yield Unit(change.path, 0, 0, None)
    yield from (_unit(change.path, region, new) for region in regions)


def _unit(path: str, region: Region, new: Sequence[bytes]) -> Unit:
    return Unit(path, region.old_start, region.old_stop, tuple(new[region.new_start : region.new_stop]))


def _parts(unit: Unit, change: FileChange) -> list[Unit]:
    """A hunk, line by line: lines that stand for each other go together, inserted ones stand alone."""
    if unit.new is None or not change.before or max(len(unit.new), unit.stop - unit.start) > MAX_LINES:
        return [unit]
    old = split_lines(change.before.content)[unit.start : unit.stop]
    parts: list[Unit] = []
    for start, stop, new_start, new_stop in _align(old, unit.new):
        at, lines = unit.start + start, unit.new[new_start:new_stop]
        if len(lines) == stop - start:
            parts += [Unit(unit.path, at + i, at + i + 1, (line,)) for i, line in enumerate(lines)]
        elif start == stop:
            parts += [Unit(unit.path, at, at, (line,)) for line in lines]
        else:
            parts.append(Unit(unit.path, at, at + stop - start, lines))
    return parts


def _align(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[tuple[int, int, int, int]]:
    """Which lines of a hunk stand for which: those that differ in blanks only pair up, and so do those between."""
    matcher = SequenceMatcher(None, [b"".join(line.split()) for line in old], [b"".join(line.split()) for line in new])
    for _, start, stop, new_start, new_stop in matcher.get_opcodes():
        yield start, stop, new_start, new_stop


def _apply(old: Sequence[bytes], units: Sequence[Unit]) -> bytes:
    pieces: list[bytes] = []
    at = 0
    for unit in units:  # in order of place, since that is how they were made
        pieces += [*old[at : unit.start], *(unit.new or ())]
        at = unit.stop
    return b"".join([*pieces, *old[at:]])


def _program(state: FileState | None) -> str | None:
    """What a file says to Python, without comments and layout; None if it does not parse, or is not there."""
    try:
        return ast.dump(ast.parse(state.content)) if state else None
    except (SyntaxError, ValueError, RecursionError):
        return None
