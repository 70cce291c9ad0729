"""What an attempt at a question or a script amounts to, so that attempts which found out the same can be counted.

Words differ from one answer to the next though the findings are the same. What counts is what cannot be said in
another way: numbers, names that the workspace's files have, the points of a chart, and what became of files.
"""

import csv
import hashlib
import json
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from codeact.snapshot import Snapshot, list_files, read_file
from codeact.trajectory import FileState, Step

DIGITS = 4  # that numbers are compared by: answers round as they like
WORD = re.compile(r"[^\W\d_][\w@./:-]*[^\W_]|[^\W\d_]")
NUMBER = re.compile(r"(?<![\w.])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w])|(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])")
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".pdf", ".html"})  # drawn in many ways
MAX_READ = 200_000
MAX_FILES = 300


def essence_of(steps: Sequence[Step], files: Mapping[str, FileState | None], names: Collection[str]) -> str:
    """What steps have brought: files and the points of charts; without either, the findings in what was printed.

    Args:
        steps: of one attempt.
        files: what the attempt has changed, by path.
        names: words that matter in an answer, as `names_in` finds them.
    """
    artifacts = [made for step in steps for made in step.observation.artifacts]
    charts = [made.data for made in artifacts if made.media_type == "text/csv" and made.name.startswith("figure-")]
    kept = {path: state for path, state in files.items() if PurePosixPath(path).suffix.lower() not in PICTURES}
    points = sorted(point for data in charts for point in _points(data.decode("utf-8", "replace")))
    printed = "\n".join(step.observation.stdout or step.observation.value for step in steps)
    said = [] if points or kept else sorted(findings(printed, names))
    return json.dumps([points, _digests(kept), said])


def findings(text: str, names: Collection[str]) -> set[str]:
    """The numbers of a text, rounded, and those of its words that matter."""
    numbers = {_rounded(found.replace(",", "")) for found in NUMBER.findall(text)}
    return numbers | {word for word in WORD.findall(text) if word in names}


def names_in(snapshot: Snapshot, question: str) -> frozenset[str]:
    """The words of a workspace's texts and paths that the question does not have: what an answer may name."""
    asked = set(WORD.findall(question))
    found: set[str] = set()
    for path in list_files(snapshot)[:MAX_FILES]:
        found.update((path, PurePosixPath(path).name))
        state = read_file(snapshot, path)
        if state and len(state.content) <= MAX_READ and b"\0" not in state.content[:1024]:
            found.update(WORD.findall(state.content.decode("utf-8", "replace")))
    return frozenset(found - asked)


def _points(data: str) -> Iterator[str]:
    """A chart's numbers, without how they are drawn: a month may be called 3, March or 2024-03."""
    for row in csv.DictReader(data.splitlines()):
        yield _rounded(row.get("y") or "")


def _digests(files: Mapping[str, FileState | None]) -> Iterable[tuple[str, str]]:
    return [(path, hashlib.sha256(state.content).hexdigest() if state else "") for path, state in sorted(files.items())]


def _rounded(text: str) -> str:
    """A number's first digits; other texts as they are."""
    try:
        value = float(text)
    except ValueError:
        return text
    return f"{value:.{DIGITS}g}" if math.isfinite(value) else text
