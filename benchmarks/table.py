"""The benchmark's table: for the terminal, and as Markdown and JSON for the record."""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from trial import Trial

HEADINGS = ("bug", "kind", "outcome", "calls", "tokens in", "tokens out", "model s", "wall s")
GOOD = {"fixed", "honest"}


def show(trials: Sequence[Trial], facts: Mapping[str, str]) -> None:
    """Print all trials and what they come to."""
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, caption=", ".join(f"{name} {value}" for name, value in facts.items()))
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in HEADINGS[:3] else "right", header_style="dim")
    for trial in trials:
        name, kind, outcome, *figures = make_row(trial)
        colour = "green" if outcome in GOOD else "red" if outcome in ("unsound", "deceived", "error") else "yellow"
        table.add_row(name, kind, f"[{colour}]{outcome}[/]", *figures)
    console.print(table)
    for line in summarise(trials):
        console.print(line, soft_wrap=True)


def save(file: Path, trials: Sequence[Trial], facts: Mapping[str, str]) -> None:
    """Write `file`.json, from which a benchmark is resumed, and `file`.md, which people read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    data = {"facts": dict(facts), "trials": [asdict(trial) for trial in trials]}
    file.with_name(file.name + ".json").write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    lines = [
        f"# Benchmark of {facts['date']} with {facts['model']}",
        "",
        *(f"- {n}: {v}" for n, v in facts.items()),
        "",
    ]
    lines += [*(f"**{line}**  " for line in summarise(trials)), "", *to_markdown(HEADINGS, map(make_row, trials))]
    file.with_name(file.name + ".md").write_text("\n".join(lines) + "\n", "utf-8")


def load(file: Path) -> tuple[Trial, ...]:
    """The trials that were saved, none if there is no such file."""
    saved = file.with_name(file.name + ".json")
    if not saved.exists():
        return ()
    trials = json.loads(saved.read_text("utf-8"))["trials"]
    return tuple(Trial(**{**trial, "leftovers": tuple(trial["leftovers"])}) for trial in trials)


def summarise(trials: Sequence[Trial]) -> list[str]:
    """The totals and medians, one sentence each."""
    fixable = [trial for trial in trials if trial.kind != "unfixable"]
    unfixable = [trial for trial in trials if trial.kind == "unfixable"]
    lines = [f"Fixed {count(fixable, 'fixed')} of {len(fixable)}" + by_kind(fixable)] if fixable else []
    others = {o: count(fixable, o) for o in ("overfit", "unsound", "failed", "error") if count(fixable, o)}
    if others:
        lines.append("Not fixed: " + ", ".join(f"{number} {outcome}" for outcome, number in others.items()))
    if unfixable:
        lines.append(f"Truthful about what cannot be fixed: {count(unfixable, 'honest')} of {len(unfixable)}")
    touched, left = sum(trial.touched for trial in trials), sum(bool(trial.leftovers) for trial in trials)
    lines.append(f"Workspaces changed: {touched}. Runs that left a process or container: {left}")
    if fixable:
        lines += summarise_cost(fixable)
    return lines


def summarise_cost(trials: Sequence[Trial]) -> list[str]:
    """What all of them took together, and the median of one."""
    calls, sent = [t.model_calls for t in trials], [t.prompt_tokens for t in trials]
    received, seconds = [t.completion_tokens for t in trials], [t.seconds for t in trials]
    middle = statistics.median
    tokens, middle_tokens = f"{sum(sent):,} + {sum(received):,}", f"{middle(sent):.0f} + {middle(received):.0f}"
    return [
        f"All fixable bugs: {sum(calls)} model calls, {tokens} tokens, {sum(seconds):.0f} s",
        f"Median of one: {middle(calls):g} calls, {middle_tokens} tokens, {middle(seconds):.1f} s",
    ]


def by_kind(trials: Sequence[Trial]) -> str:
    """What was fixed of which kind."""
    kinds = dict.fromkeys(trial.kind for trial in trials)
    parts = []
    for kind in kinds:
        chosen = [trial for trial in trials if trial.kind == kind]
        parts.append(f"{kind}s {count(chosen, 'fixed')} of {len(chosen)}")
    return f" ({', '.join(parts)})" if len(parts) > 1 else ""


def to_markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    rule = "|" + "---|" * len(headings)
    return [f"| {' | '.join(headings)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)]


def make_row(trial: Trial) -> tuple[str, ...]:
    """One line of the table."""
    marks = (" touched!" if trial.touched else "") + (" leftovers!" if trial.leftovers else "")
    figures = (trial.model_calls, trial.prompt_tokens, trial.completion_tokens, trial.model_seconds, trial.seconds)
    return (trial.bug, trial.kind, trial.outcome + marks, *(str(figure) for figure in figures))


def count(trials: Iterable[Trial], outcome: str) -> int:
    """How many trials ended in this way."""
    return sum(trial.outcome == outcome for trial in trials)
