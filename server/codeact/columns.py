"""What a text table is made of, in words for a model: how to read it, and what its columns hold."""

import csv
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
MAX_AROUND = 3  # keys of an object that is only there to hold a list
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
    """What JSON lines, a list of JSON objects, or an object with one such list hold, as a table; empty for other texts.

    Args:
        path: its name, for the sentence that tells how to read it.
        text: its content.
        plain: to be read with the standard library, not with pandas; then of a list that is not within an object.
    """
    found = _read_records(path, text)
    if found is None or (plain and (found.inner or found.outer)):
        return ""
    names = list(dict.fromkeys(name for row in found.rows for name in row))[:MAX_COLUMNS]
    described = [
        f"  {_shown(name, plain=plain)}: {_describe([_cell(row.get(name)) for row in found.rows])}" for name in names
    ]
    head = "\n".join(json.dumps(record)[:160] for record in found.records[:SHOWN_ROWS])
    how = f"read_rows({path!r})" if plain else reading(path, text)
    told = f"{path} ({len(found.records)} records; read it with {how})"
    return f"{told} begins:\n{head}\nIts columns:\n" + "\n".join(described)


def reading(path: str, text: str) -> str:
    """The expression that reads a table with pandas; empty for what is no table."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in (".xlsx", ".xls"):
        return f"pandas.read_excel({path!r})"
    if suffix in (".csv", ".tsv"):
        return f"pandas.read_csv({path!r}{_options(text)})" if text.strip() else ""
    found = _read_records(path, text)
    if found is None:
        return ""
    is_lines = suffix in LINES
    listed = f"[json.loads(line) for line in open({path!r})]" if is_lines else f"json.load(open({path!r}))"
    listed += f"[{found.outer!r}]" if found.outer else ""
    if found.inner:
        prefix = f", record_prefix={found.prefix!r}" if found.prefix else ""
        return f"pandas.json_normalize({listed}, {found.inner!r}, {list(found.meta)}{prefix}, errors='ignore')"
    if found.outer or any(isinstance(value, dict) for record in found.records for value in record.values()):
        return f"pandas.json_normalize({listed})"
    return f"pandas.read_json({path!r}{', lines=True' if is_lines else ''})"


def column_names(path: str, text: str) -> list[str]:
    """The columns of the table that `reading` reads, as far as they can be told."""
    if path.endswith((".csv", ".tsv")):
        return list(read_columns(text))
    found = _read_records(path, text)
    return list(dict.fromkeys(name for row in found.rows for name in row)) if found else []


def _options(text: str) -> str:
    """What pandas.read_csv needs to be told of a text table beside its path, as arguments."""
    columns = read_columns(text)
    separator = _find_separator(text.splitlines())
    dates = [name for name, column in columns.items() if _is_all(DATE, column)]
    options = f", sep={separator!r}" if separator != "," else ""
    options += ", decimal=','" if any(_is_all(COMMA_NUMBER, column) for column in columns.values()) else ""
    return options + (f", parse_dates={dates}" if dates else "")


@dataclass(frozen=True)
class Records:
    """The objects of a JSON text.

    Attributes:
        records: each object.
        outer: the key under which the list of them stands, if it is within an object.
        inner: the key under which each has a list of objects; each of those is a row then.
        meta: the other keys, which each row gets.
        prefix: what stands before an inner object's keys, where they would be the same as the others.
    """

    records: list[dict[str, object]]
    outer: str = ""
    inner: str = ""
    meta: tuple[str, ...] = ()
    prefix: str = ""

    @property
    def rows(self) -> list[dict[str, object]]:
        """The first rows of the table."""
        if not self.inner:
            return [_flatten(record) for record in self.records[:MAX_ROWS]]
        pairs = [(record, one) for record in self.records for one in _objects(record[self.inner])]
        return [
            {**{f"{self.prefix}{name}": value for name, value in _flatten(one).items()},
             **{name: record.get(name) for name in self.meta}}
            for record, one in pairs[:MAX_ROWS]
        ]  # fmt: skip


def _read_records(path: str, text: str) -> Records | None:
    """The objects of a JSON text; None if it holds something else, or more than one list in each."""
    is_lines = PurePosixPath(path).suffix.lower() in LINES
    try:
        value = [json.loads(line) for line in text.splitlines() if line.strip()] if is_lines else json.loads(text)
    except (ValueError, RecursionError):
        return None
    outer = ""
    if isinstance(value, dict):
        lists = [name for name, part in value.items() if _objects(part)]
        if len(lists) != 1 or len(value) > MAX_AROUND:
            return None
        outer = lists[0]
        value = value[outer]
    if not _objects(value):
        return None
    with_lists = {name for record in value for name, part in record.items() if isinstance(part, list)}
    if not with_lists:
        return Records(value, outer)
    inner = with_lists.pop()
    parts = [record.get(inner) for record in value]
    if with_lists or not all(part == [] or _objects(part) for part in parts) or not any(parts):
        return None
    meta = tuple(dict.fromkeys(name for record in value for name, part in record.items()
                               if name != inner and not isinstance(part, dict)))  # fmt: skip
    same = {name for part in parts for one in part for name in one} & set(meta)
    return Records(value, outer, inner, meta, f"{inner}." if same else "")


def _objects(value: object) -> list[dict[str, object]]:
    """A list of objects; nothing if it is something else."""
    return value if isinstance(value, list) and all(isinstance(one, dict) for one in value) else []


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


def is_numbers(values: Sequence[str]) -> bool:
    """Whether all values that there are are numbers as Python writes them."""
    return any(values) and _is_all(NUMBER, values)


def _is_all(pattern: re.Pattern[str], values: Sequence[str]) -> bool:
    return bool(values) and all(pattern.fullmatch(value) for value in values if value)
