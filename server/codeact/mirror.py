"""Working copies of snapshots: the folders that sandboxes show, read-only, below their views.

A copy is updated in place, so that it costs what changed, but never while a sandbox uses it: it is leased by a shared
lock on its file, and only who has the exclusive one may touch it.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from codeact.errors import SnapshotError
from codeact.freeze import Snapshot
from codeact.gitstore import split
from codeact.sandboxes.base import sandbox_user

MOST = 64


@contextlib.contextmanager
def materialise(snapshot: Snapshot) -> Iterator[Path]:
    """A folder that holds exactly the snapshot's files, for as long as the context lasts.

    When the server is root, they belong to the user that code in a sandbox has.

    Raises:
        SnapshotError: the files cannot be written, for instance since the disk is full.
    """
    name = hashlib.sha256(os.fsencode(snapshot.workspace)).hexdigest()[:20]
    root = snapshot.cache / "mirrors" / name
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _lease(root, snapshot) as slot:
        yield slot / "files"


@contextlib.contextmanager
def _lease(root: Path, snapshot: Snapshot) -> Iterator[Path]:
    with (root / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        slot, lock = _choose(root, snapshot)
        try:
            if _tree_of(slot) != snapshot.tree:
                _update(slot, snapshot)
        except BaseException:
            lock.close()
            raise
        fcntl.flock(lock, fcntl.LOCK_SH)
    with lock:
        yield slot


def _choose(root: Path, snapshot: Snapshot) -> tuple[Path, TextIO]:
    """A slot that has the tree already, else one that nobody uses, else a new one; with its lock."""
    slots = sorted(folder for folder in root.iterdir() if folder.is_dir())
    for slot in slots:
        if _tree_of(slot) == snapshot.tree:
            lock = (slot / "lease").open("w")
            fcntl.flock(lock, fcntl.LOCK_SH)
            return slot, lock
    for slot in slots:
        lock = (slot / "lease").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        return slot, lock
    if len(slots) >= MOST:
        raise SnapshotError(
            f"{MOST} sandboxes show other states of {snapshot.workspace} right now. Wait for some to end."
        )
    slot = root / f"{len(slots):02}"
    slot.mkdir(mode=0o700)
    lock = (slot / "lease").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return slot, lock


def _tree_of(slot: Path) -> str:
    """The tree that a slot holds; empty while it is updated, and after a crash in doing so."""
    with contextlib.suppress(OSError):
        return (slot / "tree").read_text("ascii")
    return ""


def _update(slot: Path, snapshot: Snapshot) -> None:
    files, index, mark = slot / "files", slot / "index", slot / "tree"
    before = _tree_of(slot)
    mark.unlink(missing_ok=True)
    if not before:
        shutil.rmtree(files, ignore_errors=True)
        index.unlink(missing_ok=True)
        files.mkdir(mode=0o755)
    try:
        snapshot.store.run("read-tree", "--reset", "-u", snapshot.tree, tree=files, index=index)
        if os.getuid() == 0:
            _give(files, _written(snapshot, before))
    except OSError as error:
        raise SnapshotError(f"The copy of the workspace in {files} cannot be written: {error.strerror}.") from error
    mark.write_text(snapshot.tree, "ascii")


def _written(snapshot: Snapshot, before: str) -> list[bytes]:
    if not before:
        return split(snapshot.store.run("ls-tree", "-r", "-z", "--name-only", snapshot.tree))
    return split(snapshot.store.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", before, snapshot.tree))


def _give(files: Path, paths: list[bytes]) -> None:
    """Give files, and the folders they are in, to the user of sandboxes."""
    uid, gid = sandbox_user()
    root = os.fsencode(files)
    folders = {b""}
    for path in paths:
        parts = path.split(b"/")
        folders.update(b"/".join(parts[:count]) for count in range(1, len(parts)))
    for path in (*folders, *paths):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.chown(os.path.join(root, path), uid, gid, follow_symlinks=False)  # noqa: PTH118 - bytes
