"""What a good engineer would look at first: the failing assertion with its values, and the code it went through.

Everything here is read from the snapshot and from the test report; nothing runs. The order of `Facts.suspects` is a
first guess at where the fault is: functions of the traceback from the inside out, then functions that the tests called.
"""

import ast
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from codeact.trajectory import Frame, TestResult

ReadSource = Callable[[str], str | None]

MAX_TEST_LINES = 40
MAX_ERROR_LINES = 12


@dataclass(frozen=True)
class Definition:
    """A function, method, class or module of the workspace, as the snapshot has it.

    Attributes:
        path: the file.
        name: `f`, `Class.method`, or empty for a whole module.
        line: first line, 1-based, decorators included.
        source: its lines, as they are in the file.
        constants: assignments of the module that it uses, as they are in the file.
    """

    path: str
    name: str
    line: int
    source: str
    constants: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What is known about one failure before a model is asked.

    Attributes:
        target: the failing test that was looked at.
        test_source: its source.
        error: what pytest says is wrong, with values.
        trail: one line for each place in the workspace that the traceback goes through.
        suspects: the definitions worth reading, likeliest first.
        heat: how suspicious each line is, by path and 1-based line, 0 to 1; empty if nothing is known of lines.
    """

    target: TestResult
    test_source: str
    error: str
    trail: tuple[str, ...]
    suspects: tuple[Definition, ...]
    heat: Mapping[tuple[str, int], float] = field(default_factory=dict)


def collect_facts(target: TestResult, read: ReadSource, is_test: Callable[[str], bool]) -> Facts:
    """Gather the facts of one failing test.

    Args:
        target: its result, traced if possible.
        read: gives the text of a file of the snapshot, None if there is none.
        is_test: tells whether a path holds tests, which are never suspects.
    """
    path, _, name = target.node_id.partition("::")
    places = [frame for frame in reversed(target.frames) if not is_test(frame.path)]
    places += [frame for frame in target.called if not is_test(frame.path)]
    suspects = _unique(_definition_at(frame, read) for frame in places)
    if not suspects:
        suspects = tuple(_imported_modules(path, read, is_test))
    return Facts(
        target=target,
        test_source=_test_source(read(path) or "", name),
        error=_error_lines(target),
        trail=tuple(_describe(frame) for frame in target.frames),
        suspects=suspects,
    )


def find_definition(path: str, source: str, line: int) -> Definition | None:
    """The outermost function, or method, that has `line`; None if it is not inside one or `source` does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    for name, node in _functions(tree.body, ""):
        first = _first_line(node)
        if first <= line <= (node.end_lineno or node.lineno):
            text = "\n".join(source.split("\n")[first - 1 : node.end_lineno])
            return Definition(path, name, first, text, _constants_used(tree, node, source))
    return None


def _definition_at(frame: Frame, read: ReadSource) -> Definition | None:
    source = read(frame.path)
    if source is None:
        return None
    return find_definition(frame.path, source, frame.line) or Definition(frame.path, "", 1, source)


def _functions(body: Sequence[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.")
        else:
            for part in ("body", "orelse", "finalbody"):
                yield from _functions(getattr(node, part, []), prefix)


def _first_line(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _constants_used(tree: ast.Module, node: ast.AST, source: str) -> tuple[str, ...]:
    used = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    found = []
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if any(isinstance(target, ast.Name) and target.id in used for target in targets):
            found.append(ast.get_source_segment(source, statement) or "")
    return tuple(found)


def _unique(found: Iterator[Definition | None]) -> tuple[Definition, ...]:
    by_place = {(definition.path, definition.name): definition for definition in found if definition}
    return tuple(by_place.values())


def _imported_modules(path: str, read: ReadSource, is_test: Callable[[str], bool]) -> Iterator[Definition]:
    """The workspace's modules that a test file imports: all there is to go by when it could not even be collected."""
    try:
        tree = ast.parse(read(path) or "")
    except (SyntaxError, ValueError):
        return
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    for name in dict.fromkeys(names):
        stem = name.replace(".", "/")
        for root in dict.fromkeys(("", "src", posixpath.dirname(path))):
            for candidate in (posixpath.join(root, f"{stem}.py"), posixpath.join(root, stem, "__init__.py")):
                source = read(candidate)
                if source and not is_test(candidate):
                    yield Definition(candidate, "", 1, source)


def _test_source(source: str, name: str) -> str:
    """The source of the test function that a node id names, bounded."""
    wanted = name.partition("[")[0].replace("::", ".")
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ""
    for found, node in _functions(tree.body, ""):
        if found == wanted:
            lines = source.split("\n")[_first_line(node) - 1 : node.end_lineno]
            gap = ["    ..."] if len(lines) > MAX_TEST_LINES else []
            return "\n".join(lines[:MAX_TEST_LINES] + gap)
    return ""


def _error_lines(result: TestResult) -> str:
    lines = [line for line in result.traceback.splitlines() if line.startswith(("E ", "> "))]
    if not any(line.startswith("E ") for line in lines):
        lines = [result.message, *result.traceback.splitlines()[-MAX_ERROR_LINES:]]
    if len(lines) > MAX_ERROR_LINES:
        lines = [*lines[: MAX_ERROR_LINES - 4], "...", *lines[-3:]]
    return "\n".join(line[:300] for line in lines)


def _describe(frame: Frame) -> str:
    values = ", ".join(f"{name}={value}" for name, value in frame.values)
    return f"{frame.path}:{frame.line} in {frame.function}" + (f" with {values}" if values else "")
