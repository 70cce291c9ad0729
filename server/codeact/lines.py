r"""Lines of a file's bytes, and where two files differ.

A line ends at `\n` and nowhere else: `\r`, form feeds and Unicode's separators belong to the line they stand in.
Lines that occur once on each side anchor the comparison (the idea of Bram Cohen's patience diff), so that a moved
brace or blank line does not tear functions apart, and large files cost little; `difflib` compares what lies between.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

LARGE = 250_000  # pairs of lines; difflib takes seconds above, so what has no anchor is then replaced as a whole


@dataclass(frozen=True)
class Region:
    """Old lines `[old_start, old_stop)` became new lines `[new_start, new_stop)`; counted from 0."""

    old_start: int
    old_stop: int
    new_start: int
    new_stop: int


@dataclass(frozen=True)
class Match:
    """`size` equal lines, from line `old` and line `new` on; counted from 0."""

    old: int
    new: int
    size: int


def split_lines(content: bytes) -> list[bytes]:
    """The lines of a file, with their line ends; the last may have none."""
    return re.findall(rb"[^\n]*\n|[^\n]+", content)


def changed_regions(old: Sequence[bytes], new: Sequence[bytes]) -> tuple[Region, ...]:
    """Where two lists of lines differ, top to bottom; regions never touch each other."""
    matches = [Match(0, 0, 0), *_matches(old, new), Match(len(old), len(new), 0)]
    regions = (Region(a.old + a.size, b.old, a.new + a.size, b.new) for a, b in pairwise(matches))
    return tuple(
        region for region in regions if region.old_start < region.old_stop or region.new_start < region.new_stop
    )


def _matches(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[Match]:
    shorter = min(len(old), len(new))
    head = next((i for i in range(shorter) if old[i] != new[i]), shorter)
    tail = next((i for i in range(shorter - head) if old[-1 - i] != new[-1 - i]), shorter - head)
    yield Match(0, 0, head)
    old_stop, new_stop = len(old) - tail, len(new) - tail
    i, j = head, head
    for anchor in (*_anchors(old, new, head, old_stop, new_stop), Match(old_stop, new_stop, tail)):
        for match in _between(old[i : anchor.old], new[j : anchor.new]):
            yield Match(i + match.old, j + match.new, match.size)
        yield anchor
        i, j = anchor.old + anchor.size, anchor.new + anchor.size


def _anchors(old: Sequence[bytes], new: Sequence[bytes], start: int, old_stop: int, new_stop: int) -> Iterator[Match]:
    """Lines that occur once on each side, as many of them as keep their order."""
    once_old = {line for line, count in Counter(old[start:old_stop]).items() if count == 1}
    once_new = {line for line, count in Counter(new[start:new_stop]).items() if count == 1}
    place = {line: j for j, line in enumerate(new[start:new_stop], start) if line in once_new and line in once_old}
    pairs = [(i, place[line]) for i, line in enumerate(old[start:old_stop], start) if line in place]
    for k in _longest_increasing([j for _, j in pairs]):
        yield Match(*pairs[k], 1)


def _longest_increasing(values: Sequence[int]) -> list[int]:
    """Indices of a longest increasing subsequence, by patience sorting."""
    tops: list[int] = []  # value on top of each pile
    piles: list[int] = []  # its index
    below: list[int] = []  # for each value, the index of the top of the pile to its left
    for k, value in enumerate(values):
        pile = bisect_left(tops, value)
        below.append(piles[pile - 1] if pile else -1)
        tops[pile : pile + 1] = [value]
        piles[pile : pile + 1] = [k]
    chosen: list[int] = []
    k = piles[-1] if piles else -1
    while k >= 0:
        chosen.append(k)
        k = below[k]
    return chosen[::-1]


def _between(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[Match]:
    if len(old) * len(new) <= LARGE:
        for match in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
            if match.size:
                yield Match(match.a, match.b, match.size)
