"""Making the files of a snapshot appear in a folder, for a sandbox to read.

A few folders per workspace are kept and brought from one snapshot to the next by git, which touches only what differs.
Who uses a folder holds a shared lock on it; who changes one holds it alone.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from codeact.errors import SnapshotError
from codeact.sandboxes.base import sandbox_user
from codeact.snapshot.command import run_git
from codeact.snapshot.files import put_text, remove, try_lock
from codeact.snapshot.frozen import Snapshot
from codeact.snapshot.store import Store

KEPT = 2  # folders of a workspace that nobody uses: what a run starts from, and what it proposes
YOUNG = 4_000_000_000  # seconds since 1970: younger than every file
# What follows from giving the files to the sandbox's user is no change, nor is anything else that leaves a file's
# size and time of change alone.
LENIENT = ("-c", "core.trustctime=false", "-c", "core.checkStat=minimal")


@contextmanager
def materialise(snapshot: Snapshot) -> Iterator[Path]:
    """A folder that holds exactly the snapshot's files and does not change meanwhile. Nobody may write to it.

    Its files belong to the sandbox's user. Others that want the same snapshot get the same folder.

    Raises:
        SnapshotError: the snapshot is not kept any more, or the files cannot be written.
    """
    try:
        slot = _lease(snapshot)
    except OSError as error:
        raise SnapshotError(
            f"The files of a snapshot cannot be put into {snapshot.mirrors}: {error.strerror}."
        ) from error
    try:
        yield slot.files
    finally:
        slot.close()
        sweep_mirrors(snapshot.mirrors, KEPT)


def _lease(snapshot: Snapshot) -> "_Slot":
    """A slot that holds the snapshot, with a shared lock on it."""
    snapshot.mirrors.mkdir(parents=True, exist_ok=True, mode=0o700)
    while True:
        if slot := _share(snapshot) or _fill(snapshot):
            slot.touch()
            return slot


def _share(snapshot: Snapshot) -> "_Slot | None":
    for slot in _open_slots(snapshot.mirrors):
        # Looked at twice, since it may have been changed until it was locked.
        if slot.tree == snapshot.tree and slot.lock(fcntl.LOCK_SH) and slot.holds(snapshot):
            return slot
        slot.close()
    return None


def _fill(snapshot: Snapshot) -> "_Slot | None":
    """Bring the snapshot into a slot that nobody uses; None if somebody else was faster in the end."""
    for slot in _open_slots(snapshot.mirrors):
        if slot.lock(fcntl.LOCK_EX):
            break
        slot.close()
    else:
        slot = _Slot(Path(tempfile.mkdtemp(prefix="slot-", dir=snapshot.mirrors)))
        if not slot.lock(fcntl.LOCK_EX):
            slot.close()
            return None
    try:
        slot.bring(snapshot)
    except BaseException:
        slot.close()
        raise
    # Changing a lock's kind lets go of it for a moment.
    if slot.lock(fcntl.LOCK_SH) and slot.tree == snapshot.tree:
        return slot
    slot.close()
    return None


def _open_slots(mirrors: Path) -> Iterator["_Slot"]:
    """All slots, the one last used first; whoever takes one must close it."""
    used = {}
    for folder in mirrors.glob("slot-*"):
        with suppress(FileNotFoundError):
            used[folder] = (folder / "lock").stat().st_mtime
    for folder in sorted(used, key=lambda folder: -used[folder]):
        with suppress(FileNotFoundError):
            yield _Slot(folder)


def sweep_mirrors(mirrors: Path, kept: int) -> None:
    """Remove the slots that nobody uses, but for the last few that were used."""
    for rank, slot in enumerate(_open_slots(mirrors)):
        if rank >= kept and slot.lock(fcntl.LOCK_EX):
            trash = slot.folder.with_name(f"trash-{slot.folder.name}")
            slot.folder.rename(trash)
            remove(trash)
        slot.close()


class _Slot:
    """A folder for files, and its lock. Hold the lock while using it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = folder / "files"
        self.index = folder / "index"
        self._holds = folder / "holds"
        self._lock = folder / "lock"
        self._descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @property
    def tree(self) -> str:
        """Which snapshot it holds; empty if none, or if bringing one in was broken off."""
        try:
            return self._holds.read_text("utf-8")
        except FileNotFoundError:
            return ""

    def lock(self, kind: int) -> bool:
        """Take the lock, or change it, if that is possible at once and the folder is still there."""
        if not try_lock(self._descriptor, kind):
            return False
        try:
            return os.path.samestat(self._lock.stat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False

    def touch(self) -> None:
        """Note that it is used now."""
        os.utime(self._lock)

    def close(self) -> None:
        """Let go of the lock."""
        os.close(self._descriptor)

    def git(self, snapshot: Snapshot, *command: str) -> list[str]:
        """Run git on the folder's files; return the names it prints."""
        environ = {"GIT_WORK_TREE": self.files, "GIT_INDEX_FILE": self.index}
        store = Store(snapshot.store, self._descriptor)
        return run_git(store, *LENIENT, "-C", str(self.files), *command, environ=environ, mask=0o022).paths

    def holds(self, snapshot: Snapshot) -> bool:
        """Whether its files are those of a snapshot."""
        return self.tree == snapshot.tree and self.is_intact(snapshot)

    def is_intact(self, snapshot: Snapshot) -> bool:
        """Whether nobody changed the files since they were put there."""
        with ThreadPoolExecutor(1) as pool:
            changed = pool.submit(self.git, snapshot, "diff-files", "-z", "--name-only")
            return not self.git(snapshot, "ls-files", "-z", "-o") and not changed.result()

    def bring(self, snapshot: Snapshot) -> None:
        """Make the files those of a snapshot: of the one that is there what differs, or all of them."""
        before = self.tree
        self._holds.unlink(missing_ok=True)
        changed = self._update(snapshot, before) if before and self.is_intact(snapshot) else None
        if changed is None:
            self._clear()
            self.git(snapshot, "read-tree", "--reset", "-u", snapshot.tree)
        os.utime(self.index, (YOUNG, YOUNG))  # or git reads again what was written in the same second
        _give_away(self.files, changed)
        put_text(self._holds, snapshot.tree)

    def _clear(self) -> None:
        remove(self.files)
        self.index.unlink(missing_ok=True)
        (self.folder / "index.lock").unlink(missing_ok=True)
        self.files.mkdir()
        self.files.chmod(0o755)

    def _update(self, snapshot: Snapshot, before: str) -> list[str] | None:
        """Change what differs, and tell what that is; None if what was there before has been pruned."""
        try:
            self.git(snapshot, "read-tree", "-m", "-u", before, snapshot.tree)
            return self.git(snapshot, "diff-tree", "-r", "-z", "--name-only", "--diff-filter=d", before, snapshot.tree)
        except SnapshotError:
            return None


def _give_away(files: Path, paths: Iterable[str] | None) -> None:
    """Let the sandbox's user own files, with the folders they are in; all of them if None is given.

    A writable view asks for the permissions of the file below it, so the files must be the user's who writes.
    """
    user = sandbox_user()
    if user == (os.geteuid(), os.getegid()):
        return
    if paths is None:
        places = {os.path.join(folder, name) for folder, inner, names in os.walk(files) for name in (*inner, *names)}  # noqa: PTH118 - a Path each takes longer than the rest
    else:
        places = {str(place) for path in paths for place in ((files / path), *(files / path).parents)}
        places = {place for place in places if place.startswith(f"{files}/")}
    for place in (str(files), *places):
        os.chown(place, *user, follow_symlinks=False)
