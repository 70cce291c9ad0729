"""Index files of git in a store: counting, changing and writing them as trees."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from codeact.errors import SnapshotError
from codeact.snapshot.blobs import write_blob
from codeact.snapshot.command import run_git
from codeact.snapshot.store import MODES, Store
from codeact.trajectory import FileState

EMPTY_BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
NOTHING = "0" * 40


def count_entries(index: Path) -> int:
    """How many files an index holds: bytes 8 to 11 of the file."""
    try:
        with index.open("rb") as stream:
            return int.from_bytes(stream.read(12)[8:], "big")
    except FileNotFoundError:
        return 0


def change_index(store: Store, index: Path, entries: Iterable[str]) -> None:
    """Put lines like those of `git update-index --index-info` into an index.

    Raises:
        SnapshotError: git refuses one of them.
    """
    stdin = os.fsencode("".join(f"{entry}\0" for entry in entries))
    run_git(store, "update-index", "-z", "--replace", "--index-info", environ={"GIT_INDEX_FILE": index}, stdin=stdin)


def put_files(store: Store, index: Path, prefix: str, files: Mapping[str, FileState | None]) -> None:
    """Put contents into an index; None takes a file out.

    Raises:
        SnapshotError: a path or a mode is none that git knows.
    """
    entries = []
    for path, state in files.items():
        if "\0" in path or any(part.casefold() in ("", ".", "..", ".git") for part in path.split("/")):
            raise SnapshotError(f"{path!r} is no path that a snapshot can hold.")
        if state and state.mode not in MODES:
            raise SnapshotError(f"{path} has the mode {state.mode}, which a snapshot cannot hold.")
        entry = f"{state.mode} {write_blob(store, state.content)}" if state else f"0 {NOTHING}"
        entries.append(f"{entry}\t{prefix}{path}")
    if entries:
        change_index(store, index, entries)


def write_index(store: Store, index: Path, prefix: str) -> str:
    """Write an index as a tree, and return the id of its part below a prefix."""
    if not count_entries(index):
        run_git(store, "hash-object", "-t", "tree", "-w", "--stdin")
        return EMPTY_TREE
    part = (f"--prefix={prefix}",) if prefix else ()
    return run_git(store, "write-tree", *part, environ={"GIT_INDEX_FILE": index}).output.decode().strip()


@contextmanager
def scratch_index(store: Store) -> Iterator[Path]:
    """A place for an index that is needed once."""
    with tempfile.TemporaryDirectory(dir=store.path / "scratch") as folder:
        yield Path(folder) / "index"
