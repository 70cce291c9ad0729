"""The few ways in which a workspace's files are read and written, none of which leaves the workspace.

Only `apply` may write. A path is relative to the workspace and comes from a sandbox: it is checked before each use.
"""

import os
import shutil
import stat
from pathlib import Path

from codeact.errors import ApplyError
from codeact.trajectory import FileState

EXECUTABLE, SYMLINK = "100755", "120000"


def look(root: Path, path: str) -> FileState | None:
    """A file's state now; None if it does not exist.

    Raises:
        ApplyError: the path leads out of the workspace or into `.git`, or what is there is no file.
    """
    target = locate(root, path)
    try:
        mode = target.lstat().st_mode
        if stat.S_ISLNK(mode):
            return FileState(os.fsencode(target.readlink()), SYMLINK)
        if stat.S_ISREG(mode):
            return FileState(target.read_bytes(), EXECUTABLE if mode & stat.S_IXUSR else "100644")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ApplyError(f"{path} cannot be read: {error.strerror}.") from error
    kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
    raise ApplyError(f"{path} is {kind} in the workspace, so no file can be written there.")


def permissions(root: Path, path: str) -> int | None:
    """A regular file's permission bits; None if there is none."""
    try:
        mode = locate(root, path).lstat().st_mode
    except OSError:
        return None
    return stat.S_IMODE(mode) if stat.S_ISREG(mode) else None


def locate(root: Path, path: str) -> Path:
    """Where a file is.

    Raises:
        ApplyError: its path leads out of the workspace, into `.git`, or through something that is no folder.
    """
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise ApplyError(f"{path!r} is no path inside the workspace.")
    if any(part.casefold() == ".git" for part in parts):
        raise ApplyError(f"{path} lies inside .git, which CodeAct never writes to.")
    folder = root
    for part in parts[:-1]:
        folder /= part
        if folder.is_symlink():
            raise ApplyError(
                f"{path} goes through the symlink {folder.relative_to(root)}, which CodeAct does not follow."
            )
        if folder.exists() and not folder.is_dir():
            raise ApplyError(f"{path} cannot be written: {folder.relative_to(root)} is no folder.")
    return root / path


def check_writable(root: Path, path: str, after: FileState | None) -> None:
    """Make sure that a file may be replaced.

    Raises:
        ApplyError: it, or its folder, is read-only, or it is to become a symlink that leads out of the workspace.
    """
    target = locate(root, path)
    bits = permissions(root, path)
    if bits is not None and not bits & 0o222:
        raise ApplyError(f"{path} is read-only. Make it writable (chmod u+w), then apply again.")
    folder = next(parent for parent in target.parents if parent.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ApplyError(f"{path} cannot be written: the folder {folder} is read-only.")
    if after and after.mode == SYMLINK:
        link = os.path.normpath(target.parent.relative_to(root) / os.fsdecode(after.content))
        if link.startswith(("/", "../")) or link == "..":
            raise ApplyError(f"{path} would become a symlink that leads out of the workspace.")


def missing_folders(root: Path, path: str) -> tuple[str, ...]:
    """The folders that must be made for a file, outermost first."""
    folders = [folder for folder in locate(root, path).parents if not folder.exists()]
    return tuple(str(folder.relative_to(root)) for folder in reversed(folders))


def replace_file(root: Path, path: str, state: FileState | None, scratch: str, bits: int | None = None) -> None:
    """Put a file into a state in one go: whoever looks sees all of the old content or all of the new.

    Args:
        root: the workspace.
        path: the file.
        state: what it is to be; None deletes it.
        scratch: name for a temporary file beside it.
        bits: its permission bits; None keeps those it has, but for the executable bits, which follow `state`.

    Raises:
        OSError: it cannot be written; then it is as it was.
    """
    target = locate(root, path)
    if state is None:
        target.unlink(missing_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(scratch)
        try:
            _make(beside, target, state, bits)
            beside.replace(target)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    if target.parent.exists():
        sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make(beside: Path, target: Path, state: FileState, bits: int | None) -> None:
    if state.mode == SYMLINK:
        beside.symlink_to(os.fsdecode(state.content))
        return
    # Mode 0666: a new file gets what the developer's umask leaves of it.
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666), "wb") as file:
        file.write(state.content)
        file.flush()
        _inherit(beside, target)
        mode = stat.S_IMODE(beside.stat().st_mode)
        beside.chmod(_with_executable(mode, executable=state.mode == EXECUTABLE) if bits is None else bits)
        os.fsync(file.fileno())


def _with_executable(mode: int, *, executable: bool) -> int:
    if bool(mode & stat.S_IXUSR) == executable:
        return mode
    return mode | (mode & 0o444) >> 2 if executable else mode & ~0o111  # whoever may read it may run it


def _inherit(beside: Path, target: Path) -> None:
    """Give a replacement the owner, permission bits and extended attributes of what it replaces."""
    kept = target.lstat() if target.exists() and not target.is_symlink() else None
    owner = kept or target.parent.stat()
    if os.geteuid() == 0:  # else root would take files away from the developer
        os.chown(beside, owner.st_uid, owner.st_gid)
    if kept:
        shutil.copystat(target, beside)
        os.utime(beside)
