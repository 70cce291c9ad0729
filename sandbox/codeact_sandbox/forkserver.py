"""A fork server: pytest, its plugins and the project's heavy libraries are loaded once, and each test run is a fork.

Run inside the sandbox as a program of its own, `forkserver.py SOCKET ROOT [light]`. The Worker's side is `forks`. For
each request, with the new process's outputs attached, it forks a process that goes on as `python ARGUMENTS` would in
the view's root folder, and answers with its process id; the Worker adopts that process.

Nothing of the project is imported here, so each run sees the files as they are. What cannot be run faithfully this way
is refused, with the reason: the Worker then starts a cold process. After the model of Android's zygote and of
multiprocessing's forkserver.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import os
import select
import socket
import sys
import tempfile
from typing import Any, Iterator

from codeact_sandbox import guard, rewriting
from codeact_sandbox.faithful import LIBRARIES, Refused, check_loaded, check_request, held, is_sound
from codeact_sandbox.forking import DOUBT, become, fork, receive, run, send
from codeact_sandbox.templates import Templates

MAX_NAMES = 1 << 16
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> None:
    """Load, say so, and fork until the Worker closes the line. In a fork, run what was asked."""
    line, root = socket.socket(fileno=int(sys.argv[1])), sys.argv[2]
    light = len(sys.argv) > 3  # noqa: PLR2004
    sys.path.pop(0)
    names, learned = os.pipe()
    known = held()
    preload()
    try:
        check_loaded(root, known)
    except Refused as refused:
        send(line, {"refused": str(refused)})
        return
    guard.hide()
    templates = Templates(root, learned)
    if not light:
        send(line, {"ready": True})
        _rehearse((line, names), learned)
    while True:
        ready, _, _ = select.select([line.fileno(), names], [], [])
        if names in ready:
            _learn(names, root, known, templates, light=light)
            templates.prepare(line, names)
            continue
        request, descriptors = receive(line)
        if not request:
            return
        send(line, _answer(request, descriptors, root, templates, (line, names)))
        for descriptor in descriptors:
            os.close(descriptor)


def _answer(
    request: dict[str, Any], descriptors: list[int], root: str, templates: Templates, hidden: tuple[socket.socket, int]
) -> dict[str, Any]:
    """Fork what was asked for, and tell its process id or why not. In the fork it does not return."""
    try:
        check_request(request, root)
    except Refused as refused:
        return {"refused": str(refused)}
    if pid := templates.fork(request, descriptors):
        return {"pid": pid}
    pid = fork(*hidden)
    if pid == 0:
        become(request, descriptors)
        run(request["argv"], templates.learned)
    return {"pid": pid}


def _rehearse(hidden: tuple[socket.socket, int], learned: int) -> None:
    """Have a fork run pytest where nothing is, to learn what plugins import when they are configured."""
    if fork(*hidden) == 0:
        quiet = os.open(os.devnull, os.O_RDWR)
        become({"environ": {}}, [os.dup(quiet), quiet])
        os.chdir(tempfile.mkdtemp())
        run(["-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"], learned)


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


def _learn(names: int, root: str, known: set[str], templates: Templates, *, light: bool) -> None:
    """Import the libraries that the last run imported, and rewrite its test files, so that the next one need not."""
    wanted = os.read(names, MAX_NAMES).decode("utf-8", "replace").split()
    if light:
        return
    files = [word for word in wanted if word.startswith("/")]
    loaded = len(sys.modules)
    if DOUBT not in wanted:
        _import([word for word in wanted if word not in files])
        if rewriting.prepare(files) or len(sys.modules) > loaded:
            templates.drop_all()
    if DOUBT in wanted or (len(sys.modules) > loaded and not is_sound(root, known)):  # begin again, without them
        again = [sys.executable, "-B", os.path.abspath(__file__), *sys.argv[1:3], "light"]
        os.execv(sys.executable, again)  # noqa: S606 - no shell is wanted


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


if __name__ == "__main__":
    main()
