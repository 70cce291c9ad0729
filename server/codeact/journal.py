"""Writing down what happens in a run, so that a crash at any moment loses at most the line being written.

Reading is in `record`, listing in `runs`; both are offered here too.
"""

import errno
import fcntl
import hashlib
import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from codeact import __version__
from codeact.disk import sync_folder
from codeact.errors import JournalError
from codeact.events import (
    CauseTried,
    Event,
    Grouped,
    Localised,
    ModelAnswered,
    ModelChosen,
    PackagesAdded,
    Recalled,
    RunEnded,
    RunStarted,
    SnapshotTaken,
    StepTaken,
    TestsRan,
    Triaged,
)
from codeact.processes import process_identity
from codeact.record import (
    ARTIFACTS,
    JOURNAL,
    KINDS,
    Entry,
    Opening,
    Record,
    first_hash,
    make_line,
    read_journal,
    run_folder,
)
from codeact.runs import RunSummary, find_run, list_runs, new_run_id
from codeact.settings import Settings
from codeact.wire import encode_bytes, make_converter, to_json

__all__ = [
    "Entry",
    "Journal",
    "Record",
    "RunSummary",
    "create_journal",
    "find_run",
    "list_runs",
    "new_run_id",
    "open_journal",
    "read_journal",
    "run_folder",
]

SHORTEST = 6  # characters
LARGE = 16 * 1024  # bytes; more than this goes into a file of its own
LASTING = frozenset({"started", "evidence", "proposal", "ended", "applied", "undone", "discarded"})  # synced to disk

RECORDED: Mapping[type, str] = {
    RunStarted: "started",
    SnapshotTaken: "snapshot",
    TestsRan: "tests",
    Triaged: "triaged",
    Grouped: "grouped",
    CauseTried: "tried",
    Recalled: "recalled",
    Localised: "localised",
    PackagesAdded: "packages",
    ModelChosen: "chosen",
    ModelAnswered: "model",
    RunEnded: "ended",
}


def create_journal(settings: Settings, run: str, redact: Sequence[str] = ()) -> "Journal":
    """Begin the journal of a new run.

    Args:
        settings: where to keep it; recorded at its start, without secrets.
        run: the run's id, from `new_run_id`.
        redact: secrets that are replaced by `***` wherever they occur in what is written.

    Raises:
        JournalError: the run has one already, or it cannot be written.
    """
    folder = run_folder(settings, run)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        descriptor = os.open(folder / JOURNAL, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND, 0o600)
        sync_folder(folder)
    except OSError as error:
        raise _explain(error, folder) from error
    return Journal(settings, Record(run=run, folder=folder, entries=()), descriptor, redact)


def open_journal(settings: Settings, run: str, redact: Sequence[str] = ()) -> "Journal":
    """Go on with the journal of an earlier run; a torn last line is cut off.

    Raises:
        RunNotFound: there is no such run.
        JournalError: it is damaged, cannot be written, or another process is writing it.
    """
    record = read_journal(settings, run)
    try:
        descriptor = os.open(record.folder / JOURNAL, os.O_RDWR | os.O_APPEND)
    except OSError as error:
        raise _explain(error, record.folder) from error
    journal = Journal(settings, record, descriptor, redact)
    return journal._mended()  # noqa: SLF001 - the second half of construction


class Journal:
    """An open journal. One process writes it; leaving the `with` block closes it."""

    def __init__(self, settings: Settings, record: Record, descriptor: int, redact: Sequence[str]) -> None:
        self.run = record.run
        self.folder = record.folder
        self._settings = settings
        self._descriptor = descriptor
        # A key shorter than this is no secret, and taking it out would take ordinary words apart.
        self._redact = tuple(sorted((text for text in redact if len(text) >= SHORTEST), key=len, reverse=True))
        self._converter = make_converter(encode=self._encode)
        self._seq, self._hash = _end(record)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.close()
            raise JournalError(f"Another process is writing the journal of {self.run}. Wait for it to end.") from None

    def append(self, kind: str, value: object) -> None:
        """Write one entry. It survives the end of this process, and for the kinds in LASTING that of the machine.

        Args:
            kind: one of `record.KINDS`.
            value: of the class that belongs to the kind; None for `discarded`. For `started` a RunStarted will do:
                process, versions and settings are added to it.

        Raises:
            JournalError: it cannot be written, for instance since the disk is full; the journal stays whole.
        """
        if isinstance(value, RunStarted):
            value = self._opening(value)
        if not isinstance(value, KINDS[kind]):
            raise TypeError(f"an entry {kind!r} holds {KINDS[kind].__name__}, not {type(value).__name__}")
        try:
            data = self._scrub(self._converter.unstructure(value))
            time = datetime.now(UTC).isoformat(timespec="microseconds")
            line, digest = make_line(self._hash, self._seq + 1, time, kind, data)
            self._write(line + b"\n")
            if kind in LASTING:
                os.fsync(self._descriptor)
        except OSError as error:
            raise _explain(error, self.folder) from error
        self._seq, self._hash = self._seq + 1, digest

    def record(self, event: Event) -> None:
        """Write an event as the entry it belongs in; text and progress are for showing only and are not written."""
        if isinstance(event, StepTaken):
            self.append("step", event.step)
        elif kind := RECORDED.get(type(event)):
            self.append(kind, event)

    def close(self) -> None:
        """Close the file; nothing can be appended afterwards."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _opening(self, event: RunStarted) -> Opening:
        settings = to_json(self._settings)
        settings["model"]["base_url"] = re.sub(r"//[^/@]*@", "//***@", settings["model"]["base_url"])
        versions = {"codeact": __version__, "python": platform.python_version(), "platform": platform.platform()}
        return Opening(event=event, process=process_identity(os.getpid()), versions=versions, settings=settings)

    def _mended(self) -> "Journal":
        # Read again under the lock: whoever held it before may have written more.
        record = read_journal(self._settings, self.run)
        self._seq, self._hash = _end(record)
        if record.torn:
            content = (self.folder / JOURNAL).read_bytes()
            os.ftruncate(self._descriptor, content.rfind(b"\n") + 1)
        return self

    def _write(self, line: bytes) -> None:
        size = os.fstat(self._descriptor).st_size
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            os.ftruncate(self._descriptor, size)
            raise

    def _encode(self, content: bytes) -> Mapping[str, str]:
        for secret in self._redact:
            content = content.replace(secret.encode("utf-8", "surrogateescape"), b"***")
        if len(content) <= LARGE:
            return encode_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        _store(self.folder / ARTIFACTS, digest, content)
        return {"sha256": digest}

    def _scrub(self, data: Any) -> Any:  # noqa: ANN401 - JSON
        if not self._redact:
            return data
        if isinstance(data, str):
            for secret in self._redact:
                data = data.replace(secret, "***")
            return data
        if isinstance(data, Mapping):
            return {key: self._scrub(value) for key, value in data.items()}
        return [self._scrub(item) for item in data] if isinstance(data, list) else data


def _end(record: Record) -> tuple[int, str]:
    return len(record.entries), record.entries[-1].hash if record.entries else first_hash(record.run)


def _store(folder: Path, digest: str, content: bytes) -> None:
    """Write an artifact such that under its name there is never a part of it."""
    target = folder / digest
    if target.exists():
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    partial = folder / f"{digest}.part"
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(target)
    sync_folder(folder)


def _explain(error: OSError, folder: Path) -> JournalError:
    if isinstance(error, FileExistsError):
        return JournalError(f"The run in {folder} has a journal already.")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return JournalError(f"The journal in {folder} cannot be written: the disk is full. Make room, then try again.")
    return JournalError(f"The journal in {folder} cannot be written: {error.strerror or error}.")
