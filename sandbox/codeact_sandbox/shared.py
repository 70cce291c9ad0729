"""Bounds memory that counts for no process: files without a name (`memfd_create`) and shared mappings.

Where the server is an ordinary user no control group counts it. The machine's own figure is watched, which costs
nothing; only when it grows by more than a sandbox may have are the sandbox's processes looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterable


class SharedMemory:
    """Watches shared memory from now on."""

    def __init__(self) -> None:
        self.before = _of_machine()

    def is_over(self, limit: int, pids: Iterable[int]) -> bool:
        """Whether processes hold more than `limit` bytes of it. One that hides what it holds counts as guilty."""
        now = _of_machine()
        if now - self.before <= limit:
            return False
        try:
            if sum(map(_held, pids)) + sum(_unnamed(pids).values()) > limit:
                return True
        except PermissionError:
            return True
        self.before = now  # somebody else took it
        return False


def _of_machine() -> int:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            return next((int(line.split()[1]) << 10 for line in file if line.startswith("Shmem:")), 0)
    except OSError:
        return 0


def _held(pid: int) -> int:
    """A process's part of the shared memory that it has mapped."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return next((int(line.split()[1]) << 10 for line in file if line.startswith("Pss_Shmem:")), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _unnamed(pids: Iterable[int]) -> dict[int, int]:
    """The bytes of open files without a name, by inode."""
    found: dict[int, int] = {}
    for pid in pids:
        folder = f"/proc/{pid}/fd"
        try:
            for name in os.listdir(folder):
                path = os.path.join(folder, name)
                if os.readlink(path).startswith("/memfd:"):
                    status = os.stat(path)
                    found[status.st_ino] = status.st_blocks * 512
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
