"""Templates for whole statements: one too many, one missing, one at the wrong depth or in the wrong order."""

import ast
from collections.abc import Iterator, Sequence

from codeact.templates.edit import Edit, Text, begin, end
from codeact.templates.scope import Scope

MAX_NAMES = 6
MAX_COPY = 3  # lines of a statement that may stand a second time
GROWING = {"list": "append", "deque": "append", "set": "add"}
Block = list[ast.stmt]


class Statements:
    """Statements changed, moved, left out and put in, over one function."""

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
        missing = list(self._missing())
        for block in _blocks(function):
            yield from self._insert(block, missing)

    def _of(self, node: ast.AST) -> Iterator[Edit]:
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
        moved = "".join(_indent(self.text.whole_lines(statement), column - statement.col_offset))
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

    def _missing(self) -> Iterator[tuple[str, float]]:
        """Statements that may have been forgotten somewhere: such as stand elsewhere, and such as fill a collection."""
        function, owner = self.scope.function, self.scope.owner
        for node in ast.walk(function):
            if isinstance(node, (ast.Expr, ast.AugAssign)) and not _is_docstring(node):
                yield self.text.of(node), 3.0
            elif isinstance(node, ast.If) and end(node)[0] - node.lineno < MAX_COPY and not node.orelse:
                lines = self.text.whole_lines(node)
                yield "".join(_indent(lines, -node.col_offset)).strip("\n"), 3.0
        for node in ast.walk(owner) if owner else ():
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                yield self.text.of(node), 3.0
        names = self.scope.names[:MAX_NAMES]
        for collection, method in _collections(function):
            yield from ((f"{collection}.{method}({name})", 3.1) for name in names if name != collection)
        stored = [name for name in names if name not in self.scope.parameters]
        for one in stored:
            yield from ((f"{one} = {other}", 3.4) for other in names if other != one)

    def _insert(self, block: Block, missing: Sequence[tuple[str, float]]) -> Iterator[Edit]:
        """One more statement, before the first, after each, or before the one that leaves."""
        for position, statement in enumerate(block):
            leaves = isinstance(statement, (ast.Return, ast.Raise, ast.Break, ast.Continue))
            indent = " " * statement.col_offset
            for text, cost in missing:
                lines = f"\n{indent}".join(text.split("\n"))
                what = f"`{text.split(chr(10), 1)[0]}` is missing"
                first = position == 0 and not _is_docstring(statement)
                if first or (leaves and position):
                    before = f"{lines}\n{indent}"
                    yield self.text.replace_span(
                        begin(statement), begin(statement), before, statement.lineno, what, cost
                    )
                if not leaves and (position + 1 == len(block)):
                    after = f"\n{indent}{lines}"
                    yield self.text.replace_span(end(statement), end(statement), after, end(statement)[0], what, cost)


def _blocks(owner: ast.AST) -> Iterator[Block]:
    for node in ast.walk(owner):
        for part in ("body", "orelse", "finalbody"):
            block = getattr(node, part, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield block


def _collections(function: ast.AST) -> Iterator[tuple[str, str]]:
    """Variables that hold a collection, each with the method that fills it."""
    kinds: dict[str, str] = {}
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.List()):
                kinds[name] = "list"
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Set()):
                kinds[name] = "set"
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id=kind))) if kind in GROWING:
                kinds[name] = kind
    return ((name, GROWING[kind]) for name, kind in kinds.items())


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _indent(lines: Sequence[str], by: int) -> list[str]:
    """Lines further in, or further out as far as they go."""
    if by >= 0:
        return [" " * by + line for line in lines]
    return [line[min(-by, len(line) - len(line.lstrip())) :] for line in lines]
