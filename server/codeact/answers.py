"""From a model's words to actions.

One plain format serves every model: a fenced `python` block is an action, several are run in order, an answer without
one is a final answer. On top, and because it is what small models get right: a block that holds nothing but definitions
of functions or constants which the workspace has is taken for the corrected version of them, and becomes a call of the
`define` helper. Answers that are nearly right are mended here rather than sent back, since a turn costs seconds.
"""

import ast
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from codeact.definitions import Definition
from codeact_sandbox.broken import names_in

FENCE = re.compile(r"^[ \t]*(?P<fence>```+|~~~+)[ \t]*(?P<language>[\w+-]*)[^\n]*\n", re.MULTILINE)
PYTHON = frozenset({"", "python", "py", "python3", "ipython", "pycon", "tool_code"})
PATH_COMMENT = re.compile(r"^\s*#+\s*(?:file(?:name)?:?\s*)?`?([\w./-]+\.py)\b", re.MULTILINE)


@dataclass(frozen=True)
class Parsed:
    """A model's answer, taken apart: its words, and the code blocks in them."""

    thought: str
    blocks: tuple[str, ...]


def parse_answer(text: str) -> Parsed:
    """Split an answer into words and Python blocks.

    Beside others, blocks that do not say that they are Python, and are none, are examples of output. A block that was
    never closed runs to the end of the answer, without a last statement that was cut off. An answer without any fence
    that is Python as a whole, and defines something, counts as one block.
    """
    loose: list[str] = []
    blocks, words, position = [], [], 0
    while match := FENCE.search(text, position):
        words.append(text[position : match.start()])
        closing = re.compile(rf"^[ \t]*{re.escape(match['fence'])}[ \t]*$", re.MULTILINE).search(text, match.end())
        code = text[match.end() : closing.start() if closing else len(text)]
        if match["language"].lower() in PYTHON:
            blocks.append(_clean(code) if closing else _drop_cut_end(_clean(code)))
            loose += [] if match["language"] or _is_python(blocks[-1]) else blocks[-1:]
        position = closing.end() if closing else len(text)
    words.append(text[position:])
    if not blocks and _defines_something(text):
        return Parsed("", (text.strip("\n"),))
    thought = re.sub(r"<think>.*?(</think>|\Z)", "", "".join(words), flags=re.DOTALL).strip()
    kept = [block for block in blocks if block not in loose] or blocks
    return Parsed(thought, tuple(block for block in kept if block.strip()))


def interpret(code: str, known: Sequence[Definition], helpers: Sequence[str]) -> str:
    """Turn one block into the code of an action.

    Args:
        code: the block.
        known: definitions of the workspace that the block may be a new version of, likeliest first.
        helpers: names that, when called, show that the block is meant to be run as it is.
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return code
    if any(_calls(statement, helpers) for statement in tree.body):
        return code
    parts = _sort_by_file(tree, known, _named_files(code, known))
    if not parts:
        return code
    return "\n".join(f"define({path!r}, {quote(part)})" for path, part in _texts(parts, code).items())


def _sort_by_file(tree: ast.Module, known: Sequence[Definition], named: Sequence[str]) -> dict[str, list[ast.stmt]]:
    """Which statement belongs to which file; what has no home of its own goes with the first that has one."""
    parts: dict[str, list[ast.stmt]] = {}
    homeless: list[ast.stmt] = []
    for statement in tree.body:
        home = _home(statement, known, named)
        if home:
            parts.setdefault(home, []).append(statement)
        elif isinstance(statement, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign)):
            homeless.append(statement)
    if parts:
        first = next(iter(parts))
        parts[first] = sorted([*homeless, *parts[first]], key=lambda statement: statement.lineno)
    return parts


def _home(statement: ast.stmt, known: Sequence[Definition], named: Sequence[str]) -> str:
    names = _defined_names(statement)
    candidates = [
        definition.path
        for definition in known
        if names & {definition.name, definition.name.partition(".")[0], definition.name.rpartition(".")[2]}
        or names & {constant.partition("=")[0].partition(":")[0].strip() for constant in definition.constants}
        or (not definition.name and names & _top_level_names(definition.source))
    ]
    return next((path for path in candidates if path in named), candidates[0] if candidates else "")


def _defined_names(statement: ast.stmt) -> set[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _top_level_names(source: str) -> set[str]:
    try:
        return set().union(*(_defined_names(statement) for statement in ast.parse(source).body))
    except (SyntaxError, ValueError):
        return names_in(source)


def _named_files(code: str, known: Sequence[Definition]) -> tuple[str, ...]:
    paths = PATH_COMMENT.findall(code)
    return tuple(definition.path for definition in known if definition.path in paths)


def _texts(parts: dict[str, list[ast.stmt]], code: str) -> dict[str, str]:
    lines = code.split("\n")
    texts = {}
    for path, statements in parts.items():
        pieces = []
        for statement in statements:
            decorators = getattr(statement, "decorator_list", [])
            first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
            pieces.append("\n".join(lines[first - 1 : statement.end_lineno]))
        texts[path] = "\n\n".join(pieces) + "\n"
    return texts


def quote(code: str) -> str:
    """A readable literal of the code; `repr` only when its own quotes or backslashes get in the way."""
    marks = [mark for mark in ('"""', "'''") if mark not in code and not code.endswith(mark[0])]
    return repr(code) if "\\" in code or not marks else f"{marks[0]}\\\n{code}{marks[0]}"


def shortest_passage(before: str, after: str) -> tuple[str, str]:
    """The lines in which two texts differ, with as few around them as make the old ones unique."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    same = _count_same(old, new)
    tail = _count_same(old[same:][::-1], new[same:][::-1])
    first, last = same, len(old) - tail
    while not "".join(old[first:last]).strip() or before.count("".join(old[first:last])) > 1:
        if (first, last) == (0, len(old)):
            break
        first, last = max(first - 1, 0), min(last + 1, len(old))
    return "".join(old[first:last]), "".join(new[first : len(new) - (len(old) - last)])


def _count_same(one: Sequence[str], other: Sequence[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _calls(statement: ast.stmt, helpers: Sequence[str]) -> bool:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    called = {
        node.func.id for node in ast.walk(statement) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return bool(called & set(helpers))


def _clean(code: str) -> str:
    """Undo what models do to code: a common indent, and prompts of an interactive session."""
    code = textwrap.dedent(code)
    if re.match(r"\s*>>> ", code):
        kept = [line[4:] for line in code.splitlines() if line.startswith((">>> ", "... "))]
        return "\n".join(kept) + "\n"
    return code


def _drop_cut_end(code: str) -> str:
    """Drop lines from the end of code that was cut off, until it parses; all of it stays if nothing does."""
    lines = code.rstrip().split("\n")
    for kept in range(len(lines), 0, -1):
        candidate = "\n".join(lines[:kept]) + "\n"
        try:
            ast.parse(candidate)
        except (SyntaxError, ValueError):
            continue
        return candidate
    return code


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _defines_something(text: str) -> bool:
    try:
        return any(
            isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) for node in ast.parse(text).body
        )
    except (SyntaxError, ValueError):
        return False
