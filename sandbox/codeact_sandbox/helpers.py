"""The names that an action finds in its namespace: looking around, editing, running tests, finishing.

All paths are relative to the project's folder. What goes wrong is raised with a message that tells how to do better,
since a model reads it next.
"""

from __future__ import annotations

import difflib
import inspect
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Iterator

from codeact_sandbox.definitions import define as merge_definitions
from codeact_sandbox.interpreter import Finished
from codeact_sandbox.textfile import TextFile

MAX_LISTED = 500
MAX_MATCHES = 100
MAX_LINE = 200
MAX_SEARCHED = 2_000_000  # bytes; what is larger is data
TEST_SECONDS = 20  # for one test
SUITE_SECONDS = 120
HEAD, TAIL = 1500, 2500  # characters of a test run's output
SKIPPED = frozenset({".git", "__pycache__", ".pytest_cache", ".mypy_cache", "node_modules", ".venv", "venv", ".tox"})


def files(pattern: str = "**/*.py") -> list[str]:
    """files(pattern="**/*.py"): the files that match."""
    pattern = os.path.relpath(_inside(pattern), _root()) if os.path.isabs(pattern) else pattern
    pattern = os.path.normpath(pattern).replace(os.sep, "/")
    if os.path.isdir(pattern):
        pattern = "**/*" if pattern == "." else f"{pattern}/**/*"
    everything = list(_walk())
    found = _matching(everything, pattern)
    if not found and "/" not in pattern:
        found = _matching(everything, f"**/{pattern}")
    return found[:MAX_LISTED]


def read(path: str, start: int = 1, end: int | None = None) -> str:
    """read(path, start=1, end=None): a file's lines, numbered."""
    lines = _open(path).text.split("\n")
    if lines[-1] == "":
        lines.pop()
    start = max(start, 1)
    if start > max(len(lines), 1):
        raise ValueError(f"{path} has only {len(lines)} lines.")
    return "\n".join(f"{number:5} {line}" for number, line in enumerate(lines[start - 1 : end], start))


def search(regex: str, pattern: str = "**/*.py") -> str:
    """search(regex, pattern="**/*.py"): the lines that match, as path:line: text."""
    wanted = re.compile(regex)
    found = []
    for path in files(pattern):
        if os.path.getsize(path) <= MAX_SEARCHED:
            lines = enumerate(_open(path).text.split("\n"), 1)
            found += [f"{path}:{number}: {line.strip()[:MAX_LINE]}" for number, line in lines if wanted.search(line)]
    more = [f"... and {len(found) - MAX_MATCHES} more"] if len(found) > MAX_MATCHES else []
    return "\n".join(found[:MAX_MATCHES] + more) or "nothing matches"


def define(path: str, code: str) -> str:
    """define(path, code): put functions, methods, classes or constants in the place of those of the same name."""
    file = _open(path)
    file.write(merge_definitions(file.text, code))
    return f"{path} changed"


def replace(path: str, old: str, new: str) -> str:
    """replace(path, old, new): replace a passage that occurs exactly once."""
    file = _open(path)
    old, new = old.replace("\r\n", "\n"), new.replace("\r\n", "\n")
    if not old.strip():
        raise ValueError("The passage to replace is empty. write(path, text) writes a whole file.")
    count = file.text.count(old)
    if count != 1:
        raise ValueError(_why_not(path, file.text, old, count))
    file.write(file.text.replace(old, new))
    return f"{path} changed"


def write(path: str, text: str) -> str:
    """write(path, text): write a whole file."""
    target = _inside(path)
    if target.is_file():
        TextFile(target).write(text)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode("utf-8", "surrogateescape"))
    return f"{path} written"


def run_tests(*tests: str) -> str:
    """run_tests(*tests): run pytest, all tests or the named ones; what it printed."""
    command = [sys.executable, "-B", "-m", "pytest", "-q", "--no-header", "--tb=short", "-p"]
    command += ["codeact_sandbox.pytest_plugin", *tests]
    # The plugin ends tests that hang, as long as it has somewhere to report to.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    environ = {**os.environ, "CODEACT_REPORT_FD": str(nowhere), "CODEACT_TEST_TIMEOUT": str(TEST_SECONDS)}
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent.parent), os.getenv("PYTHONPATH")]))
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ,
        pass_fds=(nowhere,), start_new_session=True,
    )  # fmt: skip
    os.close(nowhere)
    late = ""
    try:
        output, _ = process.communicate(timeout=SUITE_SECONDS)
    except subprocess.TimeoutExpired as error:
        late, output = f"\nThe tests did not end within {SUITE_SECONDS} s.", error.output or b""
    finally:
        _end(process)
    text = output.decode("utf-8", "replace").strip()
    return (text if len(text) <= HEAD + TAIL else f"{text[:HEAD]}\n[...]\n{text[-TAIL:]}") + late


def finish(text: str = "") -> None:
    """finish(text=""): end the task; text is the answer."""
    raise Finished(text)


HELPERS: dict[str, object] = {
    function.__name__: function for function in (files, read, search, define, replace, write, run_tests, finish)
}


def describe() -> str:
    """One line for each helper, for the prompt."""
    return "\n".join(f"- {inspect.getdoc(function)}" for function in HELPERS.values())


def read_text(path: str) -> str:
    """A file's text, without line numbers."""
    return _open(path).text


def _root() -> Path:
    return Path.cwd().resolve()


def _inside(path: str) -> Path:
    """Where a path leads, links followed, if that is inside the project's folder."""
    root = _root()
    target = (root / path).resolve()
    if target != root and root not in target.parents:
        raise PermissionError(f"{path} is outside the project's folder.")
    return target


def _open(path: str) -> TextFile:
    target = _inside(path)
    if target.is_dir():
        raise IsADirectoryError(f"{path} is a folder. files({path!r}) lists what is in it.")
    if not target.is_file():
        everything = list(_walk())
        same = [other for other in everything if os.path.basename(other) == os.path.basename(path)]
        near = difflib.get_close_matches(path, everything, n=3, cutoff=0.5)
        hint = ", ".join(list(dict.fromkeys([*same, *near]))[:5]) or "files() lists what there is"
        raise FileNotFoundError(f"There is no file {path}. Near: {hint}")
    return TextFile(target)


def _walk() -> Iterator[str]:
    """All files of the project in order, but for what nobody edits."""
    for folder, folders, names in os.walk("."):
        folders[:] = sorted(name for name in folders if name not in SKIPPED and not name.endswith(".egg-info"))
        for name in sorted(names):
            path = os.path.normpath(os.path.join(folder, name))
            is_own = not os.path.islink(path) or _root() in Path(path).resolve().parents
            if is_own and not name.endswith((".pyc", ".pyo")) and os.path.isfile(path):
                yield path


def _matching(paths: list[str], pattern: str) -> list[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^]]+\])", pattern)
    glob = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    expression = re.compile("".join(glob.get(part) or (part if _is_set(part) else re.escape(part)) for part in parts))
    return sorted(path for path in paths if expression.fullmatch(path))


def _is_set(part: str) -> bool:
    return len(part) > 2 and part[0] == "[" and part[-1] == "]"  # noqa: PLR2004 - brackets with something in them


def _why_not(path: str, source: str, old: str, count: int) -> str:
    if count > 1:
        return f"The passage occurs {count} times in {path}. Give more of what is around it."
    lines, wanted = source.split("\n"), old.strip("\n").split("\n")
    squeezed, sought = [" ".join(line.split()) for line in lines], [" ".join(line.split()) for line in wanted]
    size = len(sought)
    for number in range(len(lines) - size + 1):
        if squeezed[number : number + size] == sought:
            there = "\n".join(lines[number : number + size])
            return f"The passage occurs in {path} at line {number + 1} with other whitespace. It is exactly:\n{there}"
    telling = max(sought, key=len)
    near = difflib.get_close_matches(telling, squeezed, n=1, cutoff=0.6)
    if not near:
        return f"The passage does not occur in {path}. read({path!r}) shows what is there."
    first = max(squeezed.index(near[0]) - sought.index(telling), 0)
    there = "\n".join(lines[first : first + size])
    return f"The passage does not occur in {path}. The nearest is at line {first + 1}:\n{there}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a test run with all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        process.wait()
        if process.stdout:
            process.stdout.close()
