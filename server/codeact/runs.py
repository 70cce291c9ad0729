"""The runs there are: their ids, which of them are going on, and how the others ended."""

import difflib
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from codeact.errors import RunNotFound, WireError
from codeact.events import RunStarted, Status
from codeact.processes import is_alive
from codeact.record import FATES, JOURNAL
from codeact.settings import Settings
from codeact.wire import from_json

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # in order; without what is easily misread
LATEST = ("last", "latest")
HEAD = re.compile(rb'\{"seq":\d+,"time":"[^"]*","kind":"([a-z]+)"')


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """One line of `codeact runs`.

    Attributes:
        run: its id.
        time: when it began, as ISO 8601 in UTC; empty if it crashed before it could say so.
        started: what was asked; None in the same case.
        status: how it ended; `running` while its process lives, `interrupted` if that is gone, `damaged` if its
            journal cannot be read.
        message: one sentence why.
        fate: what became of its proposal.
    """

    run: str
    time: str = ""
    started: RunStarted | None = None
    status: Status | Literal["running", "interrupted", "damaged"] = "interrupted"
    message: str = ""
    fate: Literal["", "applied", "undone", "discarded"] = ""


def new_run_id() -> str:
    """An id that sorts by time (to the millisecond) and is easy to type: `20261123-142233-k3f9`, in UTC."""
    now = datetime.now(UTC)
    high, low = divmod(now.microsecond * len(ALPHABET) ** 2 // 1_000_000, len(ALPHABET))
    tail = ALPHABET[high] + ALPHABET[low] + secrets.choice(ALPHABET) + secrets.choice(ALPHABET)
    return f"{now:%Y%m%d-%H%M%S}-{tail}"


def list_runs(settings: Settings) -> tuple[RunSummary, ...]:
    """All runs, newest first. Their chains of hashes are not checked here, only `read_journal` does that."""
    return tuple(_summarise(settings.state / "runs" / run, run) for run in _run_ids(settings))


def find_run(settings: Settings, text: str) -> str:
    """The id of the run that a developer means.

    Args:
        settings: where runs are kept.
        text: an id, the beginning or end of just one id, or `last`.

    Raises:
        RunNotFound: none or several fit; the message names those that are near.
    """
    runs = _run_ids(settings)
    if not runs:
        raise RunNotFound("There are no runs yet. `codeact fix` makes one.")
    if text in LATEST:
        return runs[0]
    if text in runs:
        return text
    fitting = [run for run in runs if text and (run.startswith(text) or run.endswith(text))]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise RunNotFound(f"{text!r} fits several runs: {_some(fitting)}. Give more of the id.")
    near = difflib.get_close_matches(text, runs, n=3, cutoff=0.5) or runs
    raise RunNotFound(f"There is no run {text!r}. Near are: {_some(near)}. `codeact runs` lists all.")


def _run_ids(settings: Settings) -> list[str]:
    return sorted((file.parent.name for file in (settings.state / "runs").glob(f"*/{JOURNAL}")), reverse=True)


def _some(runs: Sequence[str]) -> str:
    return ", ".join(runs[:3]) + (", ..." if len(runs) > 3 else "")  # noqa: PLR2004 - a message of one line


def _summarise(folder: Path, run: str) -> RunSummary:
    try:
        *lines, _ = (folder / JOURNAL).read_bytes().split(b"\n")
        if not lines:
            return RunSummary(run=run)
        first = json.loads(lines[0])
        started = from_json(RunStarted, first["data"]["event"])
        alive = is_alive(first["data"]["process"])
        ended = _last(lines, "ended")
        fate = _last(lines, *FATES)
        return RunSummary(
            run=run,
            time=first["time"],
            started=started,
            status=ended["data"]["status"] if ended else "running" if alive else "interrupted",
            message=ended["data"]["message"] if ended else "",
            fate=fate["kind"] if fate else "",
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, WireError):
        return RunSummary(run=run, status="damaged", message=f"Its journal in {folder} cannot be read.")


def _last(lines: Sequence[bytes], *kinds: str) -> Any:  # noqa: ANN401 - JSON, or None
    """The last line of one of these kinds; lines of other kinds, which may be large, are not parsed."""
    for line in reversed(lines):
        head = HEAD.match(line)
        if head and head[1].decode() in kinds:
            return json.loads(line)
    return None
