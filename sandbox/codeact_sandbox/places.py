"""What is worth knowing of an exception: its message in one line, and the places in the workspace it went through."""

from __future__ import annotations

import os
import reprlib
import sys
import traceback
import types
from typing import Any

MAX_TEXT = 4096
MAX_MESSAGE = 400
MAX_VALUE = 80
MAX_VALUES = 8
MAX_FRAMES = 20
LONG = 50  # containers with more elements are not shown by their own repr, which may take seconds

_SHORT = reprlib.Repr()
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = _SHORT.maxset = _SHORT.maxfrozenset = _SHORT.maxdeque = 12
_SHORT.maxstring = _SHORT.maxother = MAX_VALUE


class Places:
    """Tells which code is the workspace's own."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip(os.sep) + os.sep
        self.known: dict[str, str] = {}

    def inside(self, file: str) -> str:
        """The path relative to the workspace; empty for other code, as that of a virtual environment in it."""
        if file not in self.known:
            self.known[file] = self._inside(file)
        return self.known[file]

    def _inside(self, file: str) -> str:
        full = os.path.normpath(os.path.join(self.root, file))
        prefixes = [prefix + os.sep for prefix in (sys.prefix, sys.base_prefix) if prefix + os.sep != self.root]
        if not full.startswith(self.root) or full.startswith(tuple(prefixes)):
            return ""
        path = full[len(self.root) :]
        return "" if "site-packages" in path.split(os.sep) or not os.path.isfile(full) else path

    def frames(self, error: BaseException) -> list[dict[str, Any]]:
        """The workspace's places in a traceback, outermost first, with local variables of all but the first.

        The first is the test: what it has in its variables, its source and pytest's own words tell.
        """
        found: list[dict[str, Any]] = []
        for frame, line in traceback.walk_tb(error.__traceback__):
            path = self.inside(frame.f_code.co_filename)
            if path:
                values = show_values(frame.f_locals) if found else []
                found.append({"path": path, "line": line, "function": frame.f_code.co_name, "values": values})
        if isinstance(error, SyntaxError) and (path := self.inside(error.filename or "")):
            found.append({"path": path, "line": error.lineno or 1, "function": "<module>", "values": []})
        return found if len(found) <= MAX_FRAMES else [*found[: MAX_FRAMES // 2], *found[-MAX_FRAMES // 2 :]]


def whole_id(config: Any, node_id: str, root: str) -> str:  # noqa: ANN401 - pytest is not imported here
    """A node's id relative to the workspace; pytest's own is relative to the folder of its configuration."""
    folder = str(getattr(config, "rootpath", None) or getattr(config, "rootdir", ""))  # pytest 6.0 has one
    return f"{folder[len(root) + 1 :]}/{node_id}" if folder.startswith(root + os.sep) else node_id


def show_values(names: dict[str, Any]) -> list[list[str]]:
    """Up to MAX_VALUES variables and their short reprs, without what pytest's rewriting adds."""
    found: list[list[str]] = []
    for name, value in list(names.items()):
        if name.startswith(("__", "@")) or isinstance(value, types.ModuleType):
            continue
        found.append([name, show(value)])
        if len(found) == MAX_VALUES:
            break
    return found


def show(value: object) -> str:
    """A value's repr in one short line, whatever its `__repr__` does short of not coming back."""
    try:
        is_long = isinstance(value, (str, bytes, list, tuple, dict, set, frozenset)) and len(value) > LONG
        text = " ".join((_SHORT.repr(value) if is_long else repr(value)).split())
    except BaseException as error:  # noqa: BLE001 - a broken __repr__ is a value too
        return f"<no repr: {type(error).__name__}>"
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 3] + "..."


def explain(error: BaseException) -> str:
    """The exception in one line, such as `AssertionError: assert 3 == 4`."""
    name, text = type(error).__name__, _text_of(error)
    lines = text.strip().splitlines()
    return f"{name}: {lines[0] if lines else ''}"[:MAX_MESSAGE].rstrip(": ")


def _text_of(error: BaseException) -> str:
    failures = getattr(error, "failures", None)  # a doctest with more than one failure, as pytest collects them
    if failures and isinstance(failures, list) and isinstance(failures[0], BaseException):
        return _text_of(failures[0])
    example = getattr(error, "example", None)
    if example is not None and hasattr(error, "got"):
        return f"{example.source.strip()} expected {example.want.strip()!r}, got {str(error.got).strip()!r}"
    if example is not None and hasattr(error, "exc_info"):
        return explain(error.exc_info[1])
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - a broken __str__
        return "(its message cannot be shown)"


def shorten(text: str, most: int = MAX_TEXT) -> str:
    """The text's head and tail, if it is too long."""
    return text if len(text) <= most else f"{text[: most // 2]}\n[...]\n{text[-most // 2 :]}"
