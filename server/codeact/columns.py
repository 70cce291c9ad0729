"""What a text table is made of, in words for a model: how to read it, and what its columns hold."""

import csv
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import PurePosixPath

LINES = (".jsonl", ".ndjson")
SEPARATORS = (",", ";", "\t", "|")
SHOWN_ROWS = 3
MAX_ROWS = 2000
MAX_KINDS = 8
MAX_COLUMNS = 30
CELL = 40
MAX_ODD = 3
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ][\d:.+Z-]+)?")
COMMA_NUMBER = re.compile(r"[+-]?\d+(?:\.\d{3})*,\d+")


def describe_table(path: str, text: str, *, plain: bool = False) -> str:
    """A table's size, separator, first rows and columns.

    Args:
        path: its name, for the sentence that tells how to read it.
        text: its content, with a header line.
        plain: to be read with the standard library, not with pandas.
    """
    lines = text.splitlines()
    how = f"read_rows({path!r})" if plain else reading(path, text)
    described = [f"  {name}: {_describe(column)}" for name, column in read_columns(text).items()][:MAX_COLUMNS]
    head = "\n".join(line[:160] for line in lines[: SHOWN_ROWS + 1])
    return f"{path} ({len(lines) - 1} rows; read it with {how}) begins:\n{head}\nIts columns:\n" + "\n".join(described)


def describe_records(path: str, text: str, *, plain: bool = False) -> str:
    """What JSON lines, or a JSON list of objects without lists in them, hold, as a table; empty for other texts.

    Args:
        path: its name, for the sentence that tells how to read it.
        text: its content.
        plain: to be read with the standard library, not with pandas.
    """
    records = _read_records(path, text)
    if not records:
        return ""
    rows = [_flatten(record) for record in records[:MAX_ROWS]]
    names = list(dict.fromkeys(name for row in rows for name in row))[:MAX_COLUMNS]
    described = [
        f"  {_shown(name, plain=plain)}: {_describe([_cell(row.get(name)) for row in rows])}" for name in names
    ]
    head = "\n".join(json.dumps(record)[:160] for record in records[:SHOWN_ROWS])
    how = f"read_rows({path!r})" if plain else reading(path, text)
    told = f"{path} ({len(records)} records; read it with {how})"
    return f"{told} begins:\n{head}\nIts columns:\n" + "\n".join(described)


def reading(path: str, text: str) -> str:
    """The expression that reads a table with pandas; empty for what is no table."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in (".xlsx", ".xls"):
        return f"pandas.read_excel({path!r})"
    if suffix in (".csv", ".tsv"):
        return f"pandas.read_csv({path!r}{_options(text)})" if text.strip() else ""
    records = _read_records(path, text)
    if not records:
        return ""
    lines = suffix in LINES
    if any(isinstance(value, dict) for record in records for value in record.values()):
        listed = f"[json.loads(line) for line in open({path!r})]" if lines else f"json.load(open({path!r}))"
        return f"pandas.json_normalize({listed})"
    return f"pandas.read_json({path!r}{', lines=True' if lines else ''})"


def _options(text: str) -> str:
    """What pandas.read_csv needs to be told of a text table beside its path, as arguments."""
    columns = read_columns(text)
    separator = _find_separator(text.splitlines())
    dates = [name for name, column in columns.items() if _is_all(DATE, column)]
    options = f", sep={separator!r}" if separator != "," else ""
    options += ", decimal=','" if any(_is_all(COMMA_NUMBER, column) for column in columns.values()) else ""
    return options + (f", parse_dates={dates}" if dates else "")


def _read_records(path: str, text: str) -> list[dict[str, object]]:
    """The objects of JSON lines or a JSON list; none if it is something else, or lists are among their values."""
    is_lines = PurePosixPath(path).suffix.lower() in LINES
    try:
        records = [json.loads(line) for line in text.splitlines() if line.strip()] if is_lines else json.loads(text)
    except (ValueError, RecursionError):
        return []
    if not (isinstance(records, list) and all(isinstance(record, dict) for record in records)):
        return []
    return [] if any(isinstance(value, list) for record in records for value in record.values()) else records


def _flatten(record: Mapping[str, object]) -> dict[str, object]:
    """A record as pandas.json_normalize makes it: inner objects become columns with a dotted name."""
    flat: dict[str, object] = {}
    for name, value in record.items():
        inner = _flatten(value) if isinstance(value, dict) else None
        flat.update({name: value} if inner is None else {f"{name}.{key}": one for key, one in inner.items()})
    return flat


def _shown(name: str, *, plain: bool) -> str:
    """A column as the code names it."""
    return "row" + "".join(f"[{part!r}]" for part in name.split(".")) if plain and "." in name else name


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def find_joins(tables: Mapping[str, str]) -> tuple[str, ...]:
    """How tables belong together, as calls of pandas.merge: a column whose values are all keys of another table.

    Args:
        tables: text tables by path.
    """
    read = {path: read_columns(text) for path, text in tables.items()}
    found = []
    for (one, columns), (other, keys) in permutations(read.items(), 2):
        for name, values in columns.items():
            for key, known in keys.items():
                is_key = len(set(known)) == len(known) > 1 and (name == key or _names(name, other, key))
                if is_key and values and set(values) <= set(known) and len(set(values)) < len(values):
                    how = f"on={name!r}" if name == key else f"left_on={name!r}, right_on={key!r}"
                    found.append(f"{name} of {one} is {key} of {other}: pandas.merge(LEFT, RIGHT, {how})")
    return tuple(found)


def _names(column: str, path: str, key: str) -> bool:
    """Whether a column's name says that it is the key of a table: `customer_id`, of customers.csv."""
    table = PurePosixPath(path).stem.lower().rstrip("s")
    return table in column.lower() or column.lower().endswith(f"_{key.lower()}")


def read_columns(text: str) -> dict[str, list[str]]:
    """The columns of a text table by name, as far as its rows are complete."""
    lines = text.splitlines()
    rows = list(csv.reader(lines[: MAX_ROWS + 1], delimiter=_find_separator(lines)))
    header, body = (rows[0], rows[1:]) if rows else ([], [])
    return {name: [row[at].strip() for row in body if len(row) == len(header)] for at, name in enumerate(header)}


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
    if _is_all(DATE, filled):
        return f"dates from {min(filled)} to {max(filled)}{empty}"
    return _describe_texts(filled) + empty


def _describe_texts(values: Sequence[str]) -> str:
    others = [value for value in values if not NUMBER.fullmatch(value)]
    if len(others) * 3 < len(values):
        return f"numbers, but also {', '.join(repr(value[:CELL]) for value in dict.fromkeys(others[:MAX_ODD]))}"
    kinds = Counter(values)
    if len(kinds) <= MAX_KINDS and len(kinds) < len(values):
        return f"one of {', '.join(kind[:CELL] for kind, _ in kinds.most_common())}"
    return f"text such as {values[0][:CELL]}"


def _is_all(pattern: re.Pattern[str], values: Sequence[str]) -> bool:
    return bool(values) and all(pattern.fullmatch(value) for value in values if value)
