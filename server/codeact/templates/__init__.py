"""Edits that need no model: the classic one-place mistakes, undone.

Each template looks at one node of a suspect function and proposes other text for it: an operator's neighbour, a bound
one off, another variable of the scope, a missing call or statement, a method's twin. Most bugs that a test catches are
of this kind, and trying one costs milliseconds. After mutation-based program repair (Debroy and Wong, 2010; GenProg,
2012) and the templates that fix what people get wrong (PAR, 2013; TBar, 2019).
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codeact.templates.calls import Calls
from codeact.templates.constants import Constants
from codeact.templates.edit import Edit, Text, end
from codeact.templates.missing import MissingStatements
from codeact.templates.operators import Operators
from codeact.templates.scope import Function, read_scope, words_of
from codeact.templates.statements import Statements
from codeact.templates.together import Together
from codeact.templates.values import Values

__all__ = ["Edit", "propose_edits", "words_of"]

TEMPLATES = (Operators, Constants, Calls, Values, Statements, MissingStatements, Together)


def propose_edits(path: str, source: str, line: int, hints: Sequence[str] = ()) -> tuple[Edit, ...]:
    """All single edits of the function, method or assignment that begins at `line`, likeliest first.

    Args:
        path: of the file.
        source: its text; nothing is proposed if it does not parse.
        line: 1-based.
        hints: words of the failing test, which the code may be meant to say.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ()
    text = Text(path, source)
    return tuple(edit for function in _functions_at(tree, line) for edit in _edits_of(tree, function, text, hints))


def _functions_at(tree: ast.Module, line: int) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if line in (node.lineno, *(decorator.lineno for decorator in node.decorator_list)):
                yield node
        elif isinstance(node, (ast.Module, ast.ClassDef)):
            yield from (_wrap(part) for part in node.body if _is_table(part) and part.lineno == line)


def _is_table(node: ast.stmt) -> bool:
    return isinstance(node, (ast.Assign, ast.AnnAssign))


def _wrap(statement: ast.stmt) -> ast.FunctionDef:
    """An assignment of a module or class, as the body of a function without a name."""
    nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    wrapped = ast.FunctionDef(name="", args=nothing, body=[statement], decorator_list=[])
    return ast.copy_location(wrapped, statement)


def _edits_of(tree: ast.Module, function: Function, text: Text, hints: Sequence[str]) -> Iterator[Edit]:
    """The edits of one function that make another program, and none that says nothing, such as `x - x`."""
    scope = read_scope(tree, function, hints)
    found = [edit for templates in TEMPLATES for edit in templates(text, scope).edits()]
    pieces = _pieces(function, text)
    for edit in sorted(found, key=lambda edit: edit.cost):
        piece = next((piece for piece in pieces if piece.begin <= edit.start and edit.stop <= piece.stop), None)
        edited = piece and piece.parse(edit)
        if piece and edited and (meaning := ast.dump(edited)) not in piece.seen:
            if _count_sameness(edited) > piece.sameness:
                continue
            piece.seen.add(meaning)
            yield edit


@dataclass
class _Piece:
    """A statement, or a whole function: the least that has to be looked at to see what an edit in it makes of it.

    `start` is where its first line begins, `begin` where it does: an edit of the indentation is one of what is around.
    """

    start: int
    begin: int
    stop: int
    content: bytes
    seen: set[str]
    sameness: int

    def parse(self, edit: Edit) -> ast.Module | None:
        """The statement with an edit; None if it is none."""
        before, after = self.content[: edit.start - self.start], self.content[edit.stop - self.start :]
        return _parse((before + edit.text.encode("utf-8", "surrogateescape") + after).decode("utf-8", "replace"))


def _pieces(function: Function, text: Text) -> list[_Piece]:
    """The function and all its statements, the smallest first."""
    found = []
    for node in (function, *(part for part in ast.walk(function) if isinstance(part, ast.stmt))):
        last = end(node)[0]
        whole = text.slice((node.lineno, 0), (last, len(text.lines[last - 1])))
        if program := _parse(whole):
            start, stop = text.offsets[node.lineno - 1], text.offsets[last]
            begin = start if node is function else start + node.col_offset
            content = whole.encode("utf-8", "surrogateescape")
            found.append(_Piece(start, begin, stop, content, {ast.dump(program)}, _count_sameness(program)))
    return sorted(found, key=lambda piece: piece.stop - piece.start)


def _parse(code: str) -> ast.Module | None:
    """What statements say, at whatever depth they stand."""
    try:
        return ast.parse(f"if 1:\n{code}" if code[:1].isspace() else code)
    except (SyntaxError, ValueError):
        return None


def _count_sameness(tree: ast.AST) -> int:
    """How often something is compared with itself, taken from itself, or given twice."""
    count = 0
    for node in ast.walk(tree):
        match node:
            case ast.BinOp(op=ast.Sub() | ast.Div() | ast.FloorDiv() | ast.Mod() | ast.BitAnd() | ast.BitOr()):
                count += ast.dump(node.left) == ast.dump(node.right)
            case ast.Compare(comparators=[right]):
                count += ast.dump(node.left) == ast.dump(right)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=value)):
                count += name == value
            case ast.BoolOp(values=values) | ast.Call(func=ast.Name(id="min" | "max"), args=values):
                count += len({ast.dump(value) for value in values}) < len(values)
    return count
