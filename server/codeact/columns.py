"""What a text table is made of, in words for a model: how to read it, and what its columns hold."""

import csv
import re
from collections import Counter
from collections.abc import Sequence

SEPARATORS = (",", ";", "\t", "|")
SHOWN_ROWS = 3
MAX_ROWS = 2000
MAX_KINDS = 8
MAX_COLUMNS = 30
CELL = 40
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
COMMA_NUMBER = re.compile(r"[+-]?\d+(?:\.\d{3})*,\d+")


def describe_table(path: str, text: str) -> str:
    """A table's size, separator, first rows and columns.

    Args:
        path: its name, for the sentence that tells how to read it.
        text: its content, with a header line.
    """
    lines = text.splitlines()
    separator = _find_separator(lines)
    rows = list(csv.reader(lines[: MAX_ROWS + 1], delimiter=separator))
    header, body = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    columns = [[row[at].strip() for row in body] for at in range(len(header))]
    has_commas = any(_is_all(COMMA_NUMBER, column) for column in columns)
    options = (f", sep={separator!r}" if separator != "," else "") + (", decimal=','" if has_commas else "")
    how = f"pandas.read_csv({path!r}{options})"
    described = [f"  {name}: {_describe(column)}" for name, column in zip(header, columns, strict=True)][:MAX_COLUMNS]
    head = "\n".join(line[:160] for line in lines[: SHOWN_ROWS + 1])
    return f"{path} ({len(lines) - 1} rows; read it with {how}) begins:\n{head}\nIts columns:\n" + "\n".join(described)


def _find_separator(lines: Sequence[str]) -> str:
    """The separator that splits the first lines into the most columns, the same number in each."""
    counts = {one: [len(row) for row in csv.reader(lines[:20], delimiter=one)] for one in SEPARATORS}
    even = {one: sizes[0] for one, sizes in counts.items() if sizes and len(set(sizes)) == 1}
    return max(even, key=lambda one: even[one], default=",") if max(even.values(), default=1) > 1 else ","


def _describe(values: Sequence[str]) -> str:
    """What a column holds: numbers from where to where, a few kinds, or texts such as the first."""
    filled = [value for value in values if value]
    empty = f", {len(values) - len(filled)} empty" if len(filled) < len(values) else ""
    if not filled:
        return "empty"
    if _is_all(NUMBER, filled):
        found = [float(value) for value in filled]
        return f"numbers from {min(found):g} to {max(found):g}{empty}"
    if _is_all(COMMA_NUMBER, filled):
        return f"numbers with a decimal comma, such as {filled[0]}{empty}"
    kinds = Counter(filled)
    if len(kinds) <= MAX_KINDS and len(kinds) < len(filled):
        return f"one of {', '.join(kind[:CELL] for kind, _ in kinds.most_common())}{empty}"
    return f"text such as {filled[0][:CELL]}{empty}"


def _is_all(pattern: re.Pattern[str], values: Sequence[str]) -> bool:
    return bool(values) and all(pattern.fullmatch(value) for value in values if value)
