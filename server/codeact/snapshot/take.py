"""Taking a snapshot of a workspace."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace

from codeact.settings import Settings
from codeact.snapshot.buffers import place_buffers
from codeact.snapshot.caps import Size
from codeact.snapshot.files import put_text, stamp
from codeact.snapshot.frozen import Snapshot
from codeact.snapshot.index import count_entries, put_files, scratch_index, write_index
from codeact.snapshot.intake import Intake
from codeact.snapshot.source import Source, find_source, resolve_workspace
from codeact.snapshot.store import Store, lock_store, mirrors_path, store_path
from codeact.trajectory import Rejected


def take_snapshot(settings: Settings, buffers: Mapping[str, str] | None = None) -> Snapshot:
    """Freeze the workspace as it is now. The workspace, and its `.git`, are only read.

    Args:
        settings: name the workspace, the state folder, the caps and further secrets.
        buffers: unsaved texts by path, relative to the workspace; they override the disk.

    Raises:
        WorkspaceError: there is no such folder, or a buffer lies outside of it.
        SnapshotError: it is too large, changes all the time, or git is missing.
    """
    workspace = resolve_workspace(settings)
    with lock_store(store_path(settings, workspace), workspace) as store:
        source = find_source(settings, workspace, store)
        snapshot = _take_disk(source, store, settings)
        return _override(snapshot, source, store, buffers) if buffers else snapshot


@dataclass(frozen=True)
class _Last:
    """What the last snapshot of the disk alone came to, as long as the index has the same stamp."""

    tree: str = ""
    bytes: int = 0
    stamp: str = ""


def _take_disk(source: Source, store: Store, settings: Settings) -> Snapshot:
    last = _read_last(store)
    intake = Intake(source, store, Size(bytes=last.bytes))
    left_out = intake.settle()
    tree = last.tree
    if intake.changed or not tree:
        tree = write_index(store, store.index, source.prefix)
        intake.backdate()
        last = _Last(tree, intake.size.bytes, stamp(store.index))
        put_text(store.path / "last.json", json.dumps(vars(last)))
    return Snapshot(
        tree=tree,
        workspace=source.workspace,
        store=store.path,
        files=count_entries(store.index),
        left_out=left_out,
        mirrors=mirrors_path(settings, store.path),
    )


def _read_last(store: Store) -> _Last:
    try:
        last = _Last(**json.loads((store.path / "last.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return _Last()
    # Without it the bound on the bytes is not known either, and all must be measured.
    if last.stamp != stamp(store.index):
        store.index.unlink(missing_ok=True)
        return _Last()
    return last


def _override(snapshot: Snapshot, source: Source, store: Store, buffers: Mapping[str, str]) -> Snapshot:
    placed, left_out = place_buffers(source, store, buffers)
    rejected = {rejected.path: rejected for rejected in snapshot.left_out}
    rejected |= {path: Rejected(path, reason) for path, reason in left_out.items()}
    snapshot = replace(snapshot, left_out=tuple(rejected[path] for path in sorted(rejected)))
    if not placed:
        return snapshot
    with scratch_index(store) as index:
        if store.index.exists():
            shutil.copyfile(store.index, index)
        put_files(store, index, source.prefix, placed)
        return replace(snapshot, tree=write_index(store, index, source.prefix), files=count_entries(index))
