"""Edits that need no model: the classic one-place mistakes, undone.

Each template looks at one node of a suspect function and proposes other text for it: an operator's neighbour, a bound
one off, another variable of the scope, a missing call or statement, a method's twin. Most bugs that a test catches are
of this kind, and trying one costs milliseconds. After mutation-based program repair (Debroy and Wong, 2010; GenProg,
2012) and the templates that fix what people get wrong (PAR, 2013; TBar, 2019).
"""

import ast
from collections.abc import Iterator

from codeact.templates.edit import Edit, Text, end
from codeact.templates.expressions import Expressions
from codeact.templates.scope import Function, read_scope
from codeact.templates.statements import Statements
from codeact.templates.values import Values

__all__ = ["Edit", "propose_edits"]


def propose_edits(path: str, source: str, line: int) -> tuple[Edit, ...]:
    """All single edits of the function or method that begins at `line`, likeliest first; none if it does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ()
    text = Text(path, source)
    return tuple(edit for function in _functions_at(tree, line) for edit in _edits_of(tree, function, text))


def _functions_at(tree: ast.Module, line: int) -> list[Function]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and line in (node.lineno, *(decorator.lineno for decorator in node.decorator_list))
    ]


def _edits_of(tree: ast.Module, function: Function, text: Text) -> Iterator[Edit]:
    """The edits of one function that make another program, and none that says nothing, such as `x - x`."""
    scope = read_scope(tree, function)
    found = [edit for templates in (Expressions, Values, Statements) for edit in templates(text, scope).edits()]
    first, last = text.offsets[function.lineno - 1], text.offsets[end(function)[0]]
    old = text.slice((function.lineno, 0), (end(function)[0], len(text.lines[end(function)[0] - 1])))
    program = _parse(old)
    seen = {ast.dump(program)} if program else set()
    sameness = _count_sameness(program) if program else 0
    whole = old.encode("utf-8", "surrogateescape")
    for edit in sorted(found, key=lambda edit: edit.cost):
        if not first <= edit.start <= edit.stop <= last:
            continue
        new = edit.text.encode("utf-8", "surrogateescape")
        edited = _parse((whole[: edit.start - first] + new + whole[edit.stop - first :]).decode("utf-8", "replace"))
        if edited and (meaning := ast.dump(edited)) not in seen and _count_sameness(edited) <= sameness:
            seen.add(meaning)
            yield edit


def _parse(function: str) -> ast.Module | None:
    """A function's program, at whatever depth its text is."""
    try:
        return ast.parse(f"if 1:\n{function}" if function[:1].isspace() else function)
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
