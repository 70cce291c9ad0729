"""How a run looks in a terminal, or with `--json`, as one JSON object per line."""

import contextlib
import csv
import sys
from collections.abc import Iterable, Sequence
from itertools import islice

from rich import filesize
from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.status import Status
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from codeact.briefs import error_lines
from codeact.events import (
    Event,
    ModelAnswered,
    ModelChosen,
    ModelText,
    PackagesAdded,
    Progress,
    RunEnded,
    RunStarted,
    SnapshotTaken,
    StepTaken,
    TestsRan,
)
from codeact.evidence import Evidence
from codeact.journal import RunSummary
from codeact.pictures import encode_picture
from codeact.trajectory import FAILING, Artifact, Outcome, Step, TestReport
from codeact.wire import printable, to_line

PHASES = {
    "before": "tests now",
    "proof-before": "proof, without the change",
    "proof-after": "proof, with the change",
    "check": "tests",
}
MARKS = {"verified": "[green]✔[/]", "answered": "[green]✔[/]", "unverified": "[yellow]?[/]"}
DECISIONS = (
    ("apply", "accept it"),
    ("verify", "prove it again"),
    ("show", "see every step"),
    ("discard", "drop it"),
)
MAX_LISTED = 10
MAX_ROWS, CELL = 10, 40
TREE_DIGITS = 10


class Terminal:
    """Shows events as they happen; holds the spinner, and the line that a model is writing."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(highlight=False, stderr=as_json)
        self._status: Status | None = None
        self._doing = ""
        self._writing = ""
        self._told = ""

    def close(self) -> None:
        """Stop the spinner."""
        if self._status:
            self._status.stop()
            self._status = None

    def show(self, event: Event) -> None:  # noqa: C901 - one case for each kind of event
        """Show one event."""
        if self.as_json:
            self.line(to_line(event))
            return
        match event:
            case Progress(message=message):
                self.work_on(message)
            case ModelText(text=text):
                self._write_on(text)
            case ModelChosen(name=name):
                self.say(f"model [cyan]{_plain(name)}[/]")
            case PackagesAdded(module=module, pins=pins):
                self.say(f"[green]+[/] {_plain(', '.join(pins))} [dim]for {_plain(module)}[/]")
            case ModelAnswered():
                self._writing = ""
            case RunStarted():
                self.say(f"[bold]CodeAct[/] · run {event.run} · {_plain(event.workspace)}")
            case SnapshotTaken():
                self._show_snapshot(event)
            case TestsRan():
                self._show_report(PHASES[event.phase], event.report)
            case StepTaken(step=step):
                self._show_step(step)
            case RunEnded():
                self.show_end(event)

    def line(self, text: str) -> None:
        """Write one line to standard output, as it is."""
        with contextlib.suppress(AttributeError):
            sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # absent on replaced streams
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """Show a line of rich markup."""
        self.close()
        self.console.print(text)

    def fail(self, message: str) -> None:
        """Tell why a command could not be carried out, unless the end of the run has told it already."""
        self.close()
        if message == self._told:
            return
        Console(stderr=True, highlight=False).print(f"[red]codeact:[/] {_plain(message)}", soft_wrap=True)

    def show_end(self, ended: RunEnded) -> None:
        """Show how a run ended: the diff, what is proven, and what can be done next."""
        self.close()
        self._told = ended.message
        if ended.diff:
            self.show_diff(ended.diff)
        if ended.answer:
            self.console.print(Markdown(printable(ended.answer), hyperlinks=False))
        self._show_artifacts(ended.artifacts)
        self.console.print(f"{MARKS.get(ended.status, '[red]✘[/]')} {_plain(ended.message)}", soft_wrap=True)
        cost = ended.usage
        if cost.model_calls:
            self.console.print(
                f"  [dim]{ended.seconds:.1f} s, {cost.model_calls} model call{'s' * (cost.model_calls != 1)}, "
                f"{cost.prompt_tokens} + {cost.completion_tokens} tokens[/]"
            )
        steps = [(f"artifacts {ended.run} --to DIR", "save the files")] if ended.artifacts else []
        if ended.diff:
            steps += [(f"{command} {ended.run}", meaning) for command, meaning in DECISIONS]
            self.console.print("\nYour files are untouched. Next:")
        for command, meaning in steps:
            self.console.print(f"  codeact {command}   [dim]{meaning}[/]")

    def _show_artifacts(self, artifacts: Sequence[Artifact]) -> None:
        for artifact in artifacts:
            size = filesize.decimal(len(artifact.data))
            self.console.print(f"[cyan]{_plain(artifact.name)}[/]  [dim]{_plain(artifact.media_type)}, {size}[/]")
            if artifact.media_type == "image/png" and self.console.is_terminal:
                self.console.file.write(encode_picture(artifact.data))
            elif artifact.media_type == "text/csv":
                self.console.print(_preview(artifact.data))

    def show_diff(self, diff: str) -> None:
        """Show a unified diff, in colours where there are any."""
        self.close()
        if self.console.is_terminal:
            self.console.print(Syntax(printable(diff), "diff", theme="ansi_dark", background_color="default"))
        else:
            self.line(printable(diff).rstrip("\n"))

    def show_evidence(self, evidence: Evidence) -> None:
        """Show what a proof ran and what it found."""
        self.close()
        if self.as_json:
            self.line(to_line(evidence))
            return
        table = Table.grid(padding=(0, 2))
        rows = {
            "command": " ".join(evidence.command),
            "targets": "\n".join(evidence.targets),
            "before": _counts(evidence.before.counts.items()),
            "after": _counts(evidence.after.counts.items()),
            "snapshot": f"{evidence.snapshot[:TREE_DIGITS]} → {evidence.proposed[:TREE_DIGITS]}",
            "sandbox": ", ".join(f"{name} {value}" for name, value in evidence.environment.items()),
            "from the snapshot": f"{len(evidence.protected)} test and configuration files",
            "proven": f"{evidence.proven_at}, in {evidence.seconds:.1f} s",
        }
        for name, value in rows.items():
            table.add_row(f"[dim]{name}[/]", _plain(value))
        self.console.print(table)
        verdict = "[green]✔[/] verified" if evidence.verified else f"[red]✘[/] {_plain(' '.join(evidence.reasons))}"
        self.console.print(verdict)

    def show_runs(self, runs: Iterable[RunSummary]) -> None:
        """Show the list of runs."""
        table = Table(box=None, pad_edge=False)
        for heading in ("run", "task", "status", "workspace", ""):
            table.add_column(heading, header_style="dim", overflow="fold")
        for run in runs:
            task = run.started.task if run.started else None
            what = f"{task.kind} {task.instruction or ' '.join(task.tests)}".strip() if task else ""
            status = run.fate or run.status
            place = run.started.workspace if run.started else ""
            table.add_row(run.run, _plain(what), status, _plain(place), _plain(run.message))
        self.console.print(table)

    def show_finding(self, name: str, *, works: bool, detail: str, remedy: str) -> None:
        """Show one line of the doctor's findings."""
        self.console.print(f"{'[green]✔[/]' if works else '[red]✘[/]'} {name:20} {_plain(detail)}", soft_wrap=True)
        if not works and remedy:
            self.console.print(f"  {'':20} [yellow]{_plain(remedy)}[/]", soft_wrap=True)

    def hint(self, text: str) -> None:
        """Say something by the way, to whoever watches; it is no part of the output."""
        if not self.as_json:
            self.say(f"[dim]{_plain(text)}[/]")

    def work_on(self, message: str) -> None:
        """Show what is being done now."""
        self._doing = message
        if not self.console.is_terminal:
            self.console.print(f"[dim]· {_plain(message)}[/]")
            return
        if self._status is None:
            self._status = self.console.status("")
            self._status.start()
        self._status.update(_plain(message))

    def _write_on(self, text: str) -> None:
        self._writing = (self._writing + text)[-400:]
        if self._status:
            last = self._writing.rstrip().rpartition("\n")[2]
            self._status.update(f"{_plain(self._doing)} [dim]{_plain(last[: self.console.width // 2])}[/]")

    def _show_snapshot(self, event: SnapshotTaken) -> None:
        self.say(f"snapshot [cyan]{event.tree[:TREE_DIGITS]}[/] · {event.files} file{'s' * (event.files != 1)}")
        for left in event.left_out[:MAX_LISTED]:
            self.console.print(f"  [yellow]left out[/] {_plain(left.path)}: {_plain(left.reason)}")
        if len(event.left_out) > MAX_LISTED:
            self.console.print(f"  [yellow]and {len(event.left_out) - MAX_LISTED} more left out[/]")

    def _show_report(self, label: str, report: TestReport) -> None:
        self.say(f"{label}: {describe_counts(report)} [dim]in {report.seconds:.1f} s[/]")
        for result in report.failing[:MAX_LISTED]:
            self.console.print(
                f"  [red]✘[/] {_plain(result.node_id)}  [dim]{_plain(result.message[:160])}[/]", soft_wrap=True
            )
        if len(report.failing) > MAX_LISTED:
            self.console.print(f"  and {len(report.failing) - MAX_LISTED} more")
        if report.problem:
            self.console.print(f"  [yellow]{_plain(report.problem)}[/]", soft_wrap=True)

    def _show_step(self, step: Step) -> None:
        self.close()
        thought = f" · {_plain(' '.join(step.thought.split())[:300])}" if step.thought else ""
        self.console.print(f"[bold]step {step.number}[/]{thought}")
        code = Syntax(
            printable(step.action.code.rstrip()),
            "python",
            theme="ansi_dark",
            background_color="default",
            word_wrap=True,
        )
        self.console.print(Padding(code, (0, 0, 0, 2)))
        seen = step.observation
        for text in (seen.stdout, seen.stderr, seen.value, seen.failure.traceback if seen.failure else ""):
            if text.strip():
                self.console.print(Padding(Text(printable(_shorten(text)), style="dim"), (0, 0, 0, 4)))
        if seen.tests:
            self.console.print(f"  → {describe_counts(seen.tests)}")
            for result in seen.tests.failing[:1]:
                self.console.print(Padding(Text(printable(error_lines(result, most=3)), style="dim"), (0, 0, 0, 4)))
        if self._doing:
            self.work_on(self._doing) if self.console.is_terminal else None


def describe_counts(report: TestReport) -> str:
    """How many tests ended in which way, as rich markup: "1 failed, 5 passed"."""
    by_outcome = [(outcome, report.count(outcome)) for outcome in Outcome]
    return _counts((outcome, count) for outcome, count in by_outcome if count) or "no test ran"


def _preview(data: bytes) -> Table:
    """The first rows of comma-separated values."""
    rows = list(islice(csv.reader(data.decode("utf-8", "replace").splitlines()), MAX_ROWS + 2))
    table = Table(box=None, pad_edge=False)
    for heading in rows[0] if rows else ():
        table.add_column(_plain(heading[:CELL]), header_style="dim")
    for row in rows[1 : MAX_ROWS + 1]:
        table.add_row(*(_plain(cell[:CELL]) for cell in row[: len(rows[0])]))
    if len(rows) > MAX_ROWS + 1:
        table.add_row("...")
    return table


def _counts(counts: Iterable[tuple[Outcome, int]]) -> str:
    ordered = sorted(counts, key=lambda pair: pair[0] not in FAILING)
    return ", ".join(f"{count} {outcome}" for outcome, count in ordered)


def _shorten(text: str, most: int = 12) -> str:
    lines = text.rstrip().splitlines()
    return "\n".join(lines if len(lines) <= most else [*lines[: most // 2], "...", *lines[-most // 2 :]])


def _plain(text: str) -> str:
    """Text that nothing in the terminal takes for markup or for a control sequence."""
    return printable(text).replace("[", "\\[")
