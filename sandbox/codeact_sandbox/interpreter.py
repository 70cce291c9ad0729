"""The interpreter that actions run in: a child of the Worker, which keeps its variables between actions."""

from __future__ import annotations

import ast
import contextlib
import linecache
import os
import re
import struct
import sys

from codeact_sandbox import exhibits, showing

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` would take longer than the rest
    from typing import Any

NAMES = {"files", "read", "search", "define", "replace", "write", "run_tests", "finish"}  # of helpers
NAMES |= {"imports", "functions", "uses", "links", "duplicates", "comments", "log_rows", "rename"}
MAX_VALUE = 4000
MAX_TRACEBACK = 6000


class Finished(BaseException):
    """Raised by the helper `finish`; no `except Exception` of an action stops it."""


def serve(commands: int, results: int, root: str) -> None:
    """Run action after action: code comes in with its length before it, a JSON object goes out the same way."""
    import json
    import site

    site.main()
    sys.path.insert(0, root)
    sys.path.extend(os.environ.get("PYTHONPATH", "").split(os.pathsep)[1:])  # the Worker's own Python is isolated
    showing.watch()
    namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    if "codeact_sandbox.helpers" in sys.modules:
        namespace.update(load_helpers())
    number = 0
    while True:
        header = _read(commands, 4)
        if header is None:
            return
        code = _read(commands, struct.unpack("I", header)[0])
        if code is None:
            return
        number += 1
        answer = json.dumps(_run(code.decode("utf-8", "surrogatepass"), f"<action {number}>", namespace)).encode()
        _write(results, struct.pack("I", len(answer)) + answer)


def load_helpers() -> dict[str, Any]:
    """The helpers by name. They take as long to load as all else, so that waits until an action names one."""
    from codeact_sandbox.helpers import HELPERS
    from codeact_sandbox.toolbox import TOOLS

    return {**HELPERS, **TOOLS}


def _run(code: str, name: str, namespace: dict[str, Any]) -> dict[str, Any]:
    outcome: dict[str, Any] = {"value": "", "failure": None, "finished": None}
    value: object = None
    if "codeact_sandbox.helpers" not in sys.modules and NAMES.intersection(re.findall(r"\w+", code)):
        namespace.update({name: helper for name, helper in load_helpers().items() if name not in namespace})
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    try:
        value = _evaluate(code, name, namespace)
        outcome["value"] = _shorten(value)
    except Finished as end:
        outcome["finished"] = str(end)
    except SystemExit as end:
        if end.code not in (None, 0):
            outcome["failure"] = {
                "type": "SystemExit",
                "message": str(end.code),
                "traceback": f"SystemExit: {end.code}",
            }
    except BaseException as error:  # noqa: BLE001 - whatever an action raises is what it came to
        outcome["failure"] = _describe(error)
    outcome["exhibits"] = exhibits.collect(value, namespace)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # an action may have closed or replaced it
            stream.flush()
    return outcome


def _evaluate(code: str, name: str, namespace: dict[str, Any]) -> object:
    """Run a module; if it ends in an expression, its value."""
    tree = ast.parse(code, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), namespace)  # noqa: S102 - what this program is for
    if not isinstance(last, ast.Expr):
        return None
    value: object = eval(compile(ast.Expression(last.value), name, "eval"), namespace)  # noqa: S307
    if value is not None:
        namespace["_"] = value
    return value


def _shorten(value: object) -> str:
    """A value's `repr`, bounded; empty for None."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]} [... {len(text) - MAX_VALUE} characters left out]"


def _describe(error: BaseException) -> dict[str, str]:
    """The exception, with its traceback from the action's first line on."""
    import traceback

    from codeact_sandbox.hints import explain

    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    lines = traceback.format_exception(type(error), error.with_traceback(frames), frames)
    text = "".join(lines)
    if len(text) > MAX_TRACEBACK:
        text = f"{text[: MAX_TRACEBACK // 2]}\n[...]\n{text[-MAX_TRACEBACK // 2 :]}"
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - its own __str__ may fail
        message = "(its message cannot be shown)"
    hints = explain(error, frames)
    return {"type": type(error).__name__, "message": message[:MAX_VALUE], "traceback": f"{text.rstrip()}\n{hints}"}


def _read(descriptor: int, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        piece = os.read(descriptor, size - len(data))
        if not piece:
            return None
        data += piece
    return data


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
