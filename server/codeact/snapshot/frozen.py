"""A snapshot, and what can be read from it and made of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from codeact.errors import SnapshotError
from codeact.settings import MIB, Settings
from codeact.snapshot.blobs import read_blob
from codeact.snapshot.command import run_git
from codeact.snapshot.files import put_text, remove
from codeact.snapshot.index import count_entries, put_files, scratch_index, write_index
from codeact.snapshot.source import resolve_workspace
from codeact.snapshot.store import Store, mirrors_path, store_path
from codeact.trajectory import FileChange, FileState, Rejected

TREE = re.compile(r"[0-9a-f]{40}")
RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
MOST_FILES, MOST_BYTES = 200, 8 * MIB  # of a difference that is small


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A frozen copy of a workspace.

    Attributes:
        tree: its id: the git tree id of its files.
        workspace: what it is a copy of.
        store: the git folder that holds it.
        files: how many files it has.
        left_out: what it does not hold though it is in the workspace and not ignored, and why.
        mirrors: the folder in which its files can be made to appear.
    """

    tree: str
    workspace: Path
    store: Path
    files: int
    left_out: tuple[Rejected, ...] = ()
    mirrors: Path


def open_snapshot(settings: Settings, tree: str) -> Snapshot:
    """An earlier snapshot of the workspace, by its id.

    Raises:
        WorkspaceError: there is no such folder.
        SnapshotError: it is not kept any more.
    """
    workspace = resolve_workspace(settings)
    store = store_path(settings, workspace)
    snapshot = Snapshot(tree=tree, workspace=workspace, store=store, files=0, mirrors=mirrors_path(settings, store))
    if not TREE.fullmatch(tree) or not (store / "objects").is_dir():
        raise SnapshotError(f"There is no snapshot {tree} of {workspace}.")
    return replace(snapshot, files=len(_entries(store, tree)))


def has_snapshots(settings: Settings) -> bool:
    """Whether a snapshot of the workspace was taken before, so that another one costs little."""
    return (store_path(settings, resolve_workspace(settings)) / "index").exists()


def list_files(snapshot: Snapshot) -> tuple[str, ...]:
    """The paths of all its files, in git's order."""
    return tuple(_entries(snapshot.store, snapshot.tree))


def read_file(snapshot: Snapshot, path: str) -> FileState | None:
    """One of its files; None if it has none of that name.

    Raises:
        SnapshotError: it is damaged.
    """
    entry = _entries(snapshot.store, snapshot.tree).get(path)
    return FileState(read_blob(Store(snapshot.store), entry[1]), entry[0]) if entry else None


@lru_cache(maxsize=8)
def _entries(store: Path, tree: str) -> Mapping[str, tuple[str, str]]:
    """Mode and id of each file. What a tree holds never changes, so it may be remembered."""
    reply = run_git(Store(store), "ls-tree", "-r", "-z", tree, check=False)
    if reply.status:
        raise SnapshotError(f"The snapshot {tree} is not kept any more, or it is damaged: {reply.problem.strip()}")
    entries = {}
    for line in reply.paths:
        facts, _, path = line.partition("\t")
        mode, _, name = facts.split(" ")
        entries[path] = (mode, name)
    return entries


def difference(
    snapshot: Snapshot, other: Snapshot, *, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES
) -> Mapping[str, FileState | None] | None:
    """What to write over one snapshot's files to have another's, None for what to delete.

    None in place of all if that is too much, or if a folder stands where a file was.

    Raises:
        SnapshotError: one of them is not kept any more.
    """
    if snapshot.tree == other.tree:
        return {}
    store = Store(snapshot.store)
    said = run_git(store, "diff-tree", "-r", "-z", "--raw", "--no-renames", snapshot.tree, other.tree).paths
    entries = list(zip(said[0::2], said[1::2], strict=True))
    paths = {path for _, path in entries}
    if len(entries) > most_files or any(parent in paths for path in paths for parent in _parents(path)):
        return None
    files: dict[str, FileState | None] = {}
    for facts, path in entries:
        _, mode, _, name, change = facts.split(" ")
        files[path] = None if change == "D" else FileState(read_blob(store, name), mode)
        most_bytes -= len(state.content) if (state := files[path]) else 0
        if most_bytes < 0:
            return None
    return files


def write_tree(snapshot: Snapshot, changes: Sequence[FileChange]) -> Snapshot:
    """The snapshot that results from changes. What the files were before is not looked at.

    Raises:
        SnapshotError: a change has a path or a mode that no snapshot can hold.
    """
    store = Store(snapshot.store)
    with scratch_index(store) as index:
        run_git(store, "read-tree", snapshot.tree, environ={"GIT_INDEX_FILE": index})
        put_files(store, index, "", {change.path: change.after for change in changes})
        return replace(snapshot, tree=write_index(store, index, ""), files=count_entries(index))


def _parents(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def keep(snapshot: Snapshot, run: str) -> None:
    """Keep a snapshot from being pruned until its run is released. A run may keep several.

    Raises:
        SnapshotError: the run's id is none.
    """
    put_text(_refs(snapshot.store, run) / snapshot.tree, f"{snapshot.tree}\n")


def release(settings: Settings, run: str) -> None:
    """Let go of what a run keeps, if it keeps anything."""
    remove(_refs(store_path(settings, resolve_workspace(settings)), run))


def _refs(store: Path, run: str) -> Path:
    if not RUN.fullmatch(run):
        raise SnapshotError(f"{run!r} is no id of a run.")
    return store / "refs" / "codeact" / run
