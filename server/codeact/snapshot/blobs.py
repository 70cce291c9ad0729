"""Contents in a store, without a git process where none is needed: that takes a hundred times as long."""

import hashlib
import os
import zlib
from pathlib import Path

from codeact.errors import SnapshotError
from codeact.snapshot.command import run_git
from codeact.snapshot.files import replace
from codeact.snapshot.store import Store


def write_blob(store: Store, content: bytes) -> str:
    """Keep a content, and return its id."""
    framed = b"blob %d\0%b" % (len(content), content)
    name = hashlib.sha1(framed, usedforsecurity=False).hexdigest()
    file = _loose(store, name)
    try:
        os.utime(file)  # used again: young for `prune`
    except FileNotFoundError:
        file.parent.mkdir(exist_ok=True)
        replace(file, zlib.compress(framed, 1), 0o444)
    return name


def read_blob(store: Store, name: str) -> bytes:
    """A content that was kept.

    Raises:
        SnapshotError: it is damaged or gone.
    """
    try:
        framed = zlib.decompress(_loose(store, name).read_bytes())
    except FileNotFoundError:
        return run_git(store, "cat-file", "blob", name).output
    except zlib.error as error:
        raise SnapshotError(f"The object {name} in {store.path} is damaged. Remove that folder.") from error
    return framed.partition(b"\0")[2]


def _loose(store: Store, name: str) -> Path:
    return store.path / "objects" / name[:2] / name[2:]
