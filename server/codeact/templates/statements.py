"""Templates for whole statements: one too many, of another kind, at the wrong depth or in the wrong order."""

import ast
from collections.abc import Iterator, Sequence

from codeact.templates.edit import Edit, Text, begin, end
from codeact.templates.scope import Scope

Block = list[ast.stmt]


class Statements:
    """Statements changed, moved and left out, over one function."""

    def __init__(self, text: Text, scope: Scope) -> None:
        self.text = text
        self.scope = scope

    def edits(self) -> Iterator[Edit]:
        """All of them, in no order."""
        function = self.scope.function
        yield from self._mutable_default()
        for node in ast.walk(function):
            yield from self._of(node)
        yield from self._of_blocks(function)

    def _of(self, node: ast.AST) -> Iterator[Edit]:  # noqa: C901 - a table in the form of a match
        match node:
            case ast.AugAssign():
                target, value = self.text.of(node.target), self.text.of(node.value)
                bitwise = isinstance(node.op, (ast.BitXor, ast.BitAnd, ast.BitOr))
                for symbol in ("&=", "|=", "^=") if bitwise else ("+=", "-=", "*=", "="):
                    yield self.text.replace(node, f"{target} {symbol} {value}", 1.5)
            case ast.Assign(targets=[ast.Subscript() as target], value=ast.List(elts=[value])):
                owner, key = self.text.of(target.value), self.text.of(target.slice)
                yield self.text.replace(node, f"{owner}.setdefault({key}, []).append({self.text.of(value)})", 1.8)
            case ast.Assign(
                targets=[ast.Tuple(elts=[one, other])],
                value=ast.Call(func=ast.Attribute(value=owner, attr="split"), args=[mark]),
            ):
                names = f"{self.text.of(one)}, _, {self.text.of(other)}"
                yield self.text.replace(node, f"{names} = {self.text.of(owner)}.partition({self.text.of(mark)})", 2)
            case ast.Assign(targets=[ast.Name() | ast.Attribute() | ast.Subscript() as target]):
                yield self.text.replace(node, f"{self.text.of(target)} += {self.text.of(node.value)}", 2.5)
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(value=ast.Subscript() as target, attr="update"), args=[value])
            ):
                yield self.text.replace(node, f"{self.text.of(target)} = {self.text.of(value)}", 2.5)
            case ast.Break():
                yield self.text.replace(node, "continue", 2)
            case ast.Continue():
                yield self.text.replace(node, "break", 2)
            case ast.Expr(value=ast.Yield(value=ast.expr() as value)):
                yield self.text.replace(node, f"yield from {self.text.of(value)}", 2)
            case ast.Expr(value=ast.YieldFrom(value=value)):
                yield self.text.replace(node, f"yield {self.text.of(value)}", 2)

    def _of_blocks(self, owner: ast.AST) -> Iterator[Edit]:
        """A statement too many, at the wrong depth, or in the wrong order."""
        for part in ("body", "orelse", "finalbody"):
            block: Block = getattr(owner, part, [])
            for position, statement in enumerate(block):
                if len(block) > 1 and not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                    yield self.text.replace(statement, "pass", 3, "leave out this statement")
                if position + 1 < len(block):
                    yield from self._swap(statement, block[position + 1])
                yield from self._of_blocks(statement)
            if block and isinstance(owner, (ast.For, ast.While, ast.If, ast.With)) and len(block) > 1:
                yield self._shift(block[-1], owner.col_offset, "move a statement out of its block")
        for inner, after in zip(getattr(owner, "body", []), getattr(owner, "body", [])[1:], strict=False):
            if isinstance(inner, (ast.For, ast.While, ast.If)) and inner.body:
                yield self._shift(after, inner.body[0].col_offset, "move a statement into the block before it")

    def _swap(self, one: ast.stmt, other: ast.stmt) -> Iterator[Edit]:
        if end(one)[0] < other.lineno:
            gap = self.text.slice(end(one), begin(other))
            text = f"{self.text.of(other)}{gap}{self.text.of(one)}"
            yield self.text.replace_span(begin(one), end(other), text, one.lineno, "swap two statements", 2.5)

    def _shift(self, statement: ast.stmt, column: int, what: str) -> Edit:
        moved = "".join(shift(self.text.whole_lines(statement), column - statement.col_offset))
        last = end(statement)[0]
        return self.text.replace_span(
            (statement.lineno, 0), (last, len(self.text.lines[last - 1])), moved, statement.lineno, what, 1.5
        )

    def _mutable_default(self) -> Iterator[Edit]:
        arguments = self.scope.function.args
        pairs = zip(reversed([*arguments.posonlyargs, *arguments.args]), reversed(arguments.defaults), strict=False)
        for argument, default in pairs:
            if isinstance(default, (ast.List, ast.Dict, ast.Set)) or (
                isinstance(default, ast.Call) and not default.args
            ):
                body = self.scope.function.body[0]
                indent = " " * body.col_offset
                fresh = self.text.of(default)
                guard = f"if {argument.arg} is None:\n{indent}    {argument.arg} = {fresh}\n{indent}"
                text = f"None{self.text.slice(end(default), begin(body))}{guard}"
                what = f"a fresh `{fresh}` for each call"
                yield self.text.replace_span(begin(default), begin(body), text, default.lineno, what, 0.5)


def shift(lines: Sequence[str], by: int) -> list[str]:
    """Lines further in, or further out as far as they go."""
    if by >= 0:
        return [" " * by + line for line in lines]
    return [line[min(-by, len(line) - len(line.lstrip())) :] for line in lines]
