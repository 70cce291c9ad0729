"""Starting a process that may outlive this one, without leaving a zombie while this one lives on."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_running: set[int] = set()


def start_daemon(command: Sequence[str], log: Path, environ: Mapping[str, str]) -> int:
    """Start a program in a session of its own, so that Ctrl+C in this terminal does not end it.

    Args:
        command: absolute path of the program, and its arguments.
        log: file that its output is added to.
        environ: its environment.

    Returns:
        Its process id, for `poll_daemon`.
    """
    actions = (
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    )
    pid = os.posix_spawn(command[0], list(command), environ, file_actions=actions, setsid=True)
    _running.add(pid)
    return pid


def poll_daemon(pid: int) -> int | None:
    """Its exit code, negative for a signal; None while it runs. Asked again after the end, it is 0."""
    if pid not in _running:
        return 0
    try:
        done, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:  # somebody else in this process waited for it
        done, status = pid, 0
    if not done:
        return None
    _running.discard(pid)
    return os.waitstatus_to_exitcode(status)


def reap_daemons(patience: float = 0.0) -> None:
    """Wait for those that are ending.

    Args:
        patience: seconds.
    """
    end = time.monotonic() + patience
    while any([poll_daemon(pid) is None for pid in tuple(_running)]) and time.monotonic() < end:  # noqa: C419 - all
        time.sleep(0.01)
