"""What the model reads of its actions when a question is asked, and what they left behind."""

from collections.abc import Sequence

from codeact.briefs import describe_observation
from codeact.findings import hidden_bars
from codeact.prompts import fill
from codeact.remedies import Remedy, count_repeats
from codeact.trajectory import Observation, Step

CHART_ROWS = 12


def describe_steps(observations: Sequence[Observation], notes: str = "") -> str:
    """What the model reads after its actions: what came of them, and what it is to do now."""
    parts = [part for one in observations for part in (describe_observation(one), describe_charts(one))]
    seen = "\n\n".join(filter(None, [*parts, notes])) or "It ran and printed nothing."
    last = observations[-1]
    if last.failure or last.timed_out:
        return fill("ask-failed", observation=seen)
    return fill("ask-seen", observation=seen)


def describe_charts(observation: Observation) -> str:
    """The numbers that figures show, for whoever cannot see them: the first rows of each."""
    charts = [
        made for made in observation.artifacts if made.media_type == "text/csv" and made.name.startswith("figure-")
    ]
    heads = ["\n".join(made.data.decode("utf-8", "replace").splitlines()[: CHART_ROWS + 1]) for made in charts]
    return "\n".join([*(f"The chart shows:\n{head}" for head in heads), hidden_bars(observation)]).strip()


def describe_repeats(steps: Sequence[Step], remedy: Remedy | None) -> str:
    """What to tell about an error that came before: in this run, or in an earlier one that got past it."""
    count = count_repeats(steps)
    if count > 1:
        return fill("ask-repeated", count=str(count))
    return fill("ask-remedy", code=remedy.code) if remedy else ""


def since_restart(steps: Sequence[Step]) -> Sequence[Step]:
    """The steps whose effect is there: those since the view and the interpreter were last put back."""
    starts = [place for place, step in enumerate(steps) if step.afresh]
    return steps[starts[-1] :] if starts else steps


def printed(steps: Sequence[Step]) -> str:
    """What the last step that had something to say printed."""
    for step in reversed(steps):
        if text := (step.observation.finished or step.observation.stdout or step.observation.value).strip():
            return text
    return ""
