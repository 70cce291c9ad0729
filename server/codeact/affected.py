"""Which tests a change may break: those whose recorded way goes through a function that it touches.

Only the order of tests depends on it. What is not known to be affected is run as well, once, at the end.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence

from codeact.lines import changed_regions, split_lines
from codeact.trajectory import FileChange, Frame


def affected(ways: Mapping[str, Sequence[Frame]], changes: Sequence[FileChange]) -> list[str]:
    """The tests that go through what the changes touch.

    Args:
        ways: for each test, the functions that it was seen to call.
        changes: what is to be judged.
    """
    touched = {change.path: _touched(change) for change in changes if change.before and change.after}
    return [node_id for node_id, way in ways.items() if any(_goes_through(frame, touched) for frame in way)]


def _goes_through(frame: Frame, touched: Mapping[str, frozenset[str]]) -> bool:
    names = touched.get(frame.path, frozenset())
    return "" in names or frame.function.rpartition(".")[2] in names


def _touched(change: FileChange) -> frozenset[str]:
    """Names of the functions, as they were, in which lines changed; with "" where something else changed too."""
    assert change.before  # noqa: S101 - asked for above
    assert change.after  # noqa: S101
    regions = changed_regions(split_lines(change.before.content), split_lines(change.after.content))
    try:
        functions = [*_functions(ast.parse(change.before.content))]
    except (SyntaxError, ValueError, RecursionError):
        return frozenset({""})
    found = set()
    for region in regions:
        first, last = region.old_start + 1, max(region.old_stop, region.old_start + 1)
        around = [name for name, start, stop in functions if start <= last and first <= stop]
        found.update(around or [""])
    return frozenset(found)


def _functions(tree: ast.Module) -> Iterator[tuple[str, int, int]]:
    """Name, first and last line of each function."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno or node.lineno
