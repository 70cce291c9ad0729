"""A fork server: pytest, its plugins and the project's heavy libraries are loaded once, and each test run is a fork.

Run inside the sandbox as a program of its own, `forkserver.py SOCKET ROOT [light]`. The Worker's side is `forks`. For
each request, with the new process's outputs attached, it forks a process that goes on as `python ARGUMENTS` would in
the view's root folder, and answers with its process id; the Worker adopts that process.

Nothing of the project is imported here, so each run sees the files as they are. What cannot be run faithfully this way
is refused, with the reason: the Worker then starts a cold process. After the model of Android's zygote and of
multiprocessing's forkserver.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import importlib
import importlib.metadata
import importlib.util
import json
import os
import runpy
import select
import socket
import sys
import tempfile
import threading
import time
from typing import Any, Iterator

from codeact_sandbox import guard, rewriting

MAX_REQUEST = 1 << 20
MAX_NAMES = 1 << 16
MAX_WORDS = 4000  # bytes that one run tells: a pipe takes them at once
LIBRARIES = ("/site-packages/", "/dist-packages/")
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
DOUBT = "!"  # in place of a name: what the run did to its process must come before libraries are imported
PASSING = ("PYTEST_", "CODEACT_")  # variables that come and go with a test run
HELD = ("socket:", "pipe:", "anon_inode:")  # what several processes cannot share: connections, event loops


class Refused(Exception):
    """A fork would not do what a new process does."""


def main() -> None:
    """Load, say so, and fork until the Worker closes the line. In a fork, run what was asked."""
    line, root = socket.socket(fileno=int(sys.argv[1])), sys.argv[2]
    light = len(sys.argv) > 3  # noqa: PLR2004
    sys.path.pop(0)
    names, learned = os.pipe()
    known = _held()
    preload()
    try:
        _check_loaded(root, known)
    except Refused as refused:
        line.sendall(_line({"refused": str(refused)}))
        return
    guard.hide()
    if not light:
        line.sendall(_line({"ready": True}))
        _rehearse((line, names), learned)
    while True:
        ready, _, _ = select.select([line.fileno(), names], [], [])
        if names in ready:
            _learn(names, root, known, light=light)
            continue
        request, descriptors = _receive(line)
        if not request:
            return
        line.sendall(_line(_answer(request, descriptors, root, learned, (line, names))))
        for descriptor in descriptors:
            os.close(descriptor)


def _answer(
    request: dict[str, Any], descriptors: list[int], root: str, learned: int, hidden: tuple[socket.socket, int]
) -> dict[str, Any]:
    """Fork what was asked for, and tell its process id or why not. In the fork it does not return."""
    try:
        _check_request(request, root)
    except Refused as refused:
        return {"refused": str(refused)}
    pid = _fork(hidden)
    if pid == 0:
        _become(request, descriptors)
        _run(request["argv"], learned)
    return {"pid": pid}


def _rehearse(hidden: tuple[socket.socket, int], learned: int) -> None:
    """Have a fork run pytest where nothing is, to learn what plugins import when they are configured."""
    if _fork(hidden) == 0:
        quiet = os.open(os.devnull, os.O_RDWR)
        _become({"environ": {}}, [os.dup(quiet), quiet])
        os.chdir(tempfile.mkdtemp())
        _run(["-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"], learned)


def preload() -> None:
    """Import pytest's own plugins and the installed ones, which a cold pytest spends most of its start on."""
    from _pytest.config import default_plugins

    names = [f"_pytest.{name}" for name in default_plugins] + ["codeact_sandbox.pytest_plugin"]
    if not os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        points = importlib.metadata.entry_points()
        found = points.select(group="pytest11") if hasattr(points, "select") else points.get("pytest11", ())
        names += [point.value.partition(":")[0] for point in found]
    with _one_thread(), rewriting.of_plugins():
        for name in names:
            with contextlib.suppress(Exception):  # a broken plugin is for pytest itself to report
                importlib.import_module(name)


def _check_loaded(root: str, known: set[str]) -> None:
    """What is the project's own, or runs threads or processes, or holds a connection, does not survive a fork."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if file.startswith(root + "/") and not any(place in file for place in LIBRARIES):
            raise Refused(f"the plugin {name} belongs to the workspace")
    if len(os.listdir("/proc/self/task")) > 1:
        raise Refused("what is installed runs a thread")
    with contextlib.suppress(FileNotFoundError), open(f"/proc/self/task/{os.getpid()}/children", "rb") as children:
        if children.read():
            raise Refused("what is installed runs a process")
    if _held() - known:
        raise Refused("what is installed holds a connection")


def _held() -> set[str]:
    """The connections that this process has open."""
    found = set()
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/self/fd/{descriptor}"))
    return {target for target in found if target.startswith(HELD)}


def _check_request(request: dict[str, Any], root: str) -> None:
    """What only a new interpreter can do, and files of the workspace that a new one would load instead."""
    if any(name.startswith(("PYTHON", "LD_")) for name in request["environ"]):
        raise Refused("variables that an interpreter reads at its start")
    loaded = {name.partition(".")[0] for name in sys.modules}
    for folder in (root, os.path.join(root, "src")):
        for entry in _entries(folder):
            name = entry.removesuffix(".py")
            if name in loaded and (entry != name or os.path.exists(os.path.join(folder, entry, "__init__.py"))):
                raise Refused(f"the workspace has its own {name}")


def _learn(names: int, root: str, known: set[str], *, light: bool) -> None:
    """Import the libraries that the last run imported, and rewrite its test files, so that the next one need not."""
    wanted = os.read(names, MAX_NAMES).decode("utf-8", "replace").split()
    if light:
        return
    files = [word for word in wanted if word.startswith("/")]
    if DOUBT not in wanted:
        _import([word for word in wanted if word not in files])
        rewriting.prepare(files)
    if DOUBT in wanted or not _is_sound(root, known):  # begin again, without them
        again = [sys.executable, "-B", os.path.abspath(__file__), *sys.argv[1:3], "light"]
        os.execv(sys.executable, again)  # noqa: S606 - no shell is wanted


def _is_sound(root: str, known: set[str]) -> bool:
    try:
        _check_loaded(root, known)
    except Refused:
        return False
    return True


def _import(names: list[str]) -> None:
    """Import those that are libraries."""
    with _one_thread(), rewriting.of_plugins():
        for name in names:
            with contextlib.suppress(Exception):
                spec = importlib.util.find_spec(name) if name not in sys.modules else None
                if spec and any(place in (spec.origin or "") for place in LIBRARIES):
                    importlib.import_module(name)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Have libraries that start threads only for speed start none when they are imported."""
    added = [name for name in ONE_THREAD if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _fork(hidden: tuple[socket.socket, int]) -> int:
    """The process id of a grandchild, which the Worker has adopted by now, as process 1 does; 0 in it.

    Args:
        hidden: the line to the Worker and the source of names, which it must not have.
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
        line, names = hidden
        for descriptor in (source, sink, line.detach(), names):
            os.close(descriptor)
        return 0
    os.close(sink)
    pid = int(os.read(source, 32) or b"-1")
    os.close(source)
    os.waitpid(child, 0)
    return pid


def _become(request: dict[str, Any], descriptors: list[int]) -> None:
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


def _run(argv: list[str], learned: int) -> None:
    """Go on as `python ARGV` does, to the interpreter's end."""
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


def _receive(line: socket.socket) -> tuple[dict[str, Any], list[int]]:
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


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode("ascii") + b"\n"


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


if __name__ == "__main__":
    main()
