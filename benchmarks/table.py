"""The benchmark's table: for the terminal, and as Markdown and JSON for the record."""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rungs import summarise_rungs
from trial import CODEACT, Trial

HEADINGS = ("bug", "kind", "system", "outcome", "rung", "calls", "tokens in", "tokens out", "model s", "wall s")
SAME = ("kind", "system", "rung")  # not shown on the terminal where all trials have the same
OUTCOME = HEADINGS.index("outcome")
TEXTS = 5  # of the headings, how many are not of figures
SYSTEMS = ("system", "fixed", "compared with codeact", "calls", "tokens in + out", "median s", "median s of a fix")
RUNGS = ("rung", "fixed", "calls", "tokens in + out", "median s of a fix")
GOOD = {"fixed", "honest"}


def show(trials: Sequence[Trial], facts: Mapping[str, str]) -> None:
    """Print all trials and what they come to."""
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, caption=", ".join(f"{name} {value}" for name, value in facts.items()))
    rows = [make_row(trial) for trial in trials]
    told = [heading not in SAME or len({row[place] for row in rows}) > 1 for place, heading in enumerate(HEADINGS)]
    for place, heading in enumerate(HEADINGS):
        if told[place]:
            table.add_column(heading, justify="left" if place < TEXTS else "right", header_style="dim")
    for trial, row in zip(trials, rows, strict=True):
        outcome = trial.outcome
        colour = "green" if outcome in GOOD else "red" if outcome in ("unsound", "deceived", "error") else "yellow"
        cells = (f"[{colour}]{text}[/]" if place == OUTCOME else text for place, text in enumerate(row))
        table.add_row(*(cell for cell, wanted in zip(cells, told, strict=True) if wanted))
    console.print(table)
    for line in summarise(of_codeact(trials)):
        console.print(line, soft_wrap=True)
    for headings, rows in make_tables(trials):
        small = Table(*headings, box=None, pad_edge=False, header_style="dim")
        for row in rows:
            small.add_row(*row)
        console.print(small)


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
    lines += [*(f"**{line}**  " for line in summarise(of_codeact(trials))), ""]
    for headings, rows in make_tables(trials):
        lines += [*to_markdown(headings, rows), ""]
    lines += to_markdown(HEADINGS, map(make_row, trials))
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


def of_codeact(trials: Iterable[Trial]) -> list[Trial]:
    """The trials of CodeAct as it is."""
    return [trial for trial in trials if trial.system == CODEACT]


def make_tables(trials: Sequence[Trial]) -> list[tuple[Sequence[str], list[tuple[str, ...]]]]:
    """Which rung fixed how many, and, if others were tried too, what CodeAct is worth beside them."""
    fixable = [trial for trial in trials if trial.kind != "unfixable"]
    rungs, systems = summarise_rungs(of_codeact(fixable)), compare(fixable)
    tables = [(RUNGS, rungs)] if rungs else []
    return [*tables, (SYSTEMS, systems)] if len(systems) > 1 else tables


def compare(trials: Sequence[Trial]) -> list[tuple[str, ...]]:
    """One row for each system, over the bugs that all of them were given."""
    systems = list(dict.fromkeys(trial.system for trial in trials))
    given = [{trial.bug for trial in trials if trial.system == system} for system in systems]
    common = set.intersection(*given) if given else set()
    groups = {s: [trial for trial in trials if trial.system == s and trial.bug in common] for s in systems}
    ours = count(groups.get(CODEACT, ()), "fixed")
    return [make_system_row(system, group, ours) for system, group in groups.items() if group]


def make_system_row(system: str, trials: Sequence[Trial], ours: int) -> tuple[str, ...]:
    """One line of the comparison; `ours` is how many CodeAct fixed of the same bugs."""
    fixed = [trial.seconds for trial in trials if trial.outcome == "fixed"]
    tokens = f"{sum(trial.prompt_tokens for trial in trials):,} + {sum(trial.completion_tokens for trial in trials):,}"
    return (
        system,
        f"{len(fixed)} of {len(trials)}",
        f"{len(fixed) / ours:.2f}" if ours else "",
        str(sum(trial.model_calls for trial in trials)),
        tokens,
        f"{statistics.median(trial.seconds for trial in trials):.1f}",
        f"{statistics.median(fixed):.1f}" if fixed else "",
    )


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
    return (
        trial.bug,
        trial.kind,
        trial.system,
        trial.outcome + marks,
        trial.rung,
        *(str(figure) for figure in figures),
    )


def count(trials: Iterable[Trial], outcome: str) -> int:
    """How many trials ended in this way."""
    return sum(trial.outcome == outcome for trial in trials)
