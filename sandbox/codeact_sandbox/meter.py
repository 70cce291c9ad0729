"""Bounds what is written to a view whose upper layer lies on a disk, where nothing else bounds it."""

from __future__ import annotations

import os
import stat

REASON_ENOUGH = 4  # times the limit: so much less room is taken for the view's doing, whatever can be found in it
MAX_FILES = 200_000


class Meter:
    """Watches the room on a view's disk, which costs nothing, and looks closer when it shrinks.

    `upper` is where the view's upper layer can be read; empty if it is on a file system of bounded size.
    """

    def __init__(self, root: str, upper: str) -> None:
        self.root = root
        self.upper = upper
        self.free, self.nodes = self._room() if upper else (0, 0)

    def is_over(self, limit: int) -> bool:
        """Whether more than `limit` bytes, or MAX_FILES files, were written."""
        if not self.upper:
            return False
        free, nodes = self._room()
        gone, files = self.free - free, self.nodes - nodes
        if gone <= limit and files <= MAX_FILES:
            return False
        if gone > REASON_ENOUGH * limit or files > REASON_ENOUGH * MAX_FILES:
            return True
        held, count = self._held()
        if held > limit or count > MAX_FILES:
            return True
        self.free, self.nodes = free + held, nodes + count  # somebody else on this disk took the room
        return False

    def _room(self) -> tuple[int, int]:
        found = os.statvfs(self.root)
        return found.f_bfree * found.f_frsize, found.f_ffree

    def _held(self) -> tuple[int, int]:
        """Bytes and files in the upper layer."""
        held, count, pending = 0, 0, [""]
        while pending and count <= MAX_FILES:
            folder = pending.pop()
            try:
                entries = list(os.scandir(os.path.join(self.upper, folder)))
            except PermissionError:  # hidden from everybody, so also from us: through the view it can be opened
                os.chmod(os.path.join(self.root, folder), stat.S_IRWXU)
                entries = list(os.scandir(os.path.join(self.upper, folder)))
            for entry in entries:
                count += 1
                found = entry.stat(follow_symlinks=False)
                held += found.st_blocks * 512
                if stat.S_ISDIR(found.st_mode):
                    pending.append(os.path.join(folder, entry.name))
        return held, count
