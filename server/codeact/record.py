"""What a run's journal says, checked and typed.

A journal is a file of JSON lines, `journal.jsonl` in the run's folder. Each line has `seq` (from 1), `time` (ISO 8601,
UTC), `kind`, `prev`, `hash` and `data`. `hash` is the SHA-256 of `prev` and of the canonical JSON (sorted keys, no
spaces, ASCII) of the line without `prev` and `hash`; `prev` is the hash of the line before, and for the first line
that of the run's id. So no line can be changed, moved, dropped or brought in from another run without breaking the
chain. Cutting lines off the end keeps the chain whole: a record without an `ended` entry claims nothing.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from cattrs import Converter

from codeact.errors import JournalError, RunNotFound, WireError
from codeact.events import (
    CauseTried,
    Grouped,
    Localised,
    ModelAnswered,
    ModelChosen,
    PackagesAdded,
    Recalled,
    RunEnded,
    RunStarted,
    SnapshotTaken,
    TestsRan,
    Triaged,
)
from codeact.evidence import Applied, Evidence, Proposal
from codeact.lessons import Lesson
from codeact.settings import Settings
from codeact.trajectory import Completion, Step
from codeact.wire import decode_bytes, dump, make_converter, structure

T = TypeVar("T")

JOURNAL = "journal.jsonl"
ARTIFACTS = "artifacts"
FATES = ("applied", "undone", "discarded")


@dataclass(frozen=True, kw_only=True)
class Opening:
    """How a run began.

    Attributes:
        event: what was asked, where, of whom.
        process: names the process that runs it, in a way that no later process shares.
        versions: of CodeAct, Python and the platform.
        settings: all settings as JSON; secrets are `***`.
    """

    event: RunStarted
    process: str
    versions: Mapping[str, str]
    settings: Mapping[str, Any]


KINDS: Mapping[str, type] = {
    "started": Opening,
    "snapshot": SnapshotTaken,
    "tests": TestsRan,
    "triaged": Triaged,
    "grouped": Grouped,
    "tried": CauseTried,
    "recalled": Recalled,
    "localised": Localised,
    "packages": PackagesAdded,
    "chosen": ModelChosen,
    "model": ModelAnswered,
    "step": Step,
    "evidence": Evidence,
    "proposal": Proposal,
    "ended": RunEnded,
    "applied": Applied,
    "undone": Applied,
    "discarded": type(None),
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of a journal."""

    seq: int
    time: str
    kind: str
    prev: str
    hash: str
    data: Any = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Record:
    """A journal that was read. `torn` is true if its last line was incomplete, and so is not among the entries."""

    run: str
    folder: Path
    entries: tuple[Entry, ...]
    torn: bool = False

    def opening(self) -> Opening | None:
        """How the run began."""
        return self._last("started", Opening)

    def started(self) -> RunStarted | None:
        """What was asked."""
        opening = self.opening()
        return opening.event if opening else None

    def snapshot(self) -> SnapshotTaken | None:
        """What was frozen."""
        return self._last("snapshot", SnapshotTaken)

    def tests(self) -> tuple[TestsRan, ...]:
        """The test runs."""
        return self._all("tests", TestsRan)

    def packages(self) -> tuple[str, ...]:
        """The packages that were added, pinned: those that were missing, without what they brought along."""
        return tuple(added.pins[0] for added in self._all("packages", PackagesAdded) if added.pins)

    def lessons(self) -> tuple[Lesson, ...]:
        """What earlier fixes had taught when the run began."""
        recalled = self._last("recalled", Recalled)
        return recalled.lessons if recalled else ()

    def chosen(self) -> ModelChosen | None:
        """Which model was asked, and how."""
        return self._last("chosen", ModelChosen)

    def completions(self) -> tuple[Completion, ...]:
        """What the model answered, request by request."""
        return tuple(answered.completion for answered in self.requests())

    def requests(self) -> tuple[ModelAnswered, ...]:
        """What the model was asked and answered, request by request."""
        return self._all("model", ModelAnswered)

    def steps(self) -> tuple[Step, ...]:
        """The trajectory."""
        return self._all("step", Step)

    def evidence(self) -> Evidence | None:
        """The last proof that was tried."""
        return self._last("evidence", Evidence)

    def proposal(self) -> Proposal | None:
        """The last proposal."""
        return self._last("proposal", Proposal)

    def ended(self) -> RunEnded | None:
        """How the run ended; None if it did not, or its journal was cut off."""
        return self._last("ended", RunEnded)

    def fate(self) -> str:
        """What became of the proposal: `applied`, `undone` or `discarded`; empty while it is open."""
        return next((entry.kind for entry in reversed(self.entries) if entry.kind in FATES), "")

    def applied(self) -> Applied | None:
        """What was written when the proposal was accepted; None if it is not, or was taken back."""
        return self._last("applied", Applied) if self.fate() == "applied" else None

    def value(self, entry: Entry) -> object:
        """What an entry holds, as its kind's dataclass.

        Raises:
            JournalError: it holds something else, for instance since another version of CodeAct wrote it, or it refers
                to an artifact that is gone or was changed.
        """
        if KINDS[entry.kind] is type(None):
            return None
        try:
            return structure(_reader(self.folder), KINDS[entry.kind], entry.data)
        except WireError as error:
            raise JournalError(f"Line {entry.seq} of {self.folder / JOURNAL} cannot be read: {error}") from None

    def _all(self, kind: str, cls: type[T]) -> tuple[T, ...]:
        values = (self.value(entry) for entry in self.entries if entry.kind == kind)
        return tuple(value for value in values if isinstance(value, cls))

    def _last(self, kind: str, cls: type[T]) -> T | None:
        entry = next((entry for entry in reversed(self.entries) if entry.kind == kind), None)
        value = self.value(entry) if entry else None
        return value if isinstance(value, cls) else None


def run_folder(settings: Settings, run: str) -> Path:
    """Where everything about a run is kept.

    Raises:
        RunNotFound: this can be no run's id.
    """
    if not run or run.startswith(".") or "/" in run or "\0" in run:
        raise RunNotFound(f"{run!r} is no id of a run. `codeact runs` lists them.")
    return settings.state / "runs" / run


def read_journal(settings: Settings, run: str) -> Record:
    """Read a run's journal and check its chain.

    Raises:
        RunNotFound: there is no such run.
        JournalError: a line is damaged or was changed; the message names it.
    """
    folder = run_folder(settings, run)
    try:
        content = (folder / JOURNAL).read_bytes()
    except FileNotFoundError:
        raise RunNotFound(f"There is no run {run}. `codeact runs` lists them.") from None
    except OSError as error:
        raise JournalError(f"The journal {folder / JOURNAL} cannot be read: {error.strerror}.") from error
    *lines, rest = content.split(b"\n")
    entries: list[Entry] = []
    prev = first_hash(run)
    for number, line in enumerate(lines, 1):
        entry = _read_line(line, number, prev)
        if entry is None:
            raise JournalError(
                f"Line {number} of {folder / JOURNAL} is damaged or was changed: it does not continue the chain of "
                "hashes. Nothing from there on can be trusted."
            )
        entries.append(entry)
        prev = entry.hash
    return Record(run=run, folder=folder, entries=tuple(entries), torn=bool(rest))


def first_hash(run: str) -> str:
    """What the first line's `prev` is."""
    return hashlib.sha256(f"codeact journal {run}".encode("utf-8", "surrogateescape")).hexdigest()


def make_line(prev: str, seq: int, time: str, kind: str, data: object) -> tuple[bytes, str]:
    """An entry as a line without its line end, and its hash."""
    sealed = {"seq": seq, "time": time, "kind": kind, "data": data}
    canonical = json.dumps(sealed, sort_keys=True, separators=(",", ":"), allow_nan=False)
    digest = hashlib.sha256((prev + canonical).encode("ascii")).hexdigest()
    line = {"seq": seq, "time": time, "kind": kind, "prev": prev, "hash": digest, "data": data}
    return dump(line).encode("ascii"), digest


def decode_stored(folder: Path, data: object) -> bytes:
    """Bytes of an entry, from the artifact's file if they are kept in one."""
    match data:
        case {"sha256": str(digest), **rest} if not rest and digest.isalnum():
            file = folder / ARTIFACTS / digest
            try:
                content = file.read_bytes()
            except OSError as error:
                raise JournalError(f"The artifact {file} cannot be read: {error.strerror}.") from error
            if hashlib.sha256(content).hexdigest() != digest:
                raise JournalError(f"The artifact {file} was changed: its content does not match its name.")
            return content
    return decode_bytes(data)


@lru_cache(maxsize=4)  # a converter takes milliseconds to make, since it generates code for each class
def _reader(folder: Path) -> Converter:
    return make_converter(decode=lambda data: decode_stored(folder, data))


def _read_line(line: bytes, number: int, prev: str) -> Entry | None:
    """The entry, or None unless the line is exactly what was written there."""
    try:
        entry = Entry(**json.loads(line))
        written, _ = make_line(prev, number, entry.time, entry.kind, entry.data)
    except (ValueError, TypeError, RecursionError):
        return None
    return entry if written == line and entry.kind in KINDS else None
