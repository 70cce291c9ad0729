"""The rung of the ladder that needs no model: try single edits of the suspects, hundreds in a few seconds.

What passes is no fix yet. The likeliest that passes becomes an action like any that a model writes, and has to pass the
same check.
"""

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass

from codeact.facts import Definition, find_definition
from codeact.sandboxes.base import Sandbox
from codeact.templates import Edit, propose_edits
from codeact.trajectory import FileState

MAX_TRIALS = 400
MAX_SUSPECTS = 8
ENOUGH = 3
FARTHER = 0.4  # what each place down the list of suspects adds to the cost of an edit
TRIALS = ".codeact-trials.jsonl"


@dataclass(frozen=True)
class Candidate:
    """An edit that made the tests pass, and the definition as it is with it."""

    edit: Edit
    definition: Definition


async def search_edits(
    sandbox: Sandbox,
    suspects: Sequence[tuple[Definition, str]],
    tests: Sequence[str],
    *,
    seconds: float,
    patience: float,
) -> tuple[int, tuple[Candidate, ...]]:
    """Try single edits of some definitions against some tests.

    Args:
        sandbox: its view must hold the files as they are in `suspects`.
        suspects: definitions, likeliest first, each with the text of its file.
        tests: node ids that must pass, all of them.
        seconds: how long all trials may take.
        patience: how long one may take; one that takes longer has failed.

    Returns:
        How many edits were tried, and the first few that passed, likeliest first.
    """
    edits = _edits(suspects)
    trials = [{"path": edit.path, "start": edit.start, "stop": edit.stop, "text": edit.text} for edit in edits]
    lines = "".join(json.dumps(trial) + "\n" for trial in trials)
    await sandbox.write({TRIALS: FileState(lines.encode("ascii"))})
    report = bytearray()
    program = [sandbox.python, "-B", "/run/codeact/lib/codeact_sandbox/trials.py", TRIALS, str(patience), str(ENOUGH)]
    try:
        await sandbox.spawn([*program, *tests], timeout=seconds, on_report=report.extend, warm=True)
    finally:
        await sandbox.write({TRIALS: None})
    results = sorted(_read(bytes(report), len(edits)))
    sources = {definition.path: source for definition, source in suspects}
    candidates = [_candidate(edits[number], sources[edits[number].path]) for number, passed in results if passed]
    return len(results), tuple(candidate for candidate in candidates if candidate)


def _edits(suspects: Sequence[tuple[Definition, str]]) -> list[Edit]:
    ranked = [
        (edit.cost + rank * FARTHER, edit)
        for rank, (definition, source) in enumerate(suspects[:MAX_SUSPECTS])
        for edit in propose_edits(definition.path, source, definition.line)
    ]
    return [edit for _, edit in sorted(ranked, key=lambda pair: pair[0])[:MAX_TRIALS]]


def _read(report: bytes, most: int) -> list[tuple[int, bool]]:
    """The trials' results; lines that are none are passed over, since code under test may have written them."""
    results = []
    for line in report.splitlines():
        try:
            match json.loads(line):
                case {"trial": int(number), "passed": bool(passed)} if 0 <= number < most:
                    results.append((number, passed))
        except ValueError:
            continue
    return results


def _candidate(edit: Edit, source: str) -> Candidate | None:
    edited = edit.apply(source)
    try:
        ast.parse(edited)
    except (SyntaxError, ValueError):
        return None
    definition = find_definition(edit.path, edited, edit.line)
    return Candidate(edit, definition) if definition else None
