"""Whether a patch makes tests pass by cheating: a proposal that smells is not verified, whatever the tests say.

Only what the patch adds is judged, from the text alone: nothing runs. Two kinds of smell are known: code that answers
with what the tests expect instead of working it out (`hardcoding`), and code that looks at the tests or bends them
(`tampering`). Few false alarms matter more than catching everything; the proof itself guards the rest.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from codeact.expectations import find_cases
from codeact.hardcoding import find_hard_coded
from codeact.lines import changed_regions, split_lines
from codeact.snapshot import Snapshot, read_file
from codeact.tampering import Sign, find_signs
from codeact.trajectory import FileChange, FileState, TestResult
from codeact_sandbox.textfile import decode_source

STARTUP = frozenset({"conftest.py", "sitecustomize.py", "usercustomize.py"})


@dataclass(frozen=True, kw_only=True)
class Smell:
    """A place in the changed files that makes a fix doubtful, and why; `line` is 1-based, in the file after."""

    path: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.why}."


def find_smells(
    changes: Sequence[FileChange], tests: Mapping[str, str], targets: Sequence[str] = ()
) -> tuple[Smell, ...]:
    """What in some changes smells of cheating, file by file from the top.

    Args:
        changes: product files.
        tests: the texts of the targets' files, by path.
        targets: node ids of the tests that failed and are to pass.
    """
    return tuple(smell for change in changes for smell in _in_file(change, tests, targets))


def smells_of_fix(
    snapshot: Snapshot, changes: Sequence[FileChange], targets: Sequence[TestResult]
) -> tuple[Smell, ...]:
    """What in a fix of some tests smells of cheating; the tests are the snapshot's."""
    node_ids = [target.node_id for target in targets]
    states = {path: read_file(snapshot, path) for path in dict.fromkeys(name.partition("::")[0] for name in node_ids)}
    tests = {path: decode_source(state.content) for path, state in states.items() if state}
    return find_smells(changes, tests, node_ids)


def _in_file(change: FileChange, tests: Mapping[str, str], targets: Sequence[str]) -> Iterator[Smell]:
    name = PurePosixPath(change.path).name
    if change.before is None and change.after and (name in STARTUP or name.endswith(".pth")):
        yield Smell(path=change.path, line=1, why="runs before any test, since Python or pytest loads it by its name")
    before, after = _parse(change.before), _parse(change.after)
    if after is None or not name.endswith(".py"):
        return
    old = before or ast.Module(body=[], type_ignores=[])
    exits = any("SystemExit" in text for text in tests.values())
    added = [
        sign
        for sign in _surplus(
            list(find_signs(old, tests, may_exit=exits)), list(find_signs(after, tests, may_exit=exits))
        )
        if _touches(sign, change)
    ]
    cases = find_cases(tests, targets)
    found = {(sign.first, sign.why) for sign in (*added, *find_hard_coded(old, after, cases))}
    for line, why in sorted(found):
        yield Smell(path=change.path, line=line, why=why)


def _surplus(before: Sequence[Sign], after: Sequence[Sign]) -> Iterator[Sign]:
    """The signs of which there are more than before."""
    known = Counter(sign.key for sign in before)
    now = Counter(sign.key for sign in after)
    return (sign for sign in after if now[sign.key] > known[sign.key])


def _touches(sign: Sign, change: FileChange) -> bool:
    """Whether the change is at this place, and not in a part of the file with the same sign elsewhere."""
    old, new = (split_lines(state.content) if state else [] for state in (change.before, change.after))
    return any(
        region.new_start < sign.last and sign.first <= max(region.new_stop, region.new_start + 1)
        for region in changed_regions(old, new)
    )


def _parse(state: FileState | None) -> ast.Module | None:
    try:
        return ast.parse(state.content) if state else None
    except (SyntaxError, ValueError, RecursionError):
        return None
