"""Logs as tables: what the parts of their lines are, by how they look.

Small models miscount the parts of a line, and forget that "250ms" is no number.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_LINES = 2000
MAX_COLUMNS = 12
MOST = 0.98  # of the lines that have to look alike; the others are left out
KINDS = {
    "date": re.compile(r"\[?\d{4}-\d\d-\d\d\]?"),
    "time": re.compile(r"\[?\d{4}-\d\d-\d\dT[\d:.,]+(?:Z|[+-][\d:]+)?\]?|\[?\d\d?:\d\d(?::\d\d)?(?:[.,]\d+)?\]?"),
    "method": re.compile(r"\"?(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)"),
    "level": re.compile(r"\W?(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\W?", re.IGNORECASE),
    "path": re.compile(r"/\S*"),
    "status": re.compile(r"[1-5]\d\d"),
    "client": re.compile(r"\d{1,3}(?:\.\d{1,3}){3}"),
}
MEASURE = re.compile(r"\d+(?:\.\d+)?(ms|s|us|kB|KB|MB|B|%)")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
NAMED = re.compile(r"([A-Za-z]\w*)[=:]\S+")
NUMBERED = re.compile(r"([A-Za-z]+)[-_#]?\d+:?")


@dataclass(frozen=True)
class LogColumns:
    """What the lines of a log are made of.

    Attributes:
        names: of its parts, in order; the last may be a message of several words.
        units: what stands before or behind the number in a part that holds one, by its name.
    """

    names: tuple[str, ...]
    units: Mapping[str, str]

    @property
    def split(self) -> str:
        """The call that takes a line apart, after the line."""
        return f".split(None, {len(self.names) - 1})"

    def first(self, line: str) -> dict[str, str]:
        """A line, taken apart."""
        return dict(zip(self.names, line.strip().split(None, len(self.names) - 1), strict=False))


def log_columns(text: str) -> LogColumns | None:
    """What the lines of a log are made of; None if they are not alike.

    Args:
        text: of the log; its first 2,000 lines are looked at.
    """
    rows = [line.split() for line in text.splitlines()[:MAX_LINES] if line.strip()]
    if len(rows) < 2:  # noqa: PLR2004 - one line is like itself
        return None
    width = sorted(map(len, rows))[int((1 - MOST) * len(rows))]
    rows = [row for row in rows if len(row) >= width]
    names: list[str] = []
    units: dict[str, str] = {}
    for at in range(min(width, MAX_COLUMNS)):
        parts = [row[at] for row in rows]
        name, unit = _kind(parts)
        if not name and len(set(map(len, rows))) > 1:
            break
        name = _unlike(name or f"part{at + 1}", names)
        names.append(name)
        units |= {name: unit} if unit is not None else {}
    if not any(not name.startswith("part") for name in names):
        return None
    rest = ["message"] * (len(names) < max(map(len, rows)))
    return LogColumns((*names, *rest), units)


def _kind(parts: Sequence[str]) -> tuple[str, str | None]:
    """What parts of lines are called, and their unit if they are numbers; nothing if they are not alike."""
    for name, pattern in KINDS.items():
        if _are(pattern, parts):
            return name, "" if name == "status" else None
    for pattern in (NAMED, NUMBERED):
        names = {found[1] for part in parts if (found := pattern.fullmatch(part))}
        if len(names) == 1 and _are(pattern, parts):
            [name] = names
            begin = next(part for part in parts if part.startswith(name))[: len(name) + 1]
            is_number = _are(re.compile(rf"{re.escape(begin)}{NUMBER.pattern}"), parts) and not begin[-1:].isdigit()
            return name.lower(), begin if is_number and begin[-1] in "=:" else None
    units = {found[1] for part in parts if (found := MEASURE.fullmatch(part))}
    if len(units) == 1 and _are(MEASURE, parts):
        return next(iter(units)).replace("%", "percent"), next(iter(units))
    return ("number", "") if _are(NUMBER, parts) else ("", None)


def _are(pattern: re.Pattern[str], parts: Sequence[str]) -> bool:
    return sum(pattern.fullmatch(part) is not None for part in parts) >= MOST * len(parts)


def _unlike(name: str, others: Sequence[str]) -> str:
    """A name that no other column has."""
    return name if name not in others else next(f"{name}{at}" for at in range(2, 99) if f"{name}{at}" not in others)
