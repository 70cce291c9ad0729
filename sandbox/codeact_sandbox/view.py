"""The writable view and the frozen snapshot below it: what differs, and making them equal again.

Everything found in the view was made by code that is not trusted: nothing is followed, opened to block, or read without
a bound. Paths travel as text with `surrogateescape`.
"""

from __future__ import annotations

import binascii
import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` would take longer than the rest
    from typing import Any, Iterator

MAX_FILE = 16 * 1024 * 1024
MAX_TOTAL = 64 * 1024 * 1024
MAX_FILES = 10_000
MAX_DEPTH = 64
MAX_REJECTED = 100
JUNK = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".git"})
JUNK_ENDS = (".pyc", ".pyo")


class View:
    """A view, its snapshot, and the paths in it that are not of the snapshot (a virtual environment shown on top).

    `upper` is where the overlay's upper layer can be read: folders that it has not are as the snapshot has them. Empty
    if that cannot be seen. `base` holds the files of the snapshot that are others than those in its folder.
    """

    def __init__(self, root: str, snapshot: str, excluded: list[str], upper: str) -> None:
        self.root = root
        self.snapshot = snapshot
        self.excluded = frozenset(excluded)
        self.upper = upper
        self.base: dict[str, dict[str, str] | None] = {}
        self.folders: frozenset[str] = frozenset()

    def attach(self, files: dict[str, dict[str, str] | None]) -> bool:
        """Make the snapshot another one, which has these files. Tells whether folders came or went by that."""
        moved = False
        for path, state in files.items():
            parent = os.path.dirname(path)
            moved |= not os.path.isdir(os.path.join(self.root, parent))
            self.write(path, state)
            while state is None and parent and self._is_empty(parent):
                os.rmdir(os.path.join(self.root, parent))
                parent, moved = os.path.dirname(parent), True
        self.base.update(files)
        present = [path for path, state in self.base.items() if state is not None]
        self.folders = frozenset(folder for path in present for folder in _parents(path))
        return moved

    def changes(self) -> dict[str, Any]:
        """Files that differ, with content; `null` for those that are gone; and what cannot be taken over, with why."""
        files: dict[str, Any] = {}
        rejected: list[list[str]] = []
        total = 0
        for path, now in self._differing():
            if len(files) >= MAX_FILES:
                rejected.append([path, f"more than {MAX_FILES} files changed"])
                break
            if now is None:
                files[path] = None
                continue
            state, reason = self._read(path, now, MAX_TOTAL - total)
            if state is None:
                rejected.append([path, reason])
                if len(rejected) >= MAX_REJECTED:
                    break
            else:
                total += now.st_size
                files[path] = state
        return {"files": files, "rejected": rejected}

    def restore(self) -> None:
        """Put the view back, also what `changes` does not speak of: bytecode, caches, empty folders, special files."""
        for path, now in list(self._differing(everything=True)):
            target = os.path.join(self.root, path)
            _remove(target)
            source = os.path.join(self.snapshot, path)
            if path in self.base:
                self.write(path, self.base[path])
            elif now is None or os.path.lexists(source):
                _copy(source, target)

    def write(self, path: str, state: dict[str, str] | None) -> None:
        """Put one file into the view, or delete it."""
        target = os.path.join(self.root, path)
        parent = os.path.dirname(target)
        if os.path.realpath(parent) != os.path.normpath(parent) and os.path.lexists(parent):
            raise OSError(errno.ELOOP, "a folder of the path is a symlink", path)
        _remove(target)
        if state is None:
            return
        os.makedirs(parent, exist_ok=True)
        content = binascii.a2b_base64(state["content"])
        if state["mode"] == "120000":
            os.symlink(content, target)
            return
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(target, 0o755 if state["mode"] == "100755" else 0o644)

    def _differing(  # noqa: C901 - one pass over two trees, with a case for each pair of kinds
        self, *, everything: bool = False
    ) -> Iterator[tuple[str, os.stat_result | None]]:
        """Paths that differ and their state in the view; None for what only the snapshot has."""
        pending = [("", 0)]
        while pending:
            folder, depth = pending.pop()
            here, below = self._list(self.root, folder), self._list(self.snapshot, folder)
            for name in sorted(here.keys() | below.keys()):
                path = f"{folder}/{name}" if folder else name
                now, then = here.get(name), below.get(name)
                if path in self.excluded or path in self.base or (not everything and _is_junk(name)):
                    continue
                if now is not None and stat.S_ISDIR(now.st_mode):
                    if then is not None and not stat.S_ISDIR(then.st_mode):
                        yield path, (now if everything else None)
                    if depth < MAX_DEPTH and (then is None or self._is_touched(path)):
                        pending.append((path, depth + 1))
                    if everything and then is None and path not in self.folders:
                        yield path, now
                elif then is not None and stat.S_ISDIR(then.st_mode):
                    if now is not None:
                        yield path, now
                    yield from self._files_below(path)
                elif now is None or then is None or not self._same(path, now, then):
                    yield path, now
        yield from self._differing_from_base()

    def _differing_from_base(self) -> Iterator[tuple[str, os.stat_result | None]]:
        for path, state in self.base.items():
            try:
                now = os.lstat(os.path.join(self.root, path))
            except OSError:
                now = None
            found = self._read(path, now, MAX_FILE)[0] if now is not None else None
            if found != state or (now is not None) != (state is not None):
                yield path, now

    def _is_touched(self, folder: str) -> bool:
        """Whether something in a folder may differ from the snapshot: the overlay then has it in its upper layer."""
        try:
            return not self.upper or stat.S_ISDIR(os.lstat(os.path.join(self.upper, folder)).st_mode)
        except FileNotFoundError:
            return False
        except OSError:
            return True

    def _is_empty(self, folder: str) -> bool:
        try:
            return not os.listdir(os.path.join(self.root, folder))
        except OSError:
            return False

    def _files_below(self, folder: str) -> Iterator[tuple[str, None]]:
        """The snapshot's files in a folder that the view has no more."""
        for name, found in self._list(self.snapshot, folder).items():
            path = f"{folder}/{name}"
            if stat.S_ISDIR(found.st_mode):
                yield from self._files_below(path)
            elif path not in self.base:
                yield path, None

    @staticmethod
    def _list(root: str, folder: str) -> dict[str, os.stat_result]:
        try:
            with os.scandir(os.path.join(root, folder) if folder else root) as entries:
                return {entry.name: entry.stat(follow_symlinks=False) for entry in entries}
        except OSError:
            return {}

    def _same(self, path: str, now: os.stat_result, then: os.stat_result) -> bool:  # noqa: PLR0911 - cheapest test first
        if stat.S_IFMT(now.st_mode) != stat.S_IFMT(then.st_mode) or now.st_size != then.st_size:
            return False
        if (now.st_mode ^ then.st_mode) & 0o100:
            return False
        if (now.st_mtime_ns, now.st_ctime_ns) == (then.st_mtime_ns, then.st_ctime_ns):
            return True  # ctime cannot be set: nobody has written to it
        one, other = os.path.join(self.root, path), os.path.join(self.snapshot, path)
        try:
            if stat.S_ISLNK(now.st_mode):
                return os.readlink(one) == os.readlink(other)
            with open(one, "rb", opener=_open_quietly) as left, open(other, "rb") as right:
                while True:
                    block = left.read(1 << 20)
                    if block != right.read(1 << 20):
                        return False
                    if not block:
                        return True
        except OSError:
            return False

    def _read(self, path: str, now: os.stat_result, room: int) -> tuple[dict[str, str] | None, str]:
        target = os.path.join(self.root, path)
        if "\n" in path or "\0" in path:
            return None, "its name holds a line break"
        try:
            if stat.S_ISLNK(now.st_mode):
                return {"mode": "120000", "content": _encode(os.fsencode(os.readlink(target)))}, ""
            if not stat.S_ISREG(now.st_mode):
                return None, "it is no regular file"
            if now.st_size > min(MAX_FILE, room):
                return None, f"it is too large ({now.st_size} bytes)"
            with open(target, "rb", opener=_open_quietly) as file:
                content = file.read(MAX_FILE + 1)
        except OSError as error:
            return None, f"it cannot be read: {error.strerror}"
        return {"mode": "100755" if now.st_mode & 0o100 else "100644", "content": _encode(content)}, ""


def _parents(path: str) -> Iterator[str]:
    while path := os.path.dirname(path):
        yield path


def _is_junk(name: str) -> bool:
    return name in JUNK or name.endswith(JUNK_ENDS)


def _open_quietly(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _encode(content: bytes) -> str:
    return binascii.b2a_base64(content, newline=False).decode("ascii")


def _remove(target: str) -> None:
    try:
        if os.path.isdir(target) and not os.path.islink(target):
            remove_folder(target)
        else:
            os.unlink(target)
    except (FileNotFoundError, NotADirectoryError):
        pass


def remove_folder(top: str) -> None:
    """Delete a folder, however deep it is and whoever may not look into it.

    Folders are moved beside the top one before they are emptied, so that no path grows too long. A folder that the
    snapshot has cannot be moved; those are as deep as the developer made them.
    """
    pending, emptied, moved = [top], [], 0
    while pending:
        folder = pending.pop()
        emptied.append(folder)
        os.chmod(folder, 0o700)
        with os.scandir(folder) as entries:
            found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for path, is_folder in found:
            if not is_folder:
                os.unlink(path)
                continue
            moved += 1
            aside = f"{top}.{moved}.codeact"
            try:
                os.chmod(path, 0o700)
                os.rename(path, aside)
                pending.append(aside)
            except OSError:
                pending.append(path)
    for folder in reversed(emptied):
        os.rmdir(folder)


def _copy(source: str, target: str) -> None:
    import shutil

    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    elif os.path.isdir(source):
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)
