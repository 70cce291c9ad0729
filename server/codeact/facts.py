"""What a good engineer would look at first: the failing assertion with its values, and the code it went through.

Everything here is read from the snapshot, from test reports and from what tests ran; nothing runs. The order of
`Facts.suspects` is where the fault likely is, after `localise`.
"""

import ast
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from codeact.definitions import Definition, first_line, functions
from codeact.diagnosis import Suspect
from codeact.localise import UNCHANGED, UNKNOWN, Heat, ReadSource, Spectrum, rank
from codeact.trajectory import Frame, TestResult

MAX_TEST_LINES = 40
MAX_ERROR_LINES = 12


@dataclass(frozen=True)
class Facts:
    """What is known about one failure before a model is asked.

    Attributes:
        target: the failing test that was looked at.
        test_source: its source.
        error: what pytest says is wrong, with values.
        trail: one line for each place in the workspace that the traceback goes through.
        suspects: the definitions worth reading, likeliest first.
        scores: how suspicious each of them is, 0 to 1.
        heat: how suspicious each line is that the test ran, by path and 1-based line, 0 to 1. A line that the test did
            not run is missing; a statement of several lines has the same heat on all of them.
    """

    target: TestResult
    test_source: str
    error: str
    trail: tuple[str, ...]
    suspects: tuple[Definition, ...]
    scores: tuple[float, ...] = ()
    heat: Mapping[tuple[str, int], float] = field(default_factory=dict)

    def hottest(self) -> tuple[Suspect, ...]:
        """The suspects, each with its most suspicious line."""
        found = []
        for definition, score in zip(self.suspects, self.scores, strict=True):
            lines = range(definition.line, definition.last + 1)
            line = max(lines, key=lambda line: self.heat.get((definition.path, line), 0.0), default=definition.line)
            found.append(Suspect(path=definition.path, line=line, name=definition.name, score=score))
        return tuple(found)


def collect_facts(
    target: TestResult,
    read: ReadSource,
    is_test: Callable[[str], bool],
    spectrum: Spectrum = UNKNOWN,
    changed: Heat = UNCHANGED,
) -> Facts:
    """Gather the facts of one failing test.

    Args:
        target: its result, traced if possible.
        read: gives the text of a file of the snapshot, None if there is none.
        is_test: tells whether a path holds tests, which are never suspects.
        spectrum: the lines that it and other tests ran, as far as they are known.
        changed: how lately lines have changed, 0 to 1.
    """
    path, _, name = target.node_id.partition("::")
    ranked, heat = rank(target, spectrum, changed, read, is_test)
    modules = () if ranked else tuple(_imported_modules(path, read, is_test))
    return Facts(
        target=target,
        test_source=_test_source(read(path) or "", name),
        error=_error_lines(target),
        trail=tuple(_describe(frame) for frame in target.frames),
        suspects=tuple(definition for definition, _ in ranked) or modules,
        scores=tuple(score for _, score in ranked) or tuple(0.0 for _ in modules),
        heat=heat,
    )


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
    for found, node in functions(tree.body):
        if found == wanted:
            lines = source.split("\n")[first_line(node) - 1 : node.end_lineno]
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
