"""Forgetting what nobody needs any more: old snapshots, their files, and the stores of workspaces that are gone."""

import fcntl
import os
import time
from pathlib import Path

from codeact.errors import SnapshotError
from codeact.settings import Settings
from codeact.snapshot.command import run_git
from codeact.snapshot.files import remove, try_lock
from codeact.snapshot.mirror import sweep_mirrors
from codeact.snapshot.store import Store, mirrors_path

WEEKS = 2
WEEK = 7 * 24 * 3600
SECONDS = WEEKS * WEEK


def prune(settings: Settings) -> None:
    """Remove what no run keeps and nothing has used for two weeks. A store that is in use now is passed over.

    Raises:
        SnapshotError: git is missing or failed.
    """
    for path in (settings.state / "snapshots").glob("*"):
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if try_lock(descriptor, fcntl.LOCK_EX):
                _prune_store(Store(path, descriptor), mirrors_path(settings, path))
        finally:
            os.close(descriptor)


def prune_weekly(settings: Settings) -> None:
    """Prune if that was not done for a week, so that nobody has to think of it; if it fails, it waits for a week."""
    mark = settings.state / "pruned"
    try:
        old = mark.exists() and mark.stat().st_mtime < time.time() - WEEK
        if old or not mark.exists():
            mark.touch()
        if old:
            prune(settings)
    except (OSError, SnapshotError):
        return


def _prune_store(store: Store, mirrors: Path) -> None:
    old = time.time() - SECONDS
    for folder in (store.path / "scratch").glob("*"):
        if folder.stat().st_mtime < old:
            remove(folder)
    if not _is_wanted(store, old):
        sweep_mirrors(mirrors, 0)
        remove(store.path)
        return
    locks = [lock.stat().st_mtime for lock in mirrors.glob("slot-*/lock")]
    if locks and max(locks) < old:
        sweep_mirrors(mirrors, 0)
    run_git(store, "gc", "--quiet", f"--prune={WEEKS}.weeks.ago")


def _is_wanted(store: Store, old: float) -> bool:
    """Whether the workspace is still there, or a run keeps something of it, or it was used lately."""
    workspace = store.path / "workspace"
    if not workspace.exists() or (store.path / "rules").stat().st_mtime > old:
        return True
    if Path(os.fsdecode(workspace.read_bytes()).removesuffix("\n")).is_dir():
        return True
    return any((store.path / "refs" / "codeact").glob("*/*"))
