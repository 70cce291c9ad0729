"""What a good colleague adds to a traceback: values where it failed, and what was probably meant.

Every line is a guess made from the objects at hand, so each is short and none may fail or run code that matters:
`repr` of a broken object is caught, and long values are cut.
"""

from __future__ import annotations

import difflib
import os
import reprlib
from types import FrameType, TracebackType
from typing import Any

MAX_VALUES = 8
MAX_NAMES = 12
SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = 80
SKIPPED = frozenset({".git", "__pycache__", ".venv", "venv", "node_modules"})


def explain(error: BaseException, traceback: TracebackType | None) -> str:
    """Lines to put below the traceback; empty if nothing helps."""
    try:
        lines = [*_near_misses(error, _innermost(traceback)), *_values(_innermost(traceback))]
    except Exception:  # noqa: BLE001 - objects of the code under test may do anything
        return ""
    return "\n".join(lines)


def _innermost(traceback: TracebackType | None) -> FrameType | None:
    """The last frame that is the action's or the project's, not a library's."""
    chosen = None
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file.startswith("<action") or (file.startswith(os.getcwd() + os.sep) and "site-packages" not in file):
            chosen = traceback.tb_frame
        traceback = traceback.tb_next
    return chosen


def _near_misses(error: BaseException, frame: FrameType | None) -> list[str]:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return [
            f"Hint: the package {error.name} is not installed here. Use what is installed, or the standard library."
        ]
    if isinstance(error, NameError) and error.name:
        names = [*(frame.f_locals if frame else ()), *(frame.f_globals if frame else ())]
        return _meant(error.name, names, "names")
    if isinstance(error, AttributeError) and error.name:
        return _meant(error.name, [name for name in dir(error.obj) if not name.startswith("_")], "attributes")
    if isinstance(error, KeyError) and error.args:
        return _keys(error.args[0], frame)
    if isinstance(error, FileNotFoundError) and error.filename:
        return _files(os.fsdecode(error.filename))
    return []


def _meant(wrong: str, names: list[str], what: str) -> list[str]:
    near = difflib.get_close_matches(wrong, names, n=3, cutoff=0.6)
    if near:
        return [f"Hint: there is no {wrong!r}; near are: {', '.join(near)}"]
    known = [name for name in names if not name.startswith("_")][:MAX_NAMES]
    return [f"Hint: there is no {wrong!r}; some {what} there are: {', '.join(known)}"] if known else []


def _keys(wrong: object, frame: FrameType | None) -> list[str]:
    """What keys the mappings in sight have: dicts, and the columns of tables."""
    found = []
    for name, value in frame.f_locals.items() if frame else ():
        if name.startswith("_"):
            continue
        keys = list(getattr(value, "columns", ())) if hasattr(value, "columns") else None
        if isinstance(value, dict) and value is not frame.f_globals:  # type: ignore[union-attr]  # there are locals
            keys = list(value)
        if keys and wrong not in keys:
            found.append(f"Hint: {name} has the keys {SHORT.repr(keys[:MAX_NAMES])[:300]}{_apart(keys)}")
    return found[:3]


def _apart(keys: list[object]) -> str:
    """What to do about columns that were not told apart."""
    only = keys[0] if len(keys) == 1 and isinstance(keys[0], str) else ""
    separator = next((one for one in (";", "\t", "|", ",") if one in only), "")
    return f". They are one: read the file with sep={separator!r}" if separator else ""


def _files(wrong: str) -> list[str]:
    """Where a file of that name, or a near one, is in the project."""
    paths = []
    for folder, folders, names in os.walk("."):
        folders[:] = [name for name in folders if name not in SKIPPED]
        paths += [os.path.normpath(os.path.join(folder, name)) for name in names]
        if len(paths) > 5000:  # noqa: PLR2004 - enough to guess from
            break
    same = [path for path in paths if os.path.basename(path) == os.path.basename(wrong)]
    near = same or difflib.get_close_matches(wrong, paths, n=3, cutoff=0.5)
    return [f"Hint: there is no {wrong}; near are: {', '.join(near[:3])}"] if near else []


def _table(table: Any) -> str:  # noqa: ANN401 - pandas is not there when this is type-checked
    """A table's columns with what is in its first row: where types go wrong is seen there."""
    if not len(table):
        return f"an empty table with columns {list(table.columns)}"
    first = table.iloc[0]
    return "a table, first row: " + ", ".join(f"{name!r}: {first[name]!r}" for name in list(table.columns)[:MAX_NAMES])


def _values(frame: FrameType | None) -> list[str]:
    """The plain variables where it failed."""
    if frame is None:
        return []
    plain = (int, float, str, bytes, list, tuple, dict, set, bool)
    found = []
    for name, value in list(frame.f_locals.items()):
        is_named = not name.startswith("_") and (isinstance(value, plain) or hasattr(value, "columns"))
        if is_named and name in frame.f_code.co_names + frame.f_code.co_varnames:
            shown = _table(value) if hasattr(value, "columns") else SHORT.repr(value)
            found.append(f"  {name} = {shown[:300]}")
    return ["Values where it failed:", *found[-MAX_VALUES:]] if found else []
