"""Forks that go on as programs do, `python ARGUMENTS`, from a process that has loaded what they need.

A fork is adopted by the Worker, as process 1 adopts whatever loses its parent. Requests and answers are JSON, one to a
line; with a request come the descriptors of the program's outputs, and of its report if somebody reads one.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import json
import os
import runpy
import socket
import sys
import threading
import time
from typing import Any

from codeact_sandbox import guard, rewriting

MAX_REQUEST = 1 << 20
MAX_WORDS = 4000  # bytes that one run tells: a pipe takes them at once
DOUBT = "!"  # in place of a name: what the run did to its process must come before libraries are imported
PASSING = ("PYTEST_", "CODEACT_")  # variables that come and go with a test run


def fork(*hidden: socket.socket | int) -> int:
    """The process id of a grandchild, which the Worker has adopted by now, as process 1 does; 0 in it.

    Args:
        hidden: descriptors that it must not have.
    """
    gc.collect()
    gc.freeze()
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        pid = os.fork()
        if pid:
            os.write(sink, str(pid).encode())
            os._exit(0)
        for one in (source, sink, *hidden):
            os.close(one if isinstance(one, int) else one.detach())
        return 0
    os.close(sink)
    pid = int(os.read(source, 32) or b"-1")
    os.close(source)
    os.waitpid(child, 0)
    return pid


def become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Take over the outputs and the variables; be as visible as any program."""
    os.setsid()
    guard.expose()
    for target, descriptor in enumerate(descriptors[:2], start=1):
        os.dup2(descriptor, target)
        os.close(descriptor)
    if descriptors[2:]:
        os.set_inheritable(descriptors[2], True)  # noqa: FBT003 - positional only
        os.environ["CODEACT_REPORT_FD"] = str(descriptors[2])
    os.environ.update(request["environ"])
    time.tzset()  # as a new process would, if they name a time zone
    numpy: Any = sys.modules.get("numpy.random")
    if numpy:  # else all forks would draw the same numbers; Python's own generator sees to that itself
        numpy.seed()


def run(argv: list[str], learned: int) -> None:
    """Go on as `python ARGV` does, to the interpreter's end, and say what it has loaded."""
    environ = _environ()
    sys.path.insert(0, os.getcwd())
    rewriting.use()
    status = 0
    try:
        if argv[0] == "-m":
            sys.argv = argv[1:]
            runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
        else:
            sys.path[0] = os.path.dirname(argv[0])
            sys.argv = argv
            runpy.run_path(argv[0], run_name="__main__")
    except SystemExit as end:
        status = _status(end.code)
    except BaseException:  # noqa: BLE001 - whatever ends a program is shown, as an interpreter does
        sys.excepthook(*sys.exc_info())
        status = 1
    names = {name.partition(".")[0] for name in list(sys.modules)}
    if _environ() != environ or socket.socket.__module__ != "socket":
        names = {DOUBT}  # variables that libraries read when they are imported, or gevent and the like
    with contextlib.suppress(OSError):
        os.set_blocking(learned, False)
        words = " ".join([*sorted(names), *rewriting.missed()])
        os.write(learned, words.encode("ascii", "ignore")[:MAX_WORDS] + b" ")
    _leave(status)


def receive(line: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """One request and the descriptors that came with it; nothing at the end."""
    data, descriptors = b"", array.array("i")
    while not data.endswith(b"\n"):
        piece, extra, _, _ = line.recvmsg(MAX_REQUEST, socket.CMSG_SPACE(3 * descriptors.itemsize))
        if not piece:
            return {}, []
        data += piece
        for level, kind, content in extra:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    request: dict[str, Any] = json.loads(data)
    return request, list(descriptors)


def send(line: socket.socket, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
    """Send a message, with descriptors if it has some."""
    data = json.dumps(message).encode("ascii") + b"\n"
    sent = socket.send_fds(line, [data], descriptors) if descriptors else 0
    line.sendall(data[sent:])


def _status(code: object) -> int:
    """The exit code that `sys.exit(code)` stands for."""
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def _leave(status: int) -> None:
    """End as an interpreter does, but without taking apart all that is loaded, which takes longer than many tests."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - it waits for threads, as the interpreter does
        atexit._run_exitfuncs()  # noqa: SLF001
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _environ() -> dict[str, str]:
    """The variables, without those that come and go with a test run."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PASSING)}
