"""Which rung of the ladder made a fix, and what each rung is worth: the benchmark with and without it."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from codeact.ladder import SMALL

if TYPE_CHECKING:
    from trial import Trial


def name_rungs(events: Sequence[Mapping[str, Any]]) -> str:
    """The rungs that took part in a fix, in the ladder's order, joined by `+`.

    Args:
        events: what `codeact fix --json` printed.
    """
    steps = [event["step"] for event in events if event.get("event") == "step"]
    named = {step["rung"] for step in steps if step.get("rung") and passed(step)}
    order = [str(rung) for rung in SMALL]
    return "+".join(sorted(named, key=lambda rung: (order.index(rung) if rung in order else len(order), rung)))


def passed(step: Mapping[str, Any]) -> bool:
    """Whether the last tests that ran after a step passed."""
    tests = (step.get("observation") or {}).get("tests") or {}
    results = tests.get("results", [])
    return bool(results) and all(result["outcome"] not in ("failed", "error", "timeout") for result in results)


def without_each(ladder: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """For each rung of a ladder, the rungs that are left without it, by the name of what is tried."""
    rungs = tuple(ladder) or tuple(str(rung) for rung in SMALL)
    return {f"without {rung}": tuple(other for other in rungs if other != rung) for rung in rungs if len(rungs) > 1}


def summarise_rungs(trials: Iterable["Trial"]) -> list[tuple[str, ...]]:
    """For each rung: fixes, model calls, tokens sent and received, and the median wall seconds of a fix."""
    fixed = [trial for trial in trials if trial.outcome == "fixed" and trial.rung]
    rows = []
    for rung in sorted({trial.rung for trial in fixed}):
        mine = [trial for trial in fixed if trial.rung == rung]
        tokens = f"{sum(trial.prompt_tokens for trial in mine):,} + {sum(trial.completion_tokens for trial in mine):,}"
        seconds = statistics.median(trial.seconds for trial in mine)
        rows.append((rung, str(len(mine)), str(sum(trial.model_calls for trial in mine)), tokens, f"{seconds:.1f}"))
    return rows
