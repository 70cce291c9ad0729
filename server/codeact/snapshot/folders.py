"""The folders of a large workspace, and whether files came or went in them since they were last looked through.

To look for untracked files is two thirds of a look, and the second look of a snapshot follows the first in the same
second. A folder's times tell when something in it came or went, so that look need not read any again.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from codeact.snapshot.files import put_text
from codeact.snapshot.index import count_entries
from codeact.snapshot.source import Source, look
from codeact.snapshot.store import Store

LARGE = 5_000  # files, from which on this is worth a git process


class Folders:
    """Those that an index knows of, or has known, as they were when they were noted."""

    def __init__(self, source: Source, store: Store) -> None:
        self._source = source
        self._store = store
        self._file = store.path / "folders"
        self._names = set(os.fsdecode(self._file.read_bytes()).split("\0")) if self._file.exists() else set()
        self._noted: dict[str, tuple[int, int, int]] = {}

    def note(self) -> None:
        """Note how they are now, before somebody looks through them."""
        self._noted = {}
        if count_entries(self._store.index) < LARGE:
            return
        if not self._names:
            self.add(look(self._source, self._store, "ls-files", "-z", "-c").paths)
        self._noted = {name: _times(self._source.workspace / name) for name in self._names}

    def add(self, paths: Iterable[str]) -> None:
        """Learn of the folders of these files."""
        for path in paths:
            folder = path.rpartition("/")[0]
            while folder not in self._names:
                self._names.add(folder)
                folder = folder.rpartition("/")[0]

    def forget(self) -> None:
        """Have the next look be a whole one."""
        self._noted = {}

    def stand(self) -> bool:
        """Whether all are as they were noted; false if none were."""
        workspace = self._source.workspace
        return bool(self._noted) and all(_times(workspace / name) == times for name, times in self._noted.items())

    def save(self) -> None:
        """Keep what is known of for the next snapshot."""
        if self._names:
            put_text(self._file, "\0".join(sorted(self._names)))


def _times(folder: Path) -> tuple[int, int, int]:
    try:
        found = os.lstat(folder)
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
