"""Has the model fill in suspicious statements, one at a time: the rung that a small model climbs best.

A model that was trained to fill gaps is shown a suspect with one statement left out, below the test that fails, and
writes what belongs there. It does not see the mistake, and so does not repeat it. Each answer is a few words, tried as
any other edit. After AlphaRepair (Xia and Zhang, 2022), which found this to beat asking for whole functions.
"""

import ast
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from codeact.definitions import Definition
from codeact.facts import Facts
from codeact.models.base import Filler
from codeact.search import Candidate, Suspected
from codeact.templates import Edit
from codeact.trajectory import Completion, Gap, Sampling

MAX_GAPS = 10
MAX_FILE = 4000  # characters of a file that is shown whole
MAX_TEST = 1200
COMPOUND = (ast.If, ast.For, ast.While, ast.With, ast.AsyncFor, ast.AsyncWith, ast.Try)


@dataclass(frozen=True)
class Blank:
    """A statement that is left out, or a place before one where a statement may be missing.

    Attributes:
        definition: what it is a part of.
        line: 1-based.
        start: where it begins, as an offset into the file's bytes.
        stop: where it ends; the same where nothing is left out.
        old: its text.
        tail: what has to follow what is filled in.
        gap: what the model is shown.
    """

    definition: Definition
    line: int
    start: int
    stop: int
    old: str
    tail: str
    gap: Gap


def find_blanks(facts: Facts, sources: Mapping[str, str]) -> list[Blank]:
    """The statements of the suspects, hottest first, then the places before each suspect's first statements.

    Args:
        facts: the suspects, how hot each line is, and the test.
        sources: the text of each suspect's file, by path.
    """
    found = [
        blank for definition in facts.suspects for blank in _blanks_of(definition, sources[definition.path], facts)
    ]
    heat = {blank: _heat(facts, blank) for blank in found}
    found.sort(key=lambda blank: (blank.start == blank.stop, -heat[blank]))
    return found[:MAX_GAPS]


def read_edits(blank: Blank, completion: Completion, source: str) -> list[Suspected]:
    """What a model filled in, as edits: all of it, and its first line alone; nothing that does not parse."""
    found: dict[str, Suspected] = {}
    content = source.encode("utf-8", "surrogateescape")
    for answer in completion.answers:
        text = answer.text.rstrip()
        for filled in dict.fromkeys((text, text.split("\n", 1)[0].rstrip())):
            if not filled.strip() or filled.strip() == blank.old.strip():
                continue
            what = f"the model puts `{' '.join(filled.split())[:120]}` there"
            edit = Edit(
                path=blank.definition.path,
                line=blank.line,
                what=what,
                start=blank.start,
                stop=blank.stop,
                text=filled + blank.tail,
                cost=0,
            )
            if meaning := _meaning(content, edit):
                found.setdefault(meaning, Suspected(edit, blank.definition))
    found.pop(_dump(source), None)
    return list(found.values())


async def choose(
    model: Filler,
    candidates: Sequence[Candidate],
    facts: Facts,
    sources: Mapping[str, str],
    record: Callable[[Blank, Completion, Sampling, str], Completion],
) -> list[Candidate]:
    """Sort edits that all pass by how much likelier the model finds them than what stood there, likeliest first.

    Args:
        model: whom to ask.
        candidates: the edits; those that are no edit of a single statement keep their order, behind the others.
        facts: what the edits are to mend.
        sources: the text of each file, by path.
        record: hears of each question and answer, and gives the answer back.
    """
    blanks = [
        blank for definition in facts.suspects for blank in _blanks_of(definition, sources[definition.path], facts)
    ]
    known: dict[Blank, float] = {}
    gains: list[float] = []

    async def weigh(blank: Blank, text: str) -> float:
        completion = await model.weigh(blank.gap, text)
        return float(record(blank, completion, Sampling(), text).answers[0].text)

    for candidate in candidates:
        edit = candidate.edit
        blank = next((one for one in blanks if _holds(one, edit)), None)
        if blank is None:
            gains.append(-math.inf)
            continue
        if blank not in known:
            known[blank] = await weigh(blank, blank.old.strip())
        content = sources[edit.path].encode("utf-8", "surrogateescape")
        edited = edit.apply(sources[edit.path]).encode("utf-8", "surrogateescape")
        stop = blank.stop + len(edited) - len(content)
        gains.append(await weigh(blank, edited[blank.start : stop].decode("utf-8", "replace")) - known[blank])
    ranked = sorted(range(len(candidates)), key=lambda number: -gains[number])
    return [candidates[number] for number in ranked]


def show_gap(gap: Gap) -> str:
    """A gap as a journal shows it."""
    return f"{gap.before}[fill in]{gap.after}"


def _holds(blank: Blank, edit: Edit) -> bool:
    """Whether an edit is one of the statement that is left out."""
    inside = blank.start <= edit.start and edit.stop <= blank.stop
    return blank.definition.path == edit.path and blank.start < blank.stop and inside


def _blanks_of(definition: Definition, source: str, facts: Facts) -> Iterator[Blank]:
    lines = source.split("\n")
    first = definition.line
    last = first + definition.source.count("\n")
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line.encode("utf-8", "surrogateescape")) + 1)
    statements = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and first <= node.lineno and _end(node) <= last and not _is_head(node)
    ]
    head, above = _above(definition, lines, facts)
    below = [] if head else lines[last:]
    for number, node in enumerate(sorted(statements, key=lambda node: node.lineno)):
        stop = _end(node)
        indent = lines[node.lineno - 1][: len(lines[node.lineno - 1]) - len(lines[node.lineno - 1].lstrip())]
        if len(indent) != node.col_offset:
            continue  # not the first on its line
        before = "\n".join([above, *lines[first - 1 : node.lineno - 1], indent])
        after = "\n" + "\n".join([*lines[stop:last], *below])
        start = offsets[node.lineno - 1] + node.col_offset
        old = "\n".join(lines[node.lineno - 1 : stop])
        yield Blank(definition, node.lineno, start, offsets[stop] - 1, old, "", Gap(before, after))
        if not number:  # a guard that is missing
            rest = "\n".join(["", old, *lines[stop:last], *below])
            yield Blank(definition, node.lineno, start, start, "", f"\n{indent}", Gap(before, rest))


def _above(definition: Definition, lines: Sequence[str], facts: Facts) -> tuple[bool, str]:
    """What is shown above a suspect; and whether that is less than its file has."""
    test = "\n".join(f"# {line}" for line in facts.test_source[:MAX_TEST].splitlines() if line.strip())
    if sum(map(len, lines)) <= MAX_FILE:
        return False, "\n".join([test, "", *lines[: definition.line - 1]])
    owner = definition.name.rpartition(".")[0]
    return True, "\n".join([test, "", *definition.constants, *([f"class {owner}:"] if owner else [])])


def _heat(facts: Facts, blank: Blank) -> float:
    """How hot a line is; where nothing is known, the lines that the failure went through are."""
    if facts.heat:
        return facts.heat.get((blank.definition.path, blank.line), 0.0)
    places = [(frame.path, frame.line) for frame in facts.target.frames]
    place = (blank.definition.path, blank.line)
    return 1.0 if place in places else 0.0


def _end(node: ast.stmt) -> int:
    """The last line of a statement; of one that holds others, of its head."""
    if isinstance(node, COMPOUND):
        return max(node.lineno, node.body[0].lineno - 1)
    return node.end_lineno or node.lineno


def _is_head(node: ast.stmt) -> bool:
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return docstring or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Try))


def _meaning(content: bytes, edit: Edit) -> str:
    return _dump(edit.apply(content.decode("utf-8", "surrogateescape")))


def _dump(source: str) -> str:
    """A program without its layout; empty if it is none."""
    try:
        return ast.dump(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError):
        return ""
