"""What failing tests pass to the code and expect of it, read from their text.

A `Case` is one assertion, or one row of a test's table: the literals it passes and those it expects.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

MAX_CASES = 2000

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Case:
    """What a test passes, and what it expects of that; literals, in one spelling."""

    test: str
    given: frozenset[str]
    expected: frozenset[str]


def find_cases(tests: Mapping[str, str], targets: Sequence[str]) -> tuple[Case, ...]:
    """What the targets pass and expect; a target that is a file stands for all of its tests."""
    cases: list[Case] = []
    for path, text in tests.items():
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            continue
        names = [target.partition("[")[0].split("::")[1:] for target in targets if target.partition("::")[0] == path]
        wanted = {name[-1] for name in names if name}
        tables = _tables(tree)
        for node in ast.walk(tree):
            if isinstance(node, Function) and node.name.startswith("test") and (not wanted or node.name in wanted):
                cases += _cases_of(node, tables)
    return tuple(cases[:MAX_CASES])


def _cases_of(test: Function, tables: Mapping[str, ast.expr]) -> Iterator[Case]:
    """The cases of a test: its assertions, each with what the test prepares, and the rows of its tables."""
    assigned = [node.value for node in ast.walk(test) if isinstance(node, ast.Assign)]
    prepared = frozenset(key for value in assigned for key in literals(value))
    used = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
    lists = [tables[name] for name in used if name in tables]
    rows = [row for node in (*lists, *_row_lists(test)) for row in _rows(node)]
    for row in rows:
        yield Case(test.name, row | prepared, row | prepared)
    for node in ast.walk(test):
        if isinstance(node, ast.Assert) or _is_assert_call(node):
            given, expected = _sides(node)
            yield Case(test.name, given | prepared, expected | prepared)


def _is_assert_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.startswith("assert")


def _sides(node: ast.AST) -> tuple[frozenset[str], frozenset[str]]:
    """What an assertion passes to what it calls, and what it compares with."""
    given: set[str] = set()
    expected: set[str] = set()
    pending: list[tuple[ast.AST, bool]] = [(node.test if isinstance(node, ast.Assert) else node, False)]
    while pending:
        part, inside = pending.pop()
        key = literal(part) if isinstance(part, ast.expr) else None
        if key:
            (given if inside else expected).add(key)
            given.update(literals(part) if inside and isinstance(part, ast.expr) else ())
            continue
        calls = isinstance(part, ast.Call) and not _is_assert_call(part) and not _name(part).endswith("approx")
        if isinstance(part, ast.Call):
            both = literal(ast.Tuple([argument for argument in part.args], ast.Load()))  # noqa: C416 - typed as expressions
            given.update([both] if both and len(part.args) > 1 else [])
        pending += [(child, inside or calls) for child in ast.iter_child_nodes(part)]
    condition = node.test if isinstance(node, ast.Assert) else None
    if isinstance(condition, ast.Call):
        expected.add("True")
    elif isinstance(condition, ast.UnaryOp) and isinstance(condition.op, ast.Not):
        expected.add("False")
    return frozenset(given), frozenset(expected)


def _name(call: ast.Call) -> str:
    return ast.unparse(call.func)


def _tables(tree: ast.Module) -> dict[str, ast.expr]:
    """The module's own lists and tables, by name."""
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.List, ast.Tuple, ast.Dict))
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _row_lists(test: Function) -> Iterator[ast.expr]:
    for node in (part for decorator in test.decorator_list for part in ast.walk(decorator)):
        if isinstance(node, ast.Call) and _name(node).endswith("parametrize"):
            yield from node.args[1:]
    for node in ast.walk(test):
        if isinstance(node, ast.For):
            yield node.iter


def _rows(node: ast.expr) -> Iterator[frozenset[str]]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Dict):
        node = node.func.value  # {...}.items()
    if isinstance(node, ast.Dict):
        parts = [[key, value] for key, value in zip(node.keys, node.values, strict=True) if key]
        yield from (frozenset(key for part in row for key in literals(part)) for row in parts)
    for element in getattr(node, "elts", []):
        inner = element.args if isinstance(element, ast.Call) else getattr(element, "elts", [])
        keys = {key for part in inner for key in literals(part)}
        keys.update(key for key in [literal(ast.Tuple(list(inner[:-1]), ast.Load()))] if key and len(inner) > 1)
        yield frozenset(keys)


def literals(node: ast.expr) -> Iterator[str]:
    """The literals in an expression, and the elements of those that are lists."""
    key = literal(node)
    if key:
        yield key
    if not key or isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                yield from literals(child)


def literal(node: ast.expr) -> str | None:
    """A literal in one spelling, so that `3` and `3.0` are the same; None if it is none."""
    if isinstance(node, ast.Name):
        return None
    try:
        return _spell(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def literal_text(text: str) -> str | None:
    """The literal that a text spells, such as a pattern's; None if it is none."""
    try:
        return literal(ast.parse(text, mode="eval").body)
    except SyntaxError:
        return None


def _spell(value: object) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(float(value)) if abs(value) < 1e15 else repr(value)  # noqa: PLR2004 - floats are exact below
    if isinstance(value, list):
        return "[" + ", ".join(map(_spell, value)) + "]"
    if isinstance(value, tuple) and value:
        return "(" + "".join(f"{_spell(part)}, " for part in value) + ")"
    return repr(value)
