"""Processes that have gone as far as pytest goes without the project, for forks to go on from: the fork server's own.

A third of a small test run is the same each time: pytest registers its plugins and reads its configuration. A template
does that once for a command that is run again and again, and waits in the first hook, before anything of the project
is imported. It is good while the files that pytest is configured by are what they were.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import stat
import sys
from collections import Counter
from typing import Any, NamedTuple

from codeact_sandbox import plugins, pytest_plugin
from codeact_sandbox.faithful import held, is_sound
from codeact_sandbox.forking import become, fork, receive, run, send

CONFIGURATION = (
    "pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg", "setup.py",
)  # fmt: skip
MAX_KEPT = 2
MAX_COUNTED = 50
MAX_FAILED = 3
SECONDS = 5.0  # that it may take to be ready, or to answer

Command = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]
Stamp = tuple[Any, ...]


class Template(NamedTuple):
    """A process that waits, the line to it, and what it was configured by."""

    pid: int
    line: socket.socket
    stamp: Stamp


class Templates:
    """The templates of a fork server."""

    def __init__(self, root: str, learned: int) -> None:
        self.root = root
        self.learned = learned
        self.asked: Counter[Command] = Counter()
        self.last: Command | None = None
        self.failed: Counter[Command] = Counter()
        self.kept: dict[Command, Template] = {}

    def fork(self, request: dict[str, Any], descriptors: list[int]) -> int:
        """The process id of a fork that does what was asked, if a template is there for it; else 0."""
        self.last = command = _command(request)
        if command is None:
            return 0
        self.asked[command] += 1
        template = self.kept.get(command)
        if template is None:
            return 0
        if template.stamp != _stamp(self.root, command):
            self._drop(command)
            return 0
        try:
            send(template.line, request, descriptors)
            pid: int = receive(template.line)[0]["pid"]
        except (OSError, ValueError, KeyError):
            self._drop(command)
            self.failed[command] += 1
            return 0
        return pid

    def prepare(self, *hidden: socket.socket | int) -> None:
        """Make a template for what was asked last, if it was asked before.

        Args:
            hidden: descriptors that it must not have.
        """
        command = self.last
        if command is None or command in self.kept or self.asked[command] < 2:  # noqa: PLR2004 - once is no habit
            return
        if self.failed[command] >= MAX_FAILED:
            return
        if len(self.asked) > MAX_COUNTED:
            self.asked.clear()
        for old in list(self.kept)[: -MAX_KEPT + 1]:
            self._drop(old)
        known, stamp = held(), _stamp(self.root, command)
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            lines = [template.line for template in self.kept.values()]
            for end in (ours, *lines, *hidden):
                os.close(end if isinstance(end, int) else end.detach())
            _become_template(command, theirs, self.learned, self.root, known)
        theirs.close()
        ours.settimeout(SECONDS)
        self.kept[command] = Template(pid, ours, stamp)

    def drop_all(self) -> None:
        """End all: what they have loaded is no longer what there is to load."""
        for command in list(self.kept):
            self._drop(command)

    def _drop(self, command: Command) -> None:
        template = self.kept.pop(command)
        template.line.close()
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(template.pid, signal.SIGKILL)
            os.waitpid(template.pid, 0)


def _become_template(command: Command, line: socket.socket, learned: int, root: str, known: set[str]) -> None:
    """Run pytest up to its first hook; then fork whenever that is asked. In a fork, run on. It does not return."""
    argv, variables = command
    said = os.memfd_create("said")
    told = os.open(os.devnull, os.O_WRONLY)
    for target in (1, 2):
        os.dup2(said, target)
    os.environ.update(variables)
    known |= held()

    def wait(config: Any) -> None:  # noqa: ANN401 - of pytest
        sys.stdout.flush()
        sys.stderr.flush()
        if os.fstat(said).st_size or not is_sound(root, known):
            os._exit(1)
        plugins.remember(config.pluginmanager.get_plugins())
        while True:
            request, descriptors = receive(line)
            if not request:
                os._exit(0)
            pid = fork(line)
            if pid == 0:
                become(request, descriptors)
                os.dup2(learned, told)
                importlib.invalidate_caches()
                return
            send(line, {"pid": pid})
            for descriptor in descriptors:
                os.close(descriptor)

    pytest_plugin.before_all = wait
    run(list(argv), told)


def _command(request: dict[str, Any]) -> Command | None:
    """What a request asks for, without what pytest's plugin reads only after it has waited; None if it is no pytest."""
    argv = tuple(request["argv"])
    if argv[:2] != ("-m", "pytest") or pytest_plugin.__name__ not in argv:  # nothing would wait
        return None
    variables = sorted((name, value) for name, value in request["environ"].items() if not name.startswith("CODEACT_"))
    return argv, tuple(variables)


def _stamp(root: str, command: Command) -> Stamp:
    """What tells whether pytest would be configured the same way again: the files that it looks for."""
    folders, kinds = {root}, []
    for word in command[0][2:]:
        path = os.path.join(root, word.partition("::")[0])
        kinds.append(_stat(path)[:1])
        while path.startswith(root + "/"):
            folders.add(path)
            path = os.path.dirname(path)
    files = [os.path.join(folder, name) for folder in sorted(folders) for name in CONFIGURATION]
    return (*kinds, *map(_stat, files))


def _stat(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return stat.S_IFMT(found.st_mode), found.st_ino, found.st_mtime_ns, found.st_size
