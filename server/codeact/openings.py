"""How a small model's code about tables begins: with those that the question is about, read into one.

Which file is meant, how it is read and how tables belong together can be told without a model, and a small one gets
each wrong now and then.
"""

import re
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from codeact.columns import column_names, find_joins, reading
from codeact.filesets import named_folder
from codeact.logs import log_columns
from codeact.surroundings import is_named

ABOUT_CODE = re.compile(r"\b(?:function|import|module)(?:s|ed)?\b", re.IGNORECASE)
WIDTH = 110


def table_opening(question: str, tables: Mapping[str, str], *, chart: bool = False) -> str:
    """The imports, the question as a comment, and the table; empty if it cannot be told which is meant.

    Args:
        question: the developer's words.
        tables: the texts of all files that may hold tables, by path; empty for those that are no text.
        chart: whether a chart is asked for.
    """
    if ABOUT_CODE.search(question):
        return ""
    read = _read_all(question, {path: text for path, text in tables.items() if reading(path, text)})
    read = read or _read_logs(question, {path: text for path, text in tables.items() if path.endswith(".log")})
    if not read:
        return ""
    imports = ["import json"] * ("json." in read) + ["import matplotlib.pyplot as plt"] * chart
    imports += ["import pandas as pd"] * ("pd." in read) + ["from pathlib import Path"] * ("Path(" in read)
    asked = textwrap.wrap(" ".join(question.split()), WIDTH, initial_indent="# ", subsequent_indent="# ")
    return "\n".join([*imports, *[""] * bool(imports), *asked, read]) + "\n"


def _read_all(question: str, tables: Mapping[str, str]) -> str:
    """The lines that read what a question is about into `table`, and say what it has; empty if that cannot be told."""
    named = {path: text for path, text in tables.items() if is_named(path, question)}
    folder = named_folder(list(tables), question)
    chosen = named or {path: text for path, text in tables.items() if not folder or path.startswith(f"{folder}/")}
    how = {path: reading(path, text).replace("pandas.", "pd.") for path, text in chosen.items()}
    columns = {path: column_names(path, text) for path, text in chosen.items()}
    if len(chosen) == 1:
        [(path, call)] = how.items()
        return f"{_about(columns[path])}table = {call}"
    if not all(path.endswith((".csv", ".tsv")) for path in chosen):
        return ""
    calls = {call.replace(repr(path), "path") for path, call in how.items()}
    places = {(PurePosixPath(path).parent, PurePosixPath(path).suffix) for path in chosen}
    if not named and len(calls) == len(places) == len(set(map(tuple, columns.values()))) == 1:
        [(place, suffix)], [call], [header, *_] = places, calls, columns.values()
        listed = f'sorted(Path("{place}").glob("*{suffix}"))'
        return f"{_about([*header, 'file'])}table = pd.concat([{call}.assign(file=path.stem) for path in {listed}])"
    joins = find_joins(chosen) if len(chosen) == 2 else ()  # noqa: PLR2004 - a pair
    if len(joins) != 1:
        return ""
    which, _, merge = joins[0].replace("pandas.", "pd.").partition(": ")
    left, right = sorted(chosen, key=lambda path: not which.partition(" is ")[0].endswith(f" of {path}"))
    merged = merge.replace("LEFT, RIGHT", "left, right")
    about = _about(dict.fromkeys([*columns[left], *columns[right]]))
    return f"{about}left = {how[left]}\nright = {how[right]}\ntable = {merged}"


def _read_logs(question: str, logs: Mapping[str, str]) -> str:
    """The lines that read the log that is named, or all there are, into `table`; empty if their lines are not alike."""
    chosen = {path: text for path, text in logs.items() if is_named(path, question)} or dict(logs)
    folders = {PurePosixPath(path).parent for path in chosen}
    found = log_columns("\n".join(chosen.values())) if len(folders) == 1 else None
    if found is None:
        return ""
    [place], names = folders, list(found.names)
    listed = f'sorted(Path("{place}").glob("*.log"))' if len(chosen) == len(logs) else f"{sorted(chosen)}"
    lines = f"for path in {listed} for line in open(path)"
    lines = lines if len(chosen) > 1 else f"for line in open({next(iter(chosen))!r})"
    read = f"{_about(names)}table = pd.DataFrame([line.strip(){found.split} {lines}], columns={names})"
    numbers = [(name, f".str.replace({unit!r}, '')" if unit else "") for name, unit in found.units.items()]
    made = [f"table[{name!r}] = pd.to_numeric(table[{name!r}]{bare}, errors='coerce')" for name, bare in numbers]
    return "\n".join([read, *made])


def _about(columns: Iterable[str]) -> str:
    """A comment on the columns that a table has; empty for none."""
    return f"# The columns of table are {', '.join(columns)}.\n" if columns else ""
