"""What a small model's script may use for its files: functions that are written into the script where it uses them.

What small models get wrong in a script is seldom its idea: they forget a folder, an encoding, a missing value, a
separator. The docstrings are what a model is told.
"""

import configparser
import csv
import io
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from codeact_sandbox.toolbox import comments_of, links_of


def read_text(path: str | Path) -> str:
    """The text of a file."""
    return Path(path).read_text(encoding="utf-8-sig")


def read_lines(path: str | Path) -> list[str]:
    """The lines of a text file as a list, without line ends."""
    return Path(path).read_text(encoding="utf-8-sig").splitlines()


def add_header(lines: list[str], header: list[str]) -> list[str]:
    """The lines with a header at their top, where a shebang line stays first; the same where it is there already."""
    if any(lines[at : at + len(header)] == header for at in range(len(lines))):
        return lines
    first = 1 if lines and lines[0].startswith("#!") else 0
    return [*lines[:first], *header, *lines[first:]]


def write_text(path: str | Path, text: str) -> None:
    """Write a text file, and its folder if there is none."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(text.encode("utf-8"))
    print(f"wrote {path}")


def read_rows(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a .csv, .tsv, .json, .jsonl or .xml file, as a list of dictionaries.

    All have all keys, with "" where a row has no value. What comes from .csv and .xml is text.
    """
    path = Path(path)
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".json":
        value = json.loads(text)
        rows = value if isinstance(value, list) else [value]
    elif path.suffix in (".jsonl", ".ndjson"):
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    elif path.suffix == ".xml":
        root = ET.fromstring(text)  # noqa: S314 - a script's own project
        parents = [element for element in root.iter() if len({one.tag for one in element}) == 1]
        elements = max(parents, key=len, default=())  # most often repeated
        rows = [{**element.attrib, **{one.tag: (one.text or "").strip() for one in element}} for element in elements]
    else:
        separator = max(",;\t|", key=text.partition("\n")[0].count)
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, restval=""))
    keys = dict.fromkeys(key for row in rows for key in row)
    return [{key: row.get(key, "") for key in keys} for row in rows]


def headings_of(text: str) -> list[tuple[int, str]]:
    """The headings of a Markdown text, each with its level: 1 for `# Title`, 2 for `## Part`."""
    bare = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.DOTALL | re.MULTILINE)
    return [(len(marks), title) for marks, title in re.findall(r"^(#{1,6})[ \t]+(.+?)[ \t#]*$", bare, re.MULTILINE)]


def tags_of(path: str | Path, tag: str) -> list[dict[str, Any]]:
    """The tags of one kind in an HTML file, such as "img", as dictionaries of their attributes and the line."""
    found: list[tuple[str, dict[str, Any]]] = []
    parser = HTMLParser()
    keep = lambda name, pairs: found.append((name, {"line": parser.getpos()[0], **dict(pairs)}))  # noqa: E731 - short
    setattr(parser, "handle_starttag", keep)  # noqa: B010 - one method is no class
    parser.feed(Path(path).read_text(encoding="utf-8-sig"))
    return [attributes for name, attributes in found if name == tag]


def read_ini(path: str | Path) -> dict[str, dict[str, str]]:
    """The sections of an .ini or .cfg file, each a dictionary of texts."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(Path(path).read_text(encoding="utf-8-sig"))
    return {name: dict(parser[name]) for name in parser.sections()}


def totals_of(rows: Iterable[dict[str, Any]], by: str, of: str = "") -> dict[Any, float]:
    """The sum of the numbers in a column for each value of another, as a dictionary; without `of` it counts rows."""
    rows = list(rows)
    found: dict[Any, float] = {}
    if of and not any(of in row for row in rows):
        raise KeyError(f"{of} is in no row: the first is {rows[:1]}. Rows are counted without `of`")
    for row in rows:
        number = float(row[of] or 0) if of else 1
        found[row[by]] = round(found.get(row[by], 0) + number, 9)
    return {name: int(total) if total == int(total) else total for name, total in found.items()}


def groups_of(rows: Iterable[dict[str, Any]], *columns: str) -> dict[Any, list[dict[str, Any]]]:
    """The rows in groups: a list of them for each value of a column; of several columns, for each tuple of values."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        key = row[columns[0]] if len(columns) == 1 else tuple(row[name] for name in columns)
        found.setdefault(key, []).append(row)
    return found


def as_rows(rows: Iterable[Any] | dict[str, Any], columns: Sequence[str] = ()) -> list[dict[str, Any]]:
    """A list of dictionaries, from one, from pairs of keys and values, or from lists of cells."""
    if isinstance(rows, dict):
        is_pairs = len(columns) == 2 and not set(columns) & set(rows)  # noqa: PLR2004
        rows = rows.items() if is_pairs else [rows]
    rows = [dict(zip(columns, row)) if columns and isinstance(row, (list, tuple)) else row for row in rows]  # noqa: B905
    if other := [row for row in rows if not isinstance(row, dict)]:
        raise TypeError(f"rows must be dictionaries, and one is {other[0]!r}")
    return rows


def write_rows(path: str | Path, rows: Iterable[Any] | dict[str, Any], columns: Sequence[str] = ()) -> None:
    """Write a list of dictionaries to a .csv, .tsv, .json or .jsonl file, and its folder if there is none.

    Without columns, it has all keys of the rows. With two columns, it takes a dictionary of totals, too.
    """
    path, rows = Path(path), as_rows(rows, columns)
    begun = write_rows.__dict__.setdefault("begun", set())
    if path in begun:
        raise ValueError(f"{path} was written before: gather all its rows in one list, then write them once")
    begun.add(path)
    known = list(dict.fromkeys(key for row in rows for key in row))
    columns = list(columns) or known
    if unknown := [name for name in columns if name not in known]:
        raise KeyError(f"no row has {', '.join(unknown)}; the first row is {rows[:1]}")
    picked = [{name: row.get(name, "") for name in columns} for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".json":
            file.write(json.dumps(picked, indent=2, ensure_ascii=False) + "\n")
        elif path.suffix in (".jsonl", ".ndjson"):
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in picked)
        else:
            separator = "\t" if path.suffix == ".tsv" else ","
            writer = csv.DictWriter(file, columns, delimiter=separator, lineterminator="\n")
            writer.writeheader()
            writer.writerows(picked)
    print(f"wrote {path}: {len(picked)} rows")


def read_database(path: str | Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table of an SQLite file, as lists of dictionaries by the table's name."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        names = [row["name"] for row in connection.execute(query)]
        quoted = {name: '"' + name.replace('"', '""') + '"' for name in names}
        return {name: [dict(row) for row in connection.execute(f"SELECT * FROM {quoted[name]}")] for name in names}  # noqa: S608 - quoted


def write_table(
    database: str | Path, table: str, rows: Iterable[Any] | dict[str, Any], columns: Sequence[str] = ()
) -> None:
    """Add a list of dictionaries to a table of an SQLite file, which is made; without columns, it has all their keys.

    What a table had before the script ran is replaced.
    """
    rows = as_rows(rows, columns)
    columns = list(columns) or list(dict.fromkeys(key for row in rows for key in row))
    names = ", ".join('"' + name.replace('"', '""') + '"' for name in columns)
    target = '"' + table.replace('"', '""') + '"'
    begun = write_table.__dict__.setdefault("begun", set())
    Path(database).parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(database)) as connection, connection:
        if (str(database), table) not in begun:
            connection.execute(f"DROP TABLE IF EXISTS {target}")
            connection.execute(f"CREATE TABLE {target} ({names})")
        begun.add((str(database), table))
        values = [[row.get(name) for name in columns] for row in rows]
        marks = ", ".join("?" for _ in columns)
        connection.executemany(f"INSERT INTO {target} ({names}) VALUES ({marks})", values)  # noqa: S608 - quoted above
    print(f"wrote table {table} of {database}: {len(rows)} rows")


KIT: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        read_text, read_lines, add_header, write_text, read_rows, as_rows, write_rows, read_ini, totals_of, groups_of,
        read_database, write_table, headings_of, tags_of, links_of, comments_of,
    )
}  # fmt: skip
