"""The names that an action finds in its namespace: looking around, editing, running tests, finishing.

All paths are relative to the project's folder. What goes wrong is raised with a message that tells how to do better,
since a model reads it next.
"""

from __future__ import annotations

import difflib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

from codeact_sandbox.definitions import define as merge_definitions

MAX_LISTED = 500
MAX_MATCHES = 100
MAX_LINE = 200
TEST_SECONDS = 120
SKIPPED = frozenset({".git", "__pycache__", ".pytest_cache", "node_modules", ".venv", "venv"})


class Finished(BaseException):
    """Raised by `finish`; no `except Exception` of an action stops it."""


def files(pattern: str = "**/*.py") -> list[str]:
    """files(pattern="**/*.py"): the files that match."""
    found = (path for path in Path().glob(pattern) if path.is_file() and not SKIPPED & set(path.parts))
    return sorted(str(path) for path in found)[:MAX_LISTED]


def read(path: str, start: int = 1, end: int | None = None) -> str:
    """read(path, start=1, end=None): a file's lines, numbered."""
    lines = _text(path).split("\n")[start - 1 : end]
    return "\n".join(f"{number:5} {line}" for number, line in enumerate(lines, start))


def search(regex: str, pattern: str = "**/*.py") -> str:
    """search(regex, pattern="**/*.py"): the lines that match, as path:line: text."""
    wanted = re.compile(regex)
    found = []
    for path in files(pattern):
        for number, line in enumerate(_text(path).split("\n"), 1):
            if wanted.search(line):
                found.append(f"{path}:{number}: {line.strip()[:MAX_LINE]}")
    more = [f"... and {len(found) - MAX_MATCHES} more"] if len(found) > MAX_MATCHES else []
    return "\n".join(found[:MAX_MATCHES] + more) or "nothing matches"


def define(path: str, code: str) -> str:
    """define(path, code): put functions, methods, classes or constants in the place of those of the same name."""
    source, newline = _source(path)
    _store(path, merge_definitions(source, code), newline)
    return f"{path} changed"


def replace(path: str, old: str, new: str) -> str:
    """replace(path, old, new): replace a passage that occurs exactly once."""
    source, newline = _source(path)
    count = source.count(old)
    if count != 1:
        raise ValueError(_why_not(path, source, old, count))
    _store(path, source.replace(old, new), newline)
    return f"{path} changed"


def write(path: str, text: str) -> str:
    """write(path, text): write a whole file."""
    target = _inside(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8", newline="")
    return f"{path} written"


def run_tests(*tests: str) -> str:
    """run_tests(*tests): run pytest, all tests or the named ones; what it printed."""
    command = [sys.executable, "-B", "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TEST_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"The tests did not end within {TEST_SECONDS} s."
    output = (done.stdout + done.stderr).strip()
    return output if len(output) <= 4000 else f"{output[:1500]}\n[...]\n{output[-2500:]}"  # noqa: PLR2004


def finish(text: str = "") -> None:
    """finish(text=""): end the task; text is the answer."""
    raise Finished(text)


HELPERS: dict[str, object] = {
    function.__name__: function for function in (files, read, search, define, replace, write, run_tests, finish)
}


def describe() -> str:
    """One line for each helper, for the prompt."""
    return "\n".join(f"- {inspect.getdoc(function)}" for function in HELPERS.values())


def _inside(path: str) -> Path:
    root = Path.cwd().resolve()
    target = (root / path).resolve()
    if target != root and root not in target.parents:
        raise PermissionError(f"{path} is outside the project's folder.")
    return target


def _text(path: str) -> str:
    target = _inside(path)
    if not target.is_file():
        everything = files("**/*")
        near = difflib.get_close_matches(path, everything, n=3, cutoff=0.5)
        same = [other for other in everything if os.path.basename(other) == os.path.basename(path)]
        hint = ", ".join(dict.fromkeys([*same, *near])) or "files() lists what there is"
        raise FileNotFoundError(f"There is no file {path}. Near: {hint}")
    return target.read_bytes().decode("utf-8", "surrogateescape")


def _source(path: str) -> tuple[str, str]:
    """A file's text with plain line ends, and what its line ends are."""
    text = _text(path)
    newline = "\r\n" if "\r\n" in text else "\n"
    return text.replace("\r\n", "\n"), newline


def _store(path: str, text: str, newline: str) -> None:
    content = text.replace("\n", newline) if newline != "\n" else text
    _inside(path).write_bytes(content.encode("utf-8", "surrogateescape"))


def _why_not(path: str, source: str, old: str, count: int) -> str:
    if count > 1:
        return f"The passage occurs {count} times in {path}. Give more of what is around it."
    lines, wanted = source.split("\n"), old.strip("\n").split("\n")
    squeezed = [" ".join(line.split()) for line in lines]
    first = " ".join(wanted[0].split())
    near = difflib.get_close_matches(first, squeezed, n=1, cutoff=0.6)
    if not near:
        return f"The passage does not occur in {path}. read({path!r}) shows what is there."
    number = squeezed.index(near[0])
    there = "\n".join(lines[number : number + len(wanted)])
    return f"The passage does not occur in {path}. The nearest is at line {number + 1}:\n{there}"
