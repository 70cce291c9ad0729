"""Templates for operators: a neighbour of the one that stands there, other operands, other parentheses."""

import ast
from collections.abc import Iterator

from codeact.templates.edit import Edit, Text, begin, end
from codeact.templates.scope import Scope, expressions_of

COMPARE: dict[type[ast.AST], tuple[str, ...]] = {
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
BINARY: dict[type[ast.AST], tuple[str, ...]] = {
    ast.Add: ("-", "*"),
    ast.Sub: ("+",),
    ast.Mult: ("/", "+", "**"),
    ast.Div: ("//", "*"),
    ast.FloorDiv: ("/", "%"),
    ast.Mod: ("//",),
    ast.Pow: ("*",),
    ast.BitAnd: ("|", "^"),
    ast.BitOr: ("&", "^"),
    ast.BitXor: ("&", "|"),
    ast.LShift: (">>",),
    ast.RShift: ("<<",),
}
SYMBOLS: dict[type[ast.AST], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.In: "in",
    ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not", ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/",
    ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^",
    ast.LShift: "<<", ast.RShift: ">>", ast.MatMult: "@",
}  # fmt: skip
MAX_NAMES = 8


class Operators:
    """Other operators and operands, over one function."""

    def __init__(self, text: Text, scope: Scope) -> None:
        self.text = text
        self.scope = scope

    def edits(self) -> Iterator[Edit]:
        """All of them, in no order."""
        for node in expressions_of(self.scope.function):
            match node:
                case ast.Compare():
                    yield from self._compare(node)
                case ast.BinOp():
                    yield from self._binary(node)
                    yield from self._operands(node)
                    yield from self._regroup(node)
                case ast.BoolOp():
                    yield from self._boolean(node)
                case ast.UnaryOp():
                    yield from self._unary(node)
                case ast.IfExp():
                    body, test, orelse = (self.text.of(part) for part in (node.body, node.test, node.orelse))
                    yield self.text.replace(node, f"{orelse} if {test} else {body}", 2)

    def _compare(self, node: ast.Compare) -> Iterator[Edit]:
        parts = [node.left, *node.comparators]
        for index, operator in enumerate(node.ops):
            left, right = parts[index], parts[index + 1]
            for rank, symbol in enumerate(COMPARE[type(operator)]):
                what = f"`{SYMBOLS[type(operator)]}` becomes `{symbol}`"
                yield self._between(left, right, symbol, what, 1 + rank)
            for symbol in (" + 1", " - 1"):
                yield self.text.replace(right, f"{self.text.of(right)}{symbol}", 2)
            match operator, right:
                case ast.Eq() | ast.Lt() | ast.LtE(), ast.Constant(value=int(value)):
                    text = f"{self.text.of(left)} <= {value + 1}"
                    yield self.text.replace_span(begin(left), end(right), text, left.lineno, f"becomes `{text}`", 2.2)
        if len(node.ops) > 1:
            yield from self._chain(node, parts)

    def _chain(self, node: ast.Compare, parts: list[ast.expr]) -> Iterator[Edit]:
        for symbol in ("<", "<="):
            if all(isinstance(operator, (ast.Lt, ast.LtE)) for operator in node.ops):
                yield self.text.replace(node, f" {symbol} ".join(map(self.text.of, parts)), 2)
        first = f"{self.text.of(parts[0])} {SYMBOLS[type(node.ops[0])]} {self.text.of(parts[1])}"
        yield self.text.replace(node, first, 3)

    def _binary(self, node: ast.BinOp) -> Iterator[Edit]:
        left, right, operator = self.text.of(node.left), self.text.of(node.right), SYMBOLS[type(node.op)]
        for rank, symbol in enumerate(BINARY.get(type(node.op), ())):
            what = f"`{operator}` becomes `{symbol}`"
            yield self._between(node.left, node.right, symbol, what, 1 + rank * 0.5)
        if not isinstance(node.op, ast.Mult):  # addition too: of texts and lists, the order counts
            yield self.text.replace(node, f"{right} {operator} {left}", 2.2 if isinstance(node.op, ast.Add) else 1.5)
        if isinstance(node.op, (ast.Div, ast.FloorDiv)):
            yield self.text.replace(node, f"round({left} / {right})", 1.8)
            yield self.text.replace(node, f"-(-({left}) // {right})", 2)
        yield self.text.replace(node, left, 2.5)
        yield self.text.replace(node, right, 2.5)

    def _operands(self, node: ast.BinOp) -> Iterator[Edit]:
        """An operand that is one off, or the wrong measure of the same thing."""
        for operand in (node.left, node.right):
            if isinstance(operand, (ast.Name, ast.Call, ast.Subscript, ast.Attribute)):
                text = self.text.of(operand)
                for form, cost in (("({} + 1)", 2.6), ("({} - 1)", 2.6), ("{} ** 2", 3.4), ("{} * 2", 3.4)):
                    yield self.text.replace(operand, form.format(text), cost)
        right = self.text.of(node.right)
        for name in self.scope.names[:MAX_NAMES]:
            yield self.text.replace(node.right, f"({right} - {name})", 3.5)

    def _regroup(self, node: ast.BinOp) -> Iterator[Edit]:
        """Parentheses elsewhere: `a + b * c` becomes `(a + b) * c`, and the other way round."""
        operator = SYMBOLS[type(node.op)]
        for one, other, inner_first in ((node.left, node.right, True), (node.right, node.left, False)):
            match one:
                case ast.BinOp(left=left, op=inner, right=right) if type(inner) is not type(node.op):
                    a, b, c = self.text.of(left), self.text.of(right), self.text.of(other)
                    symbol = SYMBOLS[type(inner)]
                    grouped = (
                        f"{a} {symbol} ({b} {operator} {c})" if inner_first else f"({c} {operator} {a}) {symbol} {b}"
                    )
                    bare = f"{a} {symbol} {b} {operator} {c}" if inner_first else f"{c} {operator} {a} {symbol} {b}"
                    yield self.text.replace(node, grouped, 2.3)
                    yield self.text.replace(node, bare, 2.3)

    def _boolean(self, node: ast.BoolOp) -> Iterator[Edit]:
        symbol, old = ("or", "and") if isinstance(node.op, ast.And) else ("and", "or")
        values = [self.text.of(value) for value in node.values]
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield self._between(left, right, symbol, f"`{old}` becomes `{symbol}`", 1)
        if len(values) > 2:  # noqa: PLR2004 - mixed operators need at least three operands
            rest = f" {symbol} ".join(values[1:])
            yield self.text.replace(node, f"{values[0]} {old} ({rest})", 2)
            head = f" {old} ".join(values[:-1])
            yield self.text.replace(node, f"{head} {symbol} {values[-1]}", 2)
        for index in range(len(values)):
            others = values[:index] + values[index + 1 :]
            yield self.text.replace(node, f" {old} ".join(others), 2)

    def _unary(self, node: ast.UnaryOp) -> Iterator[Edit]:
        yield self.text.replace(node, self.text.of(node.operand), 1.5)
        match node:
            case ast.UnaryOp(op=ast.USub(), operand=ast.BinOp(left=base, op=ast.Pow(), right=power)):
                yield self.text.replace(node, f"(-{self.text.of(base)}) ** {self.text.of(power)}", 1.2)

    def _between(self, left: ast.expr, right: ast.expr, symbol: str, what: str, cost: float) -> Edit:
        """Another operator between two operands, whose parentheses stay."""
        gap = self.text.slice(end(left), begin(right))
        closing = gap[: len(gap) - len(gap.lstrip(" )"))] if ")" in gap else " "
        opening = gap[len(gap.rstrip(" (")) :] if "(" in gap else " "
        text = f"{closing}{symbol}{opening}"
        return self.text.replace_span(end(left), begin(right), text, left.lineno, what, cost)
