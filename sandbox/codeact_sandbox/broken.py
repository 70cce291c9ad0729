"""Edits of a module that does not parse: its definitions are found by their first line and their indentation."""

from __future__ import annotations

import ast
import re
import textwrap

HEADER = re.compile(r"(?P<indent>[ \t]*)(?:async[ \t]+)?(?:def|class)[ \t]+(?P<name>\w+)")
CONSTANT = re.compile(r"(?P<name>\w+)[ \t]*(?::[^=\n]+)?=(?!=)")
CLOSING = (")", "]", "}")


def names_in(source: str) -> set[str]:
    """What a module that does not parse seems to define: functions, classes, methods and constants."""
    found = (HEADER.match(line) or CONSTANT.match(line) for line in source.split("\n"))
    return {match["name"] for match in found if match}


def define_in_broken(source: str, code: str) -> str:
    """Put the functions and classes of `code` in the place of those of the same name, decorators included.

    Of a class that lacks what the old one has, only the methods are put in place.

    Raises:
        SyntaxError: `code`, or the result, is not valid Python.
        ValueError: nothing in `code` is defined in `source`.
    """
    lines = source.split("\n")
    changed = [_put(lines, statement, code) for statement in ast.parse(code).body]
    if not any(changed):
        raise ValueError("The file does not parse, and defines nothing of this. Write all of it: write(path, text)")
    ast.parse("\n".join(lines))
    return "\n".join(lines)


def _put(lines: list[str], new: ast.stmt, code: str) -> bool:
    """Put one definition in its place; false if it has none."""
    region = _find(lines, getattr(new, "name", ""))
    if region is None:
        return False
    start, stop, indent = region
    first = min([new.lineno, *(node.lineno for node in getattr(new, "decorator_list", []))])
    text = "\n".join(code.split("\n")[first - 1 : new.end_lineno])
    if isinstance(new, ast.ClassDef) and names_in("\n".join(lines[start:stop])) - names_in(text):
        return any([_put(lines, member, code) for member in new.body])  # noqa: C419 - all of them, not the first
    lines[start:stop] = textwrap.indent(textwrap.dedent(text), indent).split("\n")
    return True


def _find(lines: list[str], name: str) -> tuple[int, int, str] | None:
    """The lines `[start, stop)` of a definition, and how far it is indented."""
    for number, line in enumerate(lines):
        header = HEADER.match(line)
        if header and header["name"] == name:
            indent = header["indent"]
            start = number
            while start and lines[start - 1].startswith(f"{indent}@"):
                start -= 1
            return start, _end(lines, number + 1, len(indent)), indent
    return None


def _end(lines: list[str], number: int, indent: int) -> int:
    """The first line after a definition's body; blank lines at its end are not of it."""
    stop = number
    while number < len(lines):
        text = lines[number].strip()
        outside = len(lines[number]) - len(lines[number].lstrip()) <= indent
        if text and outside and not text.startswith(CLOSING):
            break
        number += 1
        stop = number if text else stop
    return stop
