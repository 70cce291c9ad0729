"""Tables of the terminal: runs, evidence, what was learnt, and rows of data."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rich.table import Table

from codeact.evidence import Evidence
from codeact.journal import RunSummary
from codeact.trajectory import FAILING, Outcome
from codeact.wire import printable

MAX_ROWS, CELL = 10, 40
HEADINGS = ("run", "task", "status", "workspace", "")
MOST = (24, 30, 11, 30)  # characters in a column
TREE_DIGITS = 10


def runs_list(runs: Iterable[RunSummary], width: int) -> Iterator[str]:
    """One line for each run, cut off where the terminal ends."""
    rows = [HEADINGS, *map(summarise, runs)]
    widths = [min(max(len(row[column]) for row in rows), most) for column, most in enumerate(MOST)]
    for row in rows:
        cells = [_fit(text, most).ljust(most) for text, most in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[-1]])[: width - 1]


def _fit(text: str, most: int) -> str:
    """A text that is too long without its beginning, since paths differ at their ends."""
    return text if len(text) <= most else f"…{text[len(text) - most + 1 :]}"


def summarise(run: RunSummary) -> tuple[str, str, str, str, str]:
    """A run in five words or so: id, task, status, workspace, message."""
    task = run.started.task if run.started else None
    what = f"{task.kind} {task.instruction or ' '.join(task.tests)}" if task else ""
    place = run.started.workspace if run.started else ""
    home = str(Path.home())
    place = f"~{place.removeprefix(home)}" if place.startswith(f"{home}/") else place
    words = (run.run, what, run.fate or run.status, place, run.message)
    return tuple(" ".join(text.split()) for text in words)  # type: ignore[return-value]  # as many as above


def evidence_table(evidence: Evidence) -> Table:
    """What a proof ran, on what, and what it found."""
    table = Table.grid(padding=(0, 2))
    rows = {
        "command": " ".join(evidence.command),
        "targets": "\n".join(evidence.targets),
        "before": counts(evidence.before.counts.items()),
        "after": counts(evidence.after.counts.items()),
        "snapshot": f"{evidence.snapshot[:TREE_DIGITS]} → {evidence.proposed[:TREE_DIGITS]}",
        "sandbox": ", ".join(f"{name} {value}" for name, value in evidence.environment.items()),
        "from the snapshot": f"{len(evidence.protected)} test and configuration files",
        "proven": f"{evidence.proven_at}, in {evidence.seconds:.1f} s",
    }
    for name, value in rows.items():
        table.add_row(f"[dim]{name}[/]", plain(value))
    return table


@dataclass(frozen=True)
class Learned:
    """Something that was learnt: about an error, a kind of edit or a place; `code` is what got past an error."""

    id: str
    about: str
    what: str
    rung: str
    helped: int
    missed: int
    code: str = ""


def learned_table(entries: Iterable[Learned]) -> Table:
    """What was learnt, and how often that has helped or missed."""
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "about", "what", "rung", "helped", "missed"):
        table.add_column(heading, header_style="dim", justify="right" if heading in ("helped", "missed") else "left")
    for entry in entries:
        what = plain(entry.what) + (f"\n[dim]{plain(entry.code)}[/]" if entry.code else "")
        table.add_row(entry.id, entry.about, what, entry.rung, str(entry.helped), str(entry.missed))
    return table


def preview(data: bytes) -> Table:
    """The first rows of comma-separated values."""
    rows = list(islice(csv.reader(data.decode("utf-8", "replace").splitlines()), MAX_ROWS + 2))
    table = Table(box=None, pad_edge=False)
    for heading in rows[0] if rows else ():
        table.add_column(plain(heading[:CELL]), header_style="dim")
    for row in rows[1 : MAX_ROWS + 1]:
        table.add_row(*(plain(cell[:CELL]) for cell in row[: len(rows[0])]))
    if len(rows) > MAX_ROWS + 1:
        table.add_row("...")
    return table


def counts(found: Iterable[tuple[Outcome, int]]) -> str:
    """How many tests ended in which way, failures first: "1 failed, 5 passed"."""
    ordered = sorted(found, key=lambda pair: pair[0] not in FAILING)
    return ", ".join(f"{count} {outcome}" for outcome, count in ordered)


def plain(text: str) -> str:
    """Text that nothing in the terminal takes for markup or for a control sequence."""
    return printable(text).replace("[", "\\[")
