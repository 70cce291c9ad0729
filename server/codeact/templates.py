"""Edits that need no model: the classic one-place mistakes, undone.

Each template looks at one node of a suspect function and proposes other text for it: an operator's neighbour, a bound
one off, another variable of the scope, swapped arguments, a method's twin. Most bugs that a test catches are of this
kind, and trying one costs milliseconds. After mutation-based program repair (Debroy and Wong, 2010; GenProg, 2012).
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

COMPARE: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<=", ">"),
    ast.LtE: ("<", ">="),
    ast.Gt: (">=", "<"),
    ast.GtE: (">", "<="),
    ast.Eq: ("!=", ">=", "<="),
    ast.NotEq: ("==",),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
    ast.Is: ("is not",),
    ast.IsNot: ("is",),
}
BINARY: dict[type[ast.operator], tuple[str, ...]] = {
    ast.Add: ("-", "*"),
    ast.Sub: ("+",),
    ast.Mult: ("/", "+", "**"),
    ast.Div: ("//", "*"),
    ast.FloorDiv: ("/", "%"),
    ast.Mod: ("//",),
    ast.Pow: ("*",),
    ast.BitAnd: ("|",),
    ast.BitOr: ("&",),
    ast.LShift: (">>",),
    ast.RShift: ("<<",),
}
SYMBOLS: dict[type[ast.AST], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.In: "in",
    ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not", ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/",
    ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**", ast.BitAnd: "&", ast.BitOr: "|", ast.LShift: "<<",
    ast.RShift: ">>",
}  # fmt: skip
TWINS = (
    ("min", "max"), ("any", "all"), ("append", "extend"), ("pop", "popleft"), ("append", "appendleft"),
    ("lower", "upper"), ("strip", "lstrip", "rstrip"), ("startswith", "endswith"), ("keys", "values", "items"),
    ("floor", "ceil", "trunc"), ("find", "rfind"), ("index", "rindex"), ("split", "rsplit", "splitlines"),
    ("partition", "rpartition"), ("add", "update"), ("discard", "remove"), ("union", "intersection", "difference"),
    ("match", "search", "fullmatch"), ("title", "capitalize"), ("int", "float", "round"), ("ljust", "rjust"),
    ("isalpha", "isalnum", "isdigit"), ("get", "setdefault"), ("timedelta", "date"), ("weekday", "isoweekday"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Edit:
    """Other text for a part of a file.

    Attributes:
        path: the file.
        line: 1-based line at which it is.
        what: the edit in a few words, for people: "`<` becomes `<=`".
        start: where the old text begins, as an offset into the file's bytes.
        stop: where it ends.
        text: what stands there instead.
        cost: how unlikely such a mistake is, and how much it may change; lower is tried first.
    """

    path: str
    line: int
    what: str
    start: int
    stop: int
    text: str
    cost: float

    def apply(self, source: str) -> str:
        """The file with the edit."""
        content = source.encode("utf-8", "surrogateescape")
        text = self.text.encode("utf-8", "surrogateescape")
        return (content[: self.start] + text + content[self.stop :]).decode("utf-8", "surrogateescape")


def propose_edits(path: str, source: str, line: int) -> tuple[Edit, ...]:
    """All single edits of the function or method that begins at `line`, likeliest first; none if it does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ()
    found = [edit for function in _functions_at(tree, line) for edit in _Editor(path, source, function).edits()]
    unique: dict[str, Edit] = {}
    for edit in sorted(found, key=lambda edit: edit.cost):
        content = edit.apply(source)
        if content not in unique and content != source and _parses(content):
            unique[content] = edit
    return tuple(unique.values())


def _functions_at(tree: ast.Module, line: int) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and line in (node.lineno, *(decorator.lineno for decorator in node.decorator_list))
    ]


def _parses(content: str) -> bool:
    try:
        ast.parse(content)
    except (SyntaxError, ValueError):
        return False
    return True


class _Editor:
    """The templates, over one function."""

    def __init__(self, path: str, source: str, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.path = path
        self.function = function
        content = source.encode("utf-8", "surrogateescape")
        self.lines = [line + b"\n" for line in content.split(b"\n")]
        self.offsets = [0, *accumulate(len(line) for line in self.lines)]
        names = [
            node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        ]
        arguments = function.args
        names += [arg.arg for arg in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        self.names = [name for name in dict.fromkeys(names) if name not in ("self", "cls", "_")]
        self.attributes = list(
            dict.fromkeys(
                node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute) and _is_self(node.value)
            )
        )

    def edits(self) -> Iterator[Edit]:
        for default in (*self.function.args.defaults, *self.function.args.kw_defaults):
            if isinstance(default, ast.Constant):
                yield from self._constant(default)
        yield from self._mutable_default()
        for statement in self.function.body:
            for node in ast.walk(statement):
                yield from self._of_expression(node)
                yield from self._of_statement(node)
        yield from self._of_blocks(self.function)

    def _of_expression(self, node: ast.AST) -> Iterator[Edit]:  # noqa: C901 - a table in the form of a match
        match node:
            case ast.Compare():
                yield from self._compare(node)
            case ast.BinOp():
                yield from self._binary(node)
            case ast.BoolOp():
                yield from self._boolean(node)
            case ast.UnaryOp():
                yield self._edit(node, self._text(node.operand), 1.5)
            case ast.Constant():
                yield from self._constant(node)
            case ast.Subscript():
                yield from self._subscript(node)
            case ast.Call():
                yield from self._call(node)
            case ast.Name() if isinstance(node.ctx, ast.Load):
                yield from self._name(node)
            case ast.Attribute():
                yield from self._attribute(node)
            case ast.IfExp():
                yield self._edit(
                    node, f"{self._text(node.orelse)} if {self._text(node.test)} else {self._text(node.body)}", 2
                )

    def _of_statement(self, node: ast.AST) -> Iterator[Edit]:  # noqa: C901 - the same
        match node:
            case ast.If() | ast.While():
                test = self._text(node.test)
                yield self._edit(node.test, f"not ({test})", 2)
            case ast.AugAssign(op=ast.Add() | ast.Sub() | ast.Mult()):
                target, value = self._text(node.target), self._text(node.value)
                for symbol in {"+=", "-=", "*=", "="} - {f"{SYMBOLS[type(node.op)]}="}:
                    yield self._edit(node, f"{target} {symbol} {value}", 1.5)
            case ast.Assign(targets=[ast.Name() | ast.Attribute() | ast.Subscript() as target]):
                yield self._edit(node, f"{self._text(target)} += {self._text(node.value)}", 2.5)
                yield from self._one_off(node.value)
            case ast.Break():
                yield self._edit(node, "continue", 2)
            case ast.Continue():
                yield self._edit(node, "break", 2)
            case ast.Return(value=ast.expr() as value):
                yield from self._one_off(value)
                text = self._text(value)
                for other in (f"not ({text})", f"-({text})", f"abs({text})", f"list({text})", f"sorted({text})"):
                    yield self._edit(value, other, 3)
            case ast.Expr(value=ast.Yield(value=ast.expr() as value)):
                yield self._edit(node, f"yield from {self._text(value)}", 2)
            case ast.Expr(value=ast.YieldFrom(value=value)):
                yield self._edit(node, f"yield {self._text(value)}", 2)

    def _one_off(self, value: ast.expr) -> Iterator[Edit]:
        if isinstance(value, (ast.Name, ast.BinOp, ast.Call, ast.Attribute)):
            for symbol in (" + 1", " - 1"):
                yield self._edit(value, f"{self._text(value)}{symbol}", 2)

    def _compare(self, node: ast.Compare) -> Iterator[Edit]:
        parts = [node.left, *node.comparators]
        for index, operator in enumerate(node.ops):
            left, right = parts[index], parts[index + 1]
            for rank, symbol in enumerate(COMPARE[type(operator)]):
                yield self._between(left, right, symbol, f"`{SYMBOLS[type(operator)]}` becomes `{symbol}`", 1 + rank)
            for symbol in (" + 1", " - 1"):
                yield self._edit(right, f"{self._text(right)}{symbol}", 2)

    def _binary(self, node: ast.BinOp) -> Iterator[Edit]:
        for rank, symbol in enumerate(BINARY.get(type(node.op), ())):
            what = f"`{SYMBOLS[type(node.op)]}` becomes `{symbol}`"
            yield self._between(node.left, node.right, symbol, what, 1 + rank * 0.5)
        if isinstance(node.op, (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)):
            swapped = f"{self._text(node.right)} {SYMBOLS[type(node.op)]} {self._text(node.left)}"
            yield self._edit(node, swapped, 1.5)
        if isinstance(node.op, (ast.Div, ast.FloorDiv)):
            quotient = f"{self._text(node.left)} / {self._text(node.right)}"
            yield self._edit(node, f"round({quotient})", 1.8)
            yield self._edit(node, f"-(-({self._text(node.left)}) // {self._text(node.right)})", 2)
        yield self._edit(node, self._text(node.left), 2.5)
        yield self._edit(node, self._text(node.right), 3)

    def _boolean(self, node: ast.BoolOp) -> Iterator[Edit]:
        symbol = "or" if isinstance(node.op, ast.And) else "and"
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield self._between(left, right, symbol, f"becomes `{symbol}`", 1)
        if len(node.values) > 2:  # noqa: PLR2004 - mixed operators need at least three operands
            first = self._text(node.values[0])
            old = "and" if symbol == "or" else "or"
            rest = f" {symbol} ".join(self._text(value) for value in node.values[1:])
            yield self._edit(node, f"{first} {old} ({rest})", 2)
            head = f" {old} ".join(self._text(value) for value in node.values[:-1])
            yield self._edit(node, f"{head} {symbol} {self._text(node.values[-1])}", 2)
        for value in node.values:
            others = [other for other in node.values if other is not value]
            yield self._edit(node, (" and " if symbol == "or" else " or ").join(map(self._text, others)), 2)

    def _constant(self, node: ast.Constant) -> Iterator[Edit]:
        value = node.value
        if isinstance(value, bool):
            yield self._edit(node, str(not value), 1)
        elif isinstance(value, int):
            near = [value + 1, value - 1, -value, *([value * 10, value // 10] if value >= 10 else [])]  # noqa: PLR2004
            for rank, other in enumerate(dict.fromkeys(near)):
                if other != value:
                    yield self._edit(node, str(other) if other >= 0 else f"({other})", 1.5 + rank * 0.3)
        elif isinstance(value, str) and any(mark in value for mark in ("\\", "[", "(")):
            yield from self._pattern(node)

    def _pattern(self, node: ast.Constant) -> Iterator[Edit]:
        """Regular expressions: a quantifier more, less, or another."""
        text = self._text(node)
        for index, letter in enumerate(text):
            if letter in "+*?" and index:
                for other in ("", "+", "*", "?", letter + "?"):
                    if other != letter:
                        yield self._edit(node, text[:index] + other + text[index + 1 :], 2)
            elif letter in "])}" or (letter in "dwsDWS" and text[index - 1] == "\\"):
                for other in "+*?":
                    yield self._edit(node, text[: index + 1] + other + text[index + 1 :], 2)

    def _subscript(self, node: ast.Subscript) -> Iterator[Edit]:
        index = node.slice
        if not isinstance(index, ast.Slice):
            text = self._text(index)
            if not isinstance(index, ast.Constant):
                yield self._edit(index, f"{text} + 1", 1.5)
                yield self._edit(index, f"{text} - 1", 1.5)
            if isinstance(index, ast.Constant) and index.value == 0:
                yield self._edit(index, "-1", 1.2)
            return
        lower, upper, step = (self._text(part) if part else "" for part in (index.lower, index.upper, index.step))
        tail = f":{step}" if step else ""
        for low, high, cost in (
            (f"{lower} + 1" if lower else "1", upper, 1.5),
            (f"{lower} - 1" if lower else "", upper, 1.5),
            (lower, f"{upper} + 1" if upper else "-1", 1.5),
            (lower, f"{upper} - 1" if upper else "", 1.5),
            (upper, lower, 2),
            (lower, "", 2),
            ("", upper, 2),
        ):
            yield self._edit(index, f"{low}:{high}{tail}", cost)
        yield self._edit(index, f"{lower}:{upper}:-1", 2.5)

    def _call(self, node: ast.Call) -> Iterator[Edit]:
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        for one, other in zip(node.args, node.args[1:], strict=False):
            text = f"{self._text(other)}, {self._text(one)}"
            yield self._edit_span(_begin(one), _end(other), text, one.lineno, f"swap the arguments of `{name}`", 1.5)
        if name == "range" and node.args:
            bound = node.args[-1] if len(node.args) < 3 else node.args[1]  # noqa: PLR2004 - range(start, stop, step)
            for symbol in (" + 1", " - 1"):
                yield self._edit(bound, f"{self._text(bound)}{symbol}", 1)
            if len(node.args) == 1:
                yield self._edit(bound, f"1, {self._text(bound)}", 2)
                yield self._edit(bound, f"1, {self._text(bound)} + 1", 2)
        if name in ("sorted", "sort") and not any(keyword.arg == "reverse" for keyword in node.keywords):
            inside = self._text(node)[:-1].rstrip(", ")
            yield self._edit(node, f"{inside}{'' if inside.endswith('(') else ', '}reverse=True)", 1.5)
        if len(node.args) == 1 and not node.keywords and isinstance(node.func, ast.Name):
            yield self._edit(node, self._text(node.args[0]), 2)
        if isinstance(node.func, ast.Attribute) and not node.args:
            yield self._edit(node, self._text(node.func.value), 2)

    def _name(self, node: ast.Name) -> Iterator[Edit]:
        for group in TWINS:
            if node.id in group:
                yield from (self._edit(node, other, 1) for other in group if other != node.id)
        if node.id in self.names:
            yield from (self._edit(node, other, 2) for other in self.names if other != node.id)

    def _attribute(self, node: ast.Attribute) -> Iterator[Edit]:
        owner = self._text(node.value)
        for group in TWINS:
            if node.attr in group:
                yield from (self._edit(node, f"{owner}.{other}", 1) for other in group if other != node.attr)
        if _is_self(node.value) and node.attr in self.attributes:
            yield from (self._edit(node, f"{owner}.{other}", 2) for other in self.attributes if other != node.attr)

    def _of_blocks(self, owner: ast.AST) -> Iterator[Edit]:
        """A statement too many, at the wrong depth, or in the wrong order."""
        for part in ("body", "orelse", "finalbody"):
            block: list[ast.stmt] = getattr(owner, part, [])
            for position, statement in enumerate(block):
                if len(block) > 1 and not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                    yield self._edit(statement, "pass", 3, "leave out this statement")
                if position + 1 < len(block):
                    yield from self._swap(statement, block[position + 1])
                yield from self._of_blocks(statement)
            if block and isinstance(owner, (ast.For, ast.While, ast.If, ast.With)) and len(block) > 1:
                yield self._dedent(block[-1], owner.col_offset)
        for inner, after in zip(getattr(owner, "body", []), getattr(owner, "body", [])[1:], strict=False):
            if isinstance(inner, (ast.For, ast.While, ast.If)) and inner.body:
                yield self._indent(after, inner.body[0].col_offset)

    def _swap(self, one: ast.stmt, other: ast.stmt) -> Iterator[Edit]:
        if one.end_lineno is not None and one.end_lineno < other.lineno:
            gap = self._slice((one.end_lineno, one.end_col_offset or 0), _begin(other))
            text = f"{self._text(other)}{gap}{self._text(one)}"
            yield self._edit_span(_begin(one), _end(other), text, one.lineno, "swap two statements", 2.5)

    def _dedent(self, statement: ast.stmt, column: int) -> Edit:
        return self._shift(statement, column - statement.col_offset, "move a statement out of its block")

    def _indent(self, statement: ast.stmt, column: int) -> Edit:
        return self._shift(statement, column - statement.col_offset, "move a statement into the block before it")

    def _shift(self, statement: ast.stmt, by: int, what: str) -> Edit:
        first, last = statement.lineno, statement.end_lineno or statement.lineno
        lines = [line.decode("utf-8", "surrogateescape") for line in self.lines[first - 1 : last]]
        moved = "".join(
            " " * by + line if by > 0 else line[min(-by, len(line) - len(line.lstrip())) :] for line in lines
        )
        return self._edit_span((first, 0), (last, len(self.lines[last - 1])), moved, first, what, 1.5)

    def _mutable_default(self) -> Iterator[Edit]:
        arguments = [*self.function.args.posonlyargs, *self.function.args.args]
        pairs = zip(reversed(arguments), reversed(self.function.args.defaults), strict=False)
        for argument, default in pairs:
            if isinstance(default, (ast.List, ast.Dict, ast.Set)) or (
                isinstance(default, ast.Call) and not default.args
            ):
                body = self.function.body[0]
                indent = " " * body.col_offset
                guard = f"if {argument.arg} is None:\n{indent}    {argument.arg} = {self._text(default)}\n{indent}"
                between = self._slice(_end(default), _begin(body))
                text = f"None{between}{guard}"
                what = f"a fresh `{self._text(default)}` for each call"
                yield self._edit_span(_begin(default), _begin(body), text, default.lineno, what, 0.5)

    def _between(self, left: ast.expr, right: ast.expr, symbol: str, what: str, cost: float) -> Edit:
        """Another operator between two operands, whose parentheses stay."""
        gap = self._slice(_end(left), _begin(right))
        closing = gap[: len(gap) - len(gap.lstrip(" )"))] if ")" in gap else " "
        opening = gap[len(gap.rstrip(" (")) :] if "(" in gap else " "
        text = f"{closing}{symbol}{opening}"
        return self._edit_span(_end(left), _begin(right), text, left.lineno, what, cost)

    def _edit(self, node: ast.expr | ast.stmt, text: str, cost: float, what: str = "") -> Edit:
        what = what or f"`{self._text(node)}` becomes `{text}`"
        return self._edit_span(_begin(node), _end(node), text, node.lineno, what, cost)

    def _edit_span(
        self, begin: tuple[int, int], end: tuple[int, int], text: str, line: int, what: str, cost: float
    ) -> Edit:
        return Edit(
            path=self.path,
            line=line,
            what=what,
            start=self.offsets[begin[0] - 1] + begin[1],
            stop=self.offsets[end[0] - 1] + end[1],
            text=text,
            cost=cost,
        )

    def _text(self, node: ast.expr | ast.stmt) -> str:
        return self._slice(_begin(node), _end(node))

    def _slice(self, begin: tuple[int, int], end: tuple[int, int]) -> str:
        if begin[0] == end[0]:
            return self.lines[begin[0] - 1][begin[1] : end[1]].decode("utf-8", "surrogateescape")
        parts = [
            self.lines[begin[0] - 1][begin[1] :],
            *self.lines[begin[0] : end[0] - 1],
            self.lines[end[0] - 1][: end[1]],
        ]
        return b"".join(parts).decode("utf-8", "surrogateescape")


def _begin(node: ast.expr | ast.stmt) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _end(node: ast.expr | ast.stmt) -> tuple[int, int]:
    return node.end_lineno or node.lineno, node.end_col_offset or 0


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"
