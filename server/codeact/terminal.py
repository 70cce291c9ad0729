"""How a run looks in a terminal, or with `--json`, as one JSON object per line."""

import contextlib
import sys
from collections.abc import Iterable, Sequence
from textwrap import indent

from rich import filesize
from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.status import Status
from rich.syntax import Syntax
from rich.text import Text

from codeact.briefs import error_lines
from codeact.diagnosis import Cause, Diagnosis, Kind, Suspect
from codeact.events import (
    CauseTried,
    Event,
    Grouped,
    Localised,
    ModelAnswered,
    ModelChosen,
    ModelText,
    PackagesAdded,
    Progress,
    Recalled,
    RunEnded,
    RunStarted,
    SnapshotTaken,
    StepTaken,
    TestsRan,
    Triaged,
)
from codeact.evidence import Evidence, Group
from codeact.journal import RunSummary
from codeact.pictures import encode_picture
from codeact.tables import Learned, counts, evidence_table, learned_table, plain, preview, runs_list, summarise
from codeact.trajectory import Artifact, Outcome, Step, TestReport
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
MAX_SUSPECTS = 3
MAX_LEFT = 3
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

    def show(self, event: Event) -> None:  # noqa: C901, PLR0912 - one case for each kind of event
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
                self.say(f"model [cyan]{plain(name)}[/]")
            case PackagesAdded(module=module, pins=pins):
                self.say(f"[green]+[/] {plain(', '.join(pins))} [dim]for {plain(module)}[/]")
            case ModelAnswered():
                self._writing = ""
            case RunStarted():
                self.say(f"[bold]CodeAct[/] · run {event.run} · {plain(event.workspace)}")
            case SnapshotTaken():
                self._show_snapshot(event)
            case TestsRan():
                self._show_report(PHASES[event.phase], event.report)
            case Triaged(diagnoses=diagnoses):
                self._show_diagnoses(diagnoses)
            case Grouped(causes=causes):
                self._show_causes(causes)
            case CauseTried():
                self._show_tried(event)
            case Recalled(lessons=lessons):
                self.hint(f"edits come in an order that earlier fixes suggest ({len(lessons)}; see codeact learned)")
            case Localised(suspects=suspects):
                self._show_suspects(suspects)
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

    def record(self, value: object) -> None:
        """With `--json`, write a value as a line."""
        if self.as_json:
            self.line(to_line(value))

    def say(self, text: str) -> None:
        """Show a line of rich markup."""
        self.close()
        self.console.print(text, soft_wrap=True)

    def fail(self, message: str) -> None:
        """Tell why a command could not be carried out, unless the end of the run has told it already."""
        self.close()
        if message == self._told:
            return
        Console(stderr=True, highlight=False).print(f"[red]codeact:[/] {plain(message)}", soft_wrap=True)

    def show_end(self, ended: RunEnded) -> None:
        """Show how a run ended: the diff, what is proven, and what can be done next."""
        self.close()
        self._told = ended.message
        if ended.diff:
            self.show_diff(ended.diff)
        if ended.answer:
            self.console.print(Markdown(printable(ended.answer), hyperlinks=False))
        self._show_artifacts(ended.artifacts)
        self.console.print(f"{MARKS.get(ended.status, '[red]✘[/]')} {plain(ended.message)}", soft_wrap=True)
        if ended.note:
            self.console.print(f"  [yellow]{plain(ended.note)}[/]", soft_wrap=True)
        self.console.print(f"  [dim]{ended.seconds:.1f} s, {_cost(ended)}[/]")
        if ended.proposal and ended.proposal.groups:
            self._show_groups(ended.run, ended.proposal.groups)
        steps = [(f"artifacts {ended.run} --to DIR", "save the files")] if ended.artifacts else []
        if ended.diff:
            steps += [(f"{command} {ended.run}", meaning) for command, meaning in DECISIONS]
            self.console.print("\nYour files are untouched. Next:")
        for command, meaning in steps:
            self.console.print(f"  codeact {command}   [dim]{meaning}[/]")

    def _show_groups(self, run: str, groups: Sequence[Group]) -> None:
        """Show the parts of a proposal by cause, and how to take one of them."""
        for group in groups:
            needs = f" (needs {', '.join(map(str, group.needs))})" if group.needs else ""
            more = f" and {len(group.tests) - 3} more" if len(group.tests) > 3 else ""  # noqa: PLR2004 - a line's worth
            text = f"{', '.join(group.hunks)} fixes {', '.join(group.tests[:3])}{more}{needs}"
            self.console.print(f"  group {group.number}: {plain(text)}", soft_wrap=True)
        self.console.print(f"  [dim]one of them only: codeact apply {run} --group N[/]", soft_wrap=True)

    def _show_artifacts(self, artifacts: Sequence[Artifact]) -> None:
        for artifact in artifacts:
            size = filesize.decimal(len(artifact.data))
            self.console.print(f"[cyan]{plain(artifact.name)}[/]  [dim]{plain(artifact.media_type)}, {size}[/]")
            if artifact.media_type == "image/png" and self.console.is_terminal:
                self.console.file.write(encode_picture(artifact.data))
            elif artifact.media_type == "text/csv":
                self.console.print(preview(artifact.data))

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
        self.console.print(evidence_table(evidence))
        verdict = "[green]✔[/] verified" if evidence.verified else f"[red]✘[/] {plain(' '.join(evidence.reasons))}"
        self.console.print(verdict)

    def show_runs(self, runs: Iterable[RunSummary]) -> None:
        """Show the list of runs, cut to the terminal's width; where none is, whole, with tabs between columns."""
        if self.console.is_terminal:
            for line in runs_list(runs, self.console.width):
                self.console.print(plain(line), soft_wrap=True)
            return
        for run in runs:
            self.line("\t".join(map(printable, summarise(run))))

    def show_learned(self, entries: Iterable[Learned]) -> None:
        """Show what was learnt; where no terminal is, with tabs between columns, and code indented below."""
        if self.console.is_terminal:
            self.console.print(learned_table(entries))
            return
        for entry in entries:
            numbers = f"helped {entry.helped}", f"missed {entry.missed}"
            self.line("\t".join(map(printable, (entry.id, entry.about, entry.what, entry.rung, *numbers))))
            if entry.code:
                self.line(indent(printable(entry.code), "    "))

    def show_finding(self, name: str, *, works: bool, detail: str, remedy: str) -> None:
        """Show one line of the doctor's findings."""
        self.console.print(f"{'[green]✔[/]' if works else '[red]✘[/]'} {name:20} {plain(detail)}", soft_wrap=True)
        if not works and remedy:
            self.console.print(f"  {'':20} [yellow]{plain(remedy)}[/]", soft_wrap=True)

    def hint(self, text: str) -> None:
        """Say something by the way, to whoever watches; it is no part of the output."""
        if not self.as_json:
            self.say(f"[dim]{plain(text)}[/]")

    def work_on(self, message: str) -> None:
        """Show what is being done now."""
        self._doing = message
        if not self.console.is_terminal:
            self.console.print(f"[dim]· {plain(message)}[/]", soft_wrap=True)
            return
        if self._status is None:
            self._status = self.console.status("")
            self._status.start()
        self._status.update(plain(message))

    def _write_on(self, text: str) -> None:
        self._writing = (self._writing + text)[-400:]
        if self._status:
            last = self._writing.rstrip().rpartition("\n")[2]
            self._status.update(f"{plain(self._doing)} [dim]{plain(last[: self.console.width // 2])}[/]")

    def _show_snapshot(self, event: SnapshotTaken) -> None:
        self.say(f"snapshot [cyan]{event.tree[:TREE_DIGITS]}[/] · {event.files} file{'s' * (event.files != 1)}")
        for left in event.left_out[:MAX_LISTED]:
            self.console.print(f"  [yellow]left out[/] {plain(left.path)}: {plain(left.reason)}")
        if len(event.left_out) > MAX_LISTED:
            self.console.print(f"  [yellow]and {len(event.left_out) - MAX_LISTED} more left out[/]")

    def _show_report(self, label: str, report: TestReport) -> None:
        self.say(f"{label}: {describe_counts(report)} [dim]in {report.seconds:.1f} s[/]")
        for result in report.failing[:MAX_LISTED]:
            self.console.print(
                f"  [red]✘[/] {plain(result.node_id)}  [dim]{plain(result.message[:160])}[/]", soft_wrap=True
            )
        if len(report.failing) > MAX_LISTED:
            self.console.print(f"  and {len(report.failing) - MAX_LISTED} more")
        if report.problem:
            self.console.print(f"  [yellow]{plain(report.problem)}[/]", soft_wrap=True)

    def _show_diagnoses(self, diagnoses: Sequence[Diagnosis]) -> None:
        """Show which failures are not ordinary ones, and why."""
        self.close()
        for found in [found for found in diagnoses if found.kind is not Kind.REAL][:MAX_LISTED]:
            mark = "" if found.hopeful else ", no change of the code can help"
            what = f"{found.kind}{f' ({found.cause})' if found.cause else ''}{mark}"
            text = f"  [yellow]![/] {plain(found.node_id)}  [yellow]{what}[/]  [dim]{plain(found.detail)}[/]"
            self.console.print(text, soft_wrap=True)

    def _show_causes(self, causes: Sequence[Cause]) -> None:
        """Show what the failing tests likely go back to, in the order in which it is mended."""
        self.say(f"{len(causes)} likely cause{'s' * (len(causes) != 1)}:")
        for cause in causes[:MAX_LISTED]:
            error = f"  [dim]{plain(cause.error)}[/]" if cause.path else ""
            self.console.print(f"  {cause.number}. {plain(cause.label)}{error}", soft_wrap=True)
        if len(causes) > MAX_LISTED:
            self.console.print(f"  and {len(causes) - MAX_LISTED} more")

    def _show_tried(self, tried: CauseTried) -> None:
        """Show which tests of a cause pass now, and which do not."""
        count, left = len(tried.mended), tried.left
        mark = "[red]✘[/]" if left else "[green]✔[/]"
        more = f" and {len(left) - MAX_LEFT} more" if len(left) > MAX_LEFT else ""
        still = f"; still failing: {', '.join(left[:MAX_LEFT])}{more}" if left else ""
        self.say(f"{mark} cause {tried.number}: {plain(f'{count} of {count + len(left)} mended{still}')}")

    def _show_suspects(self, suspects: Sequence[Suspect]) -> None:
        """Show where the fault may be, in one line."""
        shown = [f"{found.path}:{found.line} {found.name} ({found.score:.2f})" for found in suspects[:MAX_SUSPECTS]]
        if shown:
            self.say(f"suspects: {plain(', '.join(shown))}")

    def _show_step(self, step: Step) -> None:
        self.close()
        thought = f" · {plain(' '.join(step.thought.split())[:300])}" if step.thought else ""
        rung = f" [dim]({step.rung})[/]" if step.rung else ""
        self.say(f"[bold]step {step.number}[/]{rung}{thought}")
        self._show_code(printable(step.action.code.rstrip()))
        seen = step.observation
        for text in (seen.stdout, seen.stderr, seen.value, seen.failure.traceback if seen.failure else ""):
            if text.strip():
                self._show_output(_shorten(text))
        if seen.tests:
            self.console.print(f"  → {describe_counts(seen.tests)}")
            for result in seen.tests.failing[:1]:
                self._show_output(error_lines(result, most=3))
        if self._doing:
            self.work_on(self._doing) if self.console.is_terminal else None

    def _show_output(self, text: str) -> None:
        if self.console.is_terminal:
            self.console.print(Padding(Text(printable(text), style="dim"), (0, 0, 0, 4)))
        else:
            self.line(indent(printable(text), "    "))

    def _show_code(self, code: str) -> None:
        if self.console.is_terminal:
            shown = Syntax(code, "python", theme="ansi_dark", background_color="default", word_wrap=True)
            self.console.print(Padding(shown, (0, 0, 0, 2)))
        else:
            self.line(indent(code, "  "))


def describe_counts(report: TestReport) -> str:
    """How many tests ended in which way, as rich markup: "1 failed, 5 passed"."""
    by_outcome = [(outcome, report.count(outcome)) for outcome in Outcome]
    return counts((outcome, count) for outcome, count in by_outcome if count) or "no test ran"


def _cost(ended: RunEnded) -> str:
    usage = ended.usage
    price = f", which costs {ended.cost:.4g}" if ended.cost else ""
    calls = f"{usage.model_calls} model call{'s' * (usage.model_calls != 1)}"
    return (
        f"{calls}, {usage.prompt_tokens} + {usage.completion_tokens} tokens{price}"
        if usage.model_calls
        else "no model asked"
    )


def _shorten(text: str, most: int = 12) -> str:
    lines = text.rstrip().splitlines()
    return "\n".join(lines if len(lines) <= most else [*lines[: most // 2], "...", *lines[-most // 2 :]])
