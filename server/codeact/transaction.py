"""Writing several files of a workspace as one, so that a crash at any moment leaves all or none of it.

A run's folder tells how far a write has come, by which file is there:

- `applying.json`: being written; whoever finds it takes the files back to what they were.
- `undo.json`: written; it holds what taking back needs. Renaming `applying.json` to it is the moment of success.
- `undoing.json`: being taken back; whoever finds it goes on with that.

One lock file per workspace keeps two writers apart, and holds the id of the run that is being written.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from codeact.disk import locate, look, missing_folders, permissions, replace_file, sync_folder
from codeact.errors import ApplyError
from codeact.record import run_folder
from codeact.settings import Settings
from codeact.trajectory import FileChange, FileState
from codeact.wire import from_json, to_line

APPLYING, UNDO, UNDOING = "applying.json", "undo.json", "undoing.json"


@dataclass(frozen=True, kw_only=True)
class Saved:
    """One file before and after a write; `bits` are its permission bits before, None if it was no regular file."""

    path: str
    before: FileState | None
    after: FileState | None
    bits: int | None


@dataclass(frozen=True, kw_only=True)
class Undo:
    """What is needed to take a write back; `folders` are those it made, outermost first."""

    run: str
    workspace: Path
    saved: tuple[Saved, ...]
    folders: tuple[str, ...]


@contextmanager
def writing(settings: Settings, workspace: Path) -> Iterator[BinaryIO]:
    """The right to write to a workspace: its lock file, locked. What a crash left half done is taken back first.

    Raises:
        ApplyError: another process is writing, or files that a crash left half done were edited since.
    """
    digest = hashlib.sha256(os.fsencode(workspace.resolve())).hexdigest()[:16]
    folder = settings.state / "writing"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(folder / digest, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ApplyError(
                f"Another process is writing to {workspace}. Wait for it to end, then try again."
            ) from None
        _recover(settings, lock)
        yield lock


def write_all(settings: Settings, run: str, workspace: Path, changes: Sequence[FileChange], lock: BinaryIO) -> None:
    """Write all files, or none, and keep what was there.

    Raises:
        ApplyError: a file could not be written; then the workspace is as it was.
    """
    folder = run_folder(settings, run)
    record = _prepare(run, workspace, changes)
    try:
        _save(folder / APPLYING, record)
    except OSError as error:
        raise ApplyError(f"What undo needs could not be kept in {folder} ({error}). Nothing was written.") from error
    try:
        _point(lock, run)
        for number, saved in enumerate(record.saved):
            replace_file(workspace, saved.path, saved.after, _scratch(run, number))
        (folder / APPLYING).replace(folder / UNDO)
    except BaseException as error:
        _finish(record, folder / APPLYING, lock)
        if isinstance(error, OSError):
            raise ApplyError(f"The proposal could not be written ({error}). All files are as they were.") from error
        raise
    with suppress(OSError):  # it is written; should these not reach the disk, a recovery comes to the same end
        sync_folder(folder)
        _point(lock, "")


def take_back(settings: Settings, record: Undo, lock: BinaryIO) -> None:
    """Put back what was there before a write.

    Raises:
        ApplyError: a file could not be written; the next `writing` goes on with it.
    """
    folder = run_folder(settings, record.run)
    (folder / APPLYING).unlink(missing_ok=True)  # from a write that crashed before its first file
    _point(lock, record.run)
    (folder / UNDO).rename(folder / UNDOING)
    sync_folder(folder)
    _finish(record, folder / UNDOING, lock)


def load_undo(settings: Settings, run: str) -> Undo | None:
    """What taking back a run's write needs; None if it is not written."""
    folder = run_folder(settings, run)
    return _load(folder / UNDO) or _load(folder / UNDOING)


def is_written(settings: Settings, run: str) -> bool:
    """Whether a run's proposal is written and was not taken back."""
    return (run_folder(settings, run) / UNDO).exists()


def _prepare(run: str, workspace: Path, changes: Sequence[FileChange]) -> Undo:
    created = [change.path for change in changes if change.after is not None]
    return Undo(
        run=run,
        workspace=workspace,
        saved=tuple(
            Saved(path=change.path, before=change.before, after=change.after, bits=permissions(workspace, change.path))
            for change in changes
        ),
        folders=tuple(dict.fromkeys(name for path in created for name in missing_folders(workspace, path))),
    )


def _recover(settings: Settings, lock: BinaryIO) -> None:
    """Take back, or finish taking back, what a crash left half done."""
    run = lock.read().decode("utf-8", "surrogateescape")
    if not run:
        return
    for marker in (run_folder(settings, run) / APPLYING, run_folder(settings, run) / UNDOING):
        if record := _load(marker):
            _finish(record, marker, lock)
    _point(lock, "")


def _finish(record: Undo, marker: Path, lock: BinaryIO) -> None:
    """Put back what was there, then remove the marker that says so. Files that someone edited meanwhile stay."""
    try:
        edited = [saved.path for n, saved in enumerate(record.saved) if not _put_back(record, saved, n)]
        for name in reversed(record.folders):
            if (folder := record.workspace / name).is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        marker.unlink(missing_ok=True)
        _point(lock, "")
    except OSError as error:
        raise ApplyError(
            f"Not all files could be put back ({error}). The next `codeact apply` or `codeact undo` tries again; what "
            f"was in them is kept in {marker}."
        ) from error
    if edited:
        raise ApplyError(
            f"The write of {record.run} was taken back, but for files that were edited meanwhile and are left as they "
            f"are: {', '.join(edited)}."
        )


def _put_back(record: Undo, saved: Saved, number: int) -> bool:
    """Whether the file is now what it was before; not if it is neither that nor what was written."""
    scratch = _scratch(record.run, number)
    try:
        target = locate(record.workspace, saved.path)
        now = look(record.workspace, saved.path)
    except ApplyError:  # a folder by now, or behind a symlink
        return False
    target.with_name(scratch).unlink(missing_ok=True)
    if now == saved.after:
        replace_file(record.workspace, saved.path, saved.before, scratch, saved.bits)
        return True
    return now == saved.before


def _point(lock: BinaryIO, run: str) -> None:
    lock.seek(0)
    lock.truncate()
    lock.write(run.encode("utf-8", "surrogateescape"))
    os.fsync(lock.fileno())


def _save(file: Path, record: Undo) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = file.with_suffix(".part")
    with partial.open("w", encoding="ascii") as stream:
        stream.write(to_line(record))
        stream.flush()
        os.fsync(stream.fileno())
    partial.chmod(0o600)
    partial.replace(file)
    sync_folder(file.parent)


def _load(file: Path) -> Undo | None:
    try:
        data = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ApplyError(f"{file} is damaged: {error}. Move it away to go on; it holds the files' content.") from error
    return from_json(Undo, data)


def _scratch(run: str, number: int) -> str:
    return f".codeact-{run}-{number}.tmp"
