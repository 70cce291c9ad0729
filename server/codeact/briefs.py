"""What a model reads: the first message about a failing test, and observations in words.

Short, since small models lose the thread and every thousand tokens cost a CPU twelve seconds; and only ever appended
to, since what has been read once need not be read again.
"""

from collections.abc import Sequence

from codeact.definitions import Definition
from codeact.facts import Facts
from codeact.prompts import fill
from codeact.trajectory import Message, Observation, TestReport, TestResult

MAX_OUTPUT = 2000
MAX_SHOWN_TESTS = 3
COMPACT_SIZE = 5_000  # characters of code
FULL_SIZE = 40_000


def fix_brief(facts: Facts, *, helpers: str, instruction: str, compact: bool) -> tuple[Message, ...]:
    """The messages that begin a conversation about one failing test.

    Args:
        facts: what is known about it.
        helpers: one line for each helper an action may use.
        instruction: what the developer said beside "fix it"; may be empty.
        compact: for a small model: fewer words, and less code.
    """
    trail = "".join(f"\n{line}" for line in facts.trail[1:])
    question = fill(
        "fix",
        node_id=facts.target.node_id,
        test_source=facts.test_source or "(not found)",
        error=facts.error,
        trail=f"It goes through:{trail}\n" if trail else "",
        suspects=show_definitions(facts.suspects, COMPACT_SIZE if compact else FULL_SIZE),
        instruction=f"The developer says: {instruction}\n" if instruction else "",
    )
    system = fill("system-compact") if compact else fill("system", helpers=helpers)
    return Message("system", system), Message("user", question)


def show_definitions(definitions: Sequence[Definition], size: int) -> str:
    """Definitions as fenced blocks, one for each file, likeliest file first, until `size` characters are used up."""
    chosen: dict[str, list[Definition]] = {}
    for definition in definitions:
        cost = len(definition.source)
        if chosen and cost > size:
            continue
        size -= cost
        chosen.setdefault(definition.path, []).append(definition)
    return "\n\n".join(_show_file(path, group) for path, group in chosen.items())


def describe_observation(observation: Observation) -> str:
    """What came of an action, in words: output, value, exception. Empty if there is nothing to say."""
    parts = [
        _labelled("It printed:", observation.stdout),
        _labelled("On stderr:", observation.stderr),
        _labelled("Its value:", observation.value),
    ]
    if observation.failure:
        parts.append(_labelled("It failed:", observation.failure.traceback or observation.failure.message))
    if observation.timed_out:
        parts.append(
            f"It was stopped after {observation.seconds:.0f} s; variables are lost. Do less at once, or look for an "
            "endless loop."
        )
    return "\n".join(part for part in parts if part)


def describe_failures(report: TestReport, failing: Sequence[TestResult]) -> str:
    """What still fails, with the assertion of each; the first few in full."""
    shown = [f"{result.node_id}\n{error_lines(result)}" for result in failing[:MAX_SHOWN_TESTS]]
    if len(failing) > MAX_SHOWN_TESTS:
        shown.append(f"... and {len(failing) - MAX_SHOWN_TESTS} more.")
    return "\n".join([*shown, *([report.problem] if report.problem else [])])


def error_lines(result: TestResult, most: int = 6) -> str:
    """The lines of pytest's report that hold the assertion and its values."""
    lines = [line[:300] for line in result.traceback.splitlines() if line.startswith("E ")]
    return "\n".join(lines[:most]) or result.message


def _show_file(path: str, definitions: Sequence[Definition]) -> str:
    lines = [f"# {path}"]
    constants = dict.fromkeys(constant for definition in definitions for constant in definition.constants)
    lines += constants
    owner = ""
    for definition in sorted(definitions, key=lambda definition: definition.line):
        prefix = definition.name.rpartition(".")[0]
        if prefix and prefix != owner:
            lines.append(f"class {prefix.rpartition('.')[2]}:")
        owner = prefix
        lines += [definition.source.rstrip(), ""]
    return "```python\n" + "\n".join(lines).rstrip() + "\n```"


def _labelled(label: str, text: str) -> str:
    if not text.strip():
        return ""
    if len(text) > MAX_OUTPUT:
        gap = f"[... {len(text) - MAX_OUTPUT} characters left out ...]"
        text = f"{text[: MAX_OUTPUT // 2]}\n{gap}\n{text[-MAX_OUTPUT // 2 :]}"
    return f"{label}\n{text.rstrip()}"
