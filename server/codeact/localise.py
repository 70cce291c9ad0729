"""Where a fault likely is: lines that failing tests run and passing ones do not, or that changed not long ago.

Each line that the failing test runs gets a suspicion after Ochiai (Abreu et al., 2006): how many of the failing tests
run it, against how many tests do at all. Added to it are where the traceback went through, what changed since the
tests may last have passed, and, a little, how much is worked out in the line. A definition is as suspicious as its two
worst lines together; an assignment of a module or class as the lines that use its name.
"""

import ast
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from codeact.definitions import Definition, list_definitions, parses
from codeact.lines import changed_regions, split_lines
from codeact.trajectory import Frame, TestResult

Place = tuple[str, int]
Heat = Mapping[Place, float]
Lines = Mapping[str, frozenset[int]]
ReadSource = Callable[[str], str | None]

OF_FRAMES = 0.25  # for the place where it was raised, less for those further out
OF_CHANGES = 0.4  # for what was changed last
OF_WORK = 0.1  # for a line in which much is worked out
MUCH_WORK = 3
ALIKE = 0.5
AGEING = 0.6
MOST_CHANGED = 0.5
OF_USE = 0.6  # what is left of the suspicion of a line for an assignment that it uses
OF_SHOWING = 0.5  # what is left of it in `__repr__`, which pytest itself calls to show what failed
MOST = 1.0 + OF_FRAMES + OF_CHANGES + OF_WORK
MAX_SUSPECTS = 20
WORK = (ast.Compare, ast.BinOp, ast.BoolOp, ast.UnaryOp, ast.Subscript, ast.IfExp, ast.Call)


@dataclass(frozen=True)
class Spectrum:
    """What tests ran.

    Attributes:
        failing: for each test that fails, by node id, the lines that it ran of each file.
        passing: the same of tests that pass.
    """

    failing: Mapping[str, Lines] = field(default_factory=dict)
    passing: Mapping[str, Lines] = field(default_factory=dict)

    def blame(self, node_id: str) -> "Spectrum":
        """The same, with a test among those that fail, though it may have passed this time."""
        if node_id not in self.passing:
            return self
        passing = {name: lines for name, lines in self.passing.items() if name != node_id}
        return Spectrum({**self.failing, node_id: self.passing[node_id]}, passing)


UNKNOWN = Spectrum()
UNCHANGED: Heat = MappingProxyType({})


def rank(
    target: TestResult,
    spectrum: Spectrum,
    changed: Heat,
    read: ReadSource,
    is_test: Callable[[str], bool],
) -> tuple[Sequence[tuple[Definition, float]], Heat]:
    """Rank definitions and lines by how suspicious they are.

    Args:
        target: the failing test.
        spectrum: what it and others ran; may be empty, then frames and calls are all there is.
        changed: how lately lines have changed, 0 to 1.
        read: gives the text of a file, None if there is none.
        is_test: tells whether a path holds tests, which are never suspects.

    Returns:
        Definitions with their suspicion, 0 to 1, most suspicious first, and the suspicion of each line.
    """
    frames = [frame for frame in reversed(target.frames) if not is_test(frame.path)]
    called = [*frames, *(frame for frame in target.called if not is_test(frame.path))]
    ran = spectrum.failing.get(target.node_id, {})
    paths = dict.fromkeys([*(frame.path for frame in called), *(path for path in ran if not is_test(path))])
    sources = {path: source for path in paths if (source := read(path)) is not None}
    own = {path: ran[path] for path in sources if path in ran}
    lines = _weigh_lines(own, _alike(own, spectrum), list(spectrum.passing.values()))
    for depth, frame in enumerate(frames, 1):
        lines[frame.path, frame.line] += OF_FRAMES / depth
    for place in lines:
        lines[place] += OF_CHANGES * changed.get(place, 0.0)
    spread = {path: _spread(path, source, lines) for path, source in sources.items()}
    heat = {place: score / MOST for found in spread.values() for place, score in found.items()}
    definitions = [found for path, source in sources.items() for found in list_definitions(path, source)]
    scores = _weigh_definitions(definitions, heat, sources, changed)
    first = {_at(definitions, frame): -number for number, frame in reversed(list(enumerate(called)))}
    ranked = sorted(scores.items(), key=lambda found: (round(found[1], 3), first.get(found[0], -len(called))))
    found = [(definitions[number], score) for number, score in ranked[::-1][:MAX_SUSPECTS]]
    return [*_broken(sources, frames), *found], heat


def _broken(sources: Mapping[str, str], frames: Sequence[Frame]) -> list[tuple[Definition, float]]:
    """The files of a traceback that do not parse, whole: there is no doubt about them."""
    paths = dict.fromkeys(frame.path for frame in frames if not parses(sources.get(frame.path, "")))
    return [(Definition(path, "", 1, sources[path]), 1.0) for path in paths]


def find_late_lines(path: str, text: str, versions: Sequence[bytes]) -> Heat:
    """How lately a file's lines have changed, 0 to 1: 1 since the last commit, less with each commit before that.

    Args:
        path: the file.
        text: as it is now.
        versions: as it was, latest first: in the last commit, and before each commit that changed it. A change of most
            of the file says nothing.
    """
    new = split_lines(text.encode("utf-8", "surrogateescape"))
    found: dict[Place, float] = {}
    for age, version in enumerate(versions):
        changed = {
            (path, line + 1)
            for region in changed_regions(split_lines(version), new)
            for line in range(region.new_start, max(region.new_stop, region.new_start + 1))
        }
        if len(changed) <= MOST_CHANGED * len(new):
            found = {**dict.fromkeys(changed, AGEING**age), **found}
    return found


def _alike(own: Lines, spectrum: Spectrum) -> list[Lines]:
    """What the failing tests ran that may have the same cause: at least half of the lines are the same."""
    mine = {(path, line) for path, lines in own.items() for line in lines}
    found = []
    for files in spectrum.failing.values():
        theirs = {(path, line) for path in own for line in files.get(path, ())}
        if len(mine & theirs) >= ALIKE * len(mine | theirs):
            found.append(files)
    return found


def _weigh_lines(own: Lines, failing: Sequence[Lines], passing: Sequence[Lines]) -> defaultdict[Place, float]:
    """Ochiai's coefficient of each line that the target ran."""
    scores: defaultdict[Place, float] = defaultdict(float)
    for path, lines in own.items():
        for line in lines:
            failed = sum(line in files.get(path, ()) for files in failing)
            passed = sum(line in files.get(path, ()) for files in passing)
            scores[path, line] = failed / math.sqrt(len(failing) * (failed + passed))
    return scores


def _spread(path: str, source: str, lines: Heat) -> dict[Place, float]:
    """The scores of a file's lines, each statement's highest on all of its lines; statements that work get more."""
    if not parses(source):
        return {place: score for place, score in lines.items() if place[0] == path}
    found: dict[Place, float] = {}
    for own, much in _statements(source):
        scores = [lines[path, line] for line in own if (path, line) in lines]
        if scores:
            found.update(dict.fromkeys(((path, line) for line in own), max(scores) + OF_WORK * much))
    return found


@lru_cache(maxsize=256)  # as definitions are
def _statements(source: str) -> tuple[tuple[range, float], ...]:
    """The lines of each statement, outer ones first, and how much is worked out in them, 0 to 1."""
    tree = ast.parse(source)
    work: defaultdict[int, int] = defaultdict(int)
    for node in ast.walk(tree):
        if isinstance(node, WORK):
            work[node.lineno] += 1
    found = []
    for statement in ast.walk(tree):
        if isinstance(statement, ast.stmt) and not isinstance(statement, ast.ClassDef):
            own = range(statement.lineno, _end_of_head(statement) + 1)
            found.append((own, min(sum(work[line] for line in own), MUCH_WORK) / MUCH_WORK))
    return tuple(found)


def _end_of_head(statement: ast.stmt) -> int:
    """The last line of a statement, of a compound one without its body."""
    body: list[ast.stmt] = getattr(statement, "body", [])
    last = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
    return max(statement.lineno, last)


def _weigh_definitions(
    definitions: Sequence[Definition], heat: Heat, sources: Mapping[str, str], changed: Heat
) -> dict[int, float]:
    """The suspicion of definitions, by their place; of those only that have any."""
    lines: defaultdict[int, list[float]] = defaultdict(list)
    users: defaultdict[str, float] = defaultdict(float)
    for number, definition in enumerate(definitions):
        for line in range(definition.line, definition.last + 1):
            if score := heat.get((definition.path, line), 0.0):
                lines[number].append(score)
    for path, source in sources.items():
        for name, line in _uses(source):
            users[name] = max(users[name], heat.get((path, line), 0.0))
    scores = {number: sum(sorted(found)[-2:]) / len(found[-2:]) for number, found in lines.items()}
    for number in scores:
        scores[number] *= OF_SHOWING if definitions[number].name.endswith(".__repr__") else 1.0
    for number, definition in enumerate(definitions):
        bare = definition.name.rpartition(".")[2]
        if number not in scores and not _is_function(definition) and (used := users[bare]):
            late = max(
                changed.get((definition.path, line), 0.0) for line in range(definition.line, definition.last + 1)
            )
            scores[number] = OF_USE * used + OF_CHANGES * late / MOST
    return scores


@lru_cache(maxsize=256)  # as definitions are
def _uses(source: str) -> tuple[tuple[str, int], ...]:
    """The names and attributes that are read in a file, with their lines."""
    found = []
    for node in ast.walk(ast.parse(source)) if parses(source) else ():
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.append((node.id, node.lineno))
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            found.append((node.attr, node.lineno))
    return tuple(found)


def _is_function(definition: Definition) -> bool:
    return definition.source.lstrip().startswith(("def ", "async def ", "@"))


def _at(definitions: Sequence[Definition], frame: Frame) -> int:
    """The place of the definition that a frame is in; -1 if there is none."""
    inside = (
        number
        for number, found in enumerate(definitions)
        if found.path == frame.path and found.line <= frame.line <= found.last
    )
    return next(inside, -1)
