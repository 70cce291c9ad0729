"""How a small model is asked questions, and what is made of its answers: it writes code, and never sees it again."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace

from codeact.advice import advise
from codeact.agent import Outcome
from codeact.findings import hidden_bars
from codeact.mending import add_imports, list_columns, make_folders
from codeact.models.base import Model, is_small
from codeact.observations import printed
from codeact.tooling import MODULE
from codeact.trajectory import Observation, Sampling, Step
from codeact_sandbox.toolbox import TOOLS

# A small model's first answer is its best; after a failure some chance keeps it from saying the same again, and six
# answers at once cost little more than one. What it writes after its code is an explanation that nobody reads.
FIRST = Sampling(max_tokens=500, stop=("\n```\n", "\nif __name__"))
# No test tells whether an answer is right, but several that agree are seldom wrong in the same way.
PANEL = replace(FIRST, samples=6, temperature=0.6, afresh=True)
TURNS = 5
FENCE = "```python\n"
FEW, SHARE = 3, 0.45  # votes for an answer that is taken without a word, and which part of all
MAX_ANSWER = 4000  # characters of what code printed


@dataclass(frozen=True)
class Asking:
    """How a small model is asked.

    Attributes:
        schedule: on each turn: for several answers at a time, once the first has not worked.
        panel: for further answers, so that the most frequent can be chosen; None if the first one counts.
    """

    schedule: Sequence[Sampling]
    panel: Sampling | None = None


def ask_for_code(model: Model, opening: str) -> Asking:
    """How to ask a model for code that begins like this, if it is one that goes on from there: the embedded one."""
    if not is_small(model):
        return Asking(model.schedule)
    begun = opening if model.name.startswith("local:") else ""
    panel = replace(PANEL, opening=begun)
    return Asking((replace(FIRST, opening=begun), *(panel,) * (TURNS - 1)), panel)


def doubt(outcome: Outcome) -> str:
    """What to say of an answer that few others agreed with; empty if enough did, or no panel was asked.

    Of answers with at least three votes and nearly half of all, most are right; of the others, few are.
    """
    if not outcome.heard or (outcome.votes >= FEW and outcome.votes >= SHARE * outcome.heard):
        return ""
    said = f"of {outcome.heard} answers of the model, {outcome.votes} came to this"
    if outcome.heard == 1:
        said = "only one of the model's answers came to an end"
    return f"Doubtful: {said}. Check it, say it in other words, or ask a larger model."


def keep_helpers(code: str) -> str:
    """A small model's code without its own versions of helpers that are there already, with what it forgot."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError):
        return code
    lines = code.split("\n")
    for node in reversed(body):
        is_own = isinstance(node, ast.FunctionDef) and node.name in TOOLS
        if is_own or (isinstance(node, ast.ImportFrom) and node.module == MODULE):
            del lines[node.lineno - 1 : node.end_lineno]
    return make_folders(list_columns(add_imports("\n".join(lines))))


def conclude(steps: Sequence[Step]) -> str:
    """What the code of a small model printed is the answer: its words about that would only be less exact."""
    seen = steps[-1].observation
    if seen.failure or seen.timed_out:
        return ""
    text = printed(steps)[:MAX_ANSWER]
    return f"```text\n{text}\n```" if "\n" in text else text


def describe_briefly(seen: Observation) -> str:
    """What a small model is told of an attempt that brought nothing, whose code it does not see again."""
    if seen.timed_out:
        return "It did not end in time."
    if seen.failure is None:
        return hidden_bars(seen) or "Nothing was printed. print() the result."
    said = f"{seen.failure.type}: {seen.failure.message[:300]}"
    lines = seen.failure.traceback.splitlines()
    hints = "\n".join(line for line in lines if line.startswith(("Hint:", "Values where", "  "))
                      and not line.startswith(("  File", "    ")))  # fmt: skip
    if (advice := advise(said)) or hints:  # the line that failed would only be copied
        return f"{said}\n{advice}\n{hints}".strip()
    places = [at for at, line in enumerate(lines) if line.lstrip().startswith('File "<action') and at + 1 < len(lines)]
    failing = f"This line failed: {lines[places[-1] + 1].strip()}\n" if places else ""
    return f"{failing}{said}\n{hints}".strip()
