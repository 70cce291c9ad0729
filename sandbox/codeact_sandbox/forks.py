"""The Worker's side of the fork server: starts it, asks it for processes, and does without it when it cannot.

The fork server (`forkserver`) is a process like any other in the sandbox, and code that is not trusted may stop or kill
it. Whatever it does not answer in time is run cold.
"""

from __future__ import annotations

import json
import os
import select

TYPE_CHECKING = False
if TYPE_CHECKING:  # these are loaded when they are needed
    import socket
    from collections.abc import Callable, Sequence
    from typing import Any

MAX_STARTS = 3
MAX_WAITS = 3
START_SECONDS = 10.0
FORK_SECONDS = 10.0
PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "forkserver.py")


class Forks:
    """At most one fork server for the sandbox's interpreter."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.pid = 0
        self.starts = 0
        self.waits = 0
        self.ready = False
        self.line: socket.socket | None = None

    def start(self, python: str, enter: Callable[[], None]) -> None:
        """Have it load, if it can; `enter` is called in the new process first."""
        if self.line or self.starts >= MAX_STARTS:
            return
        self.starts += 1
        import socket

        ours, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                ours.close()
                enter()
                theirs.set_inheritable(True)
                command = [python, "-B", PROGRAM, str(theirs.fileno()), self.root]
                os.execvp(python, command)  # noqa: S606 - no shell is wanted
            finally:
                os._exit(127)
        theirs.close()
        self.line, self.ready = ours, False

    def fork(self, argv: Sequence[str], environ: dict[str, str], descriptors: Sequence[int]) -> int:
        """The process id of a new process that does what `python ARGV` does; 0 if it must be started cold."""
        if not self.line or not self._is_ready():
            return 0
        request = json.dumps({"argv": list(argv), "environ": environ}).encode("ascii") + b"\n"
        try:
            self.line.settimeout(FORK_SECONDS)
            import socket

            sent = socket.send_fds(self.line, [request], list(descriptors))
            self.line.sendall(request[sent:])
        except OSError:
            self.close()
            return 0
        answer = _read(self.line, FORK_SECONDS)
        if not answer:
            self.close()
        pid = answer.get("pid")
        return pid if isinstance(pid, int) and pid > 1 else 0

    def _is_ready(self) -> bool:
        """Wait a while for it to have loaded what it loads; one that takes longer may be ready for the next run."""
        if self.line and not self.ready:
            self.waits += 1
            if self.waits < MAX_WAITS and not select.select([self.line], [], [], START_SECONDS)[0]:
                return False
            self.ready = "ready" in _read(self.line, START_SECONDS)
            if not self.ready:
                self.close()
                self.starts = MAX_STARTS  # it would say the same again
        return self.ready

    def processes(self) -> set[int]:
        """It, and those that it has begun and keeps: they have run nothing of the project."""
        found = {self.pid}
        try:
            with open(f"/proc/{self.pid}/task/{self.pid}/children", "rb") as children:
                found.update(map(int, children.read().split()))
        except (OSError, ValueError):
            pass
        return found

    def close(self) -> None:
        """Let it go; it ends with the line."""
        if self.line:
            self.line.close()
        self.line, self.pid = None, 0


def _read(line: socket.socket, seconds: float) -> dict[str, Any]:
    """One answer; an empty one if none comes in time."""
    data = b""
    try:
        line.settimeout(seconds)
        while not data.endswith(b"\n"):
            piece = line.recv(1 << 16)
            if not piece:
                return {}
            data += piece
        answer: dict[str, Any] = json.loads(data)
    except (OSError, ValueError):
        return {}
    return answer
