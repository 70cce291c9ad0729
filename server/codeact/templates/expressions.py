"""Templates for what is written in an expression: operators, constants, bounds, names, calls."""

import ast
from collections.abc import Iterator

from codeact.templates.edit import Edit, Text, begin, end
from codeact.templates.scope import Scope, is_self

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
TWINS = (
    ("min", "max"), ("any", "all"), ("append", "extend"), ("pop", "popleft"), ("append", "appendleft"),
    ("lower", "upper"), ("strip", "lstrip", "rstrip"), ("startswith", "endswith"), ("keys", "values", "items"),
    ("floor", "ceil", "trunc"), ("find", "rfind"), ("index", "rindex"), ("split", "rsplit", "splitlines"),
    ("partition", "rpartition"), ("add", "update"), ("discard", "remove"), ("union", "intersection", "difference"),
    ("match", "search", "fullmatch"), ("title", "capitalize"), ("int", "float", "round"), ("ljust", "rjust"),
    ("isalpha", "isalnum", "isdigit"), ("get", "setdefault"), ("timedelta", "date"), ("weekday", "isoweekday"),
)  # fmt: skip
LARGE = 10  # from which an integer may be wrong by a digit


class Expressions:
    """Other operators, constants, names and arguments, over one function."""

    def __init__(self, text: Text, scope: Scope) -> None:
        self.text = text
        self.scope = scope

    def edits(self) -> Iterator[Edit]:
        """All of them, in no order."""
        arguments = self.scope.function.args
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if isinstance(default, ast.Constant):
                yield from self._constant(default)
        for statement in self.scope.function.body:
            for node in ast.walk(statement):
                yield from self._of(node)

    def _of(self, node: ast.AST) -> Iterator[Edit]:  # noqa: C901 - a table in the form of a match
        match node:
            case ast.Compare():
                yield from self._compare(node)
            case ast.BinOp():
                yield from self._binary(node)
            case ast.BoolOp():
                yield from self._boolean(node)
            case ast.UnaryOp():
                yield self.text.replace(node, self.text.of(node.operand), 1.5)
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
            first = f"{self.text.of(parts[0])} {SYMBOLS[type(node.ops[0])]} {self.text.of(parts[1])}"
            for symbol in ("<", "<="):
                if all(isinstance(operator, (ast.Lt, ast.LtE)) for operator in node.ops):
                    text = f" {symbol} ".join(map(self.text.of, parts))
                    yield self.text.replace(node, text, 2)
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
        for name in self.scope.names:
            yield self.text.replace(node.right, f"({right} - {name})", 3.5)

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

    def _constant(self, node: ast.Constant) -> Iterator[Edit]:
        value = node.value
        if isinstance(value, bool):
            yield self.text.replace(node, str(not value), 1)
        elif isinstance(value, int):
            near = [value + 1, value - 1, -value, *([value * 10, value // 10] if value >= LARGE else [])]
            for rank, other in enumerate(dict.fromkeys(near)):
                if other != value:
                    yield self.text.replace(node, str(other) if other >= 0 else f"({other})", 1.5 + rank * 0.3)
        elif isinstance(value, str):
            if value in self.scope.words and _is_plain(self.text.of(node)):
                yield from (self.text.replace(node, repr(word), 2.3) for word in self.scope.words if word != value)
            if any(mark in value for mark in ("\\", "[", "(")):
                yield from self._pattern(node)

    def _pattern(self, node: ast.Constant) -> Iterator[Edit]:
        """Regular expressions: a quantifier more, less, or another."""
        text = self.text.of(node)
        for index, letter in enumerate(text):
            if letter in "+*?" and index:
                for other in ("", "+", "*", "?", letter + "?"):
                    if other != letter:
                        yield self.text.replace(node, text[:index] + other + text[index + 1 :], 2)
            elif letter in "])}" or (letter in "dwsDWS" and text[index - 1] == "\\"):
                for other in "+*?":
                    yield self.text.replace(node, text[: index + 1] + other + text[index + 1 :], 2)

    def _subscript(self, node: ast.Subscript) -> Iterator[Edit]:
        index = node.slice
        match node:
            case ast.Subscript(value=ast.Subscript(value=base, slice=first)):
                swapped = f"{self.text.of(base)}[{self.text.of(index)}][{self.text.of(first)}]"
                yield self.text.replace(node, swapped, 1.5)
            case ast.Subscript(slice=ast.Tuple(elts=[one, other])):
                yield self.text.replace(index, f"{self.text.of(other)}, {self.text.of(one)}", 1.5)
        if isinstance(index, ast.Slice):
            yield from self._slice(index)
        elif not isinstance(index, (ast.Constant, ast.Tuple)):
            for symbol in (" + 1", " - 1"):
                yield self.text.replace(index, f"{self.text.of(index)}{symbol}", 1.5)
        elif isinstance(index, ast.Constant) and index.value == 0:
            yield self.text.replace(index, "-1", 1.2)

    def _slice(self, index: ast.Slice) -> Iterator[Edit]:
        lower, upper, step = (self.text.of(part) if part else "" for part in (index.lower, index.upper, index.step))
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
            yield self.text.replace(index, f"{low}:{high}{tail}", cost)
        yield self.text.replace(index, f"{lower}:{upper}:-1", 2.5)

    def _call(self, node: ast.Call) -> Iterator[Edit]:
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        whole, arguments = self.text.of(node), [self.text.of(argument) for argument in node.args]
        for one, other in zip(node.args, node.args[1:], strict=False):
            text = f"{self.text.of(other)}, {self.text.of(one)}"
            yield self.text.replace_span(
                begin(one), end(other), text, one.lineno, f"swap the arguments of `{name}`", 1.5
            )
        if name == "range" and node.args:
            yield from self._range(node)
        if name in ("sorted", "sort") and not any(keyword.arg == "reverse" for keyword in node.keywords):
            inside = whole[:-1].rstrip(", ")
            yield self.text.replace(node, f"{inside}{'' if inside.endswith('(') else ', '}reverse=True)", 1.5)
        if len(arguments) == 1 and not node.keywords and isinstance(node.func, ast.Name):
            yield self.text.replace(node, arguments[0], 2)
        if isinstance(node.func, ast.Attribute):
            if not arguments:
                yield self.text.replace(node, self.text.of(node.func.value), 2)
            if name in ("split", "rsplit") and len(arguments) == 1:
                yield self.text.replace(node, f"{whole[:-1]}, 1)", 2)
            yield from self._other_method(node, node.func)
        yield from self._turn_both(node)

    def _range(self, node: ast.Call) -> Iterator[Edit]:
        bound = node.args[-1] if len(node.args) < 3 else node.args[1]  # noqa: PLR2004 - range(start, stop, step)
        text = self.text.of(bound)
        for symbol in (" + 1", " - 1"):
            yield self.text.replace(bound, f"{text}{symbol}", 1)
        if isinstance(bound, ast.BinOp):
            parts = (part for part in ast.walk(bound) if isinstance(part, ast.Call))
            yield from (self.text.replace(bound, self.text.of(part), 1.5) for part in parts)
        if len(node.args) == 1:
            yield self.text.replace(bound, f"1, {text}", 2)
            yield self.text.replace(bound, f"1, {text} + 1", 2)

    def _other_method(self, node: ast.Call, function: ast.Attribute) -> Iterator[Edit]:
        """A method that the file calls elsewhere, with as many arguments."""
        owner = self.text.of(function.value)
        arguments = self.text.slice(end(function), end(node))
        for method in self.scope.methods.get(len(node.args), ()):
            if method != function.attr:
                what = f"`{function.attr}` becomes `{method}`"
                text = f"{owner}.{method}{arguments}"
                yield self.text.replace(node, text, 2.4, what)

    def _turn_both(self, node: ast.Call) -> Iterator[Edit]:
        """`min` around `max` becomes `max` around `min`."""
        match node:
            case ast.Call(func=ast.Name(id="min" | "max" as outer), args=arguments):
                for inner in arguments:
                    match inner:
                        case ast.Call(func=ast.Name(id="min" | "max" as name)) if name != outer:
                            before = self.text.slice(end(node.func), begin(inner))
                            rest = self.text.slice(end(inner.func), end(node))
                            yield self.text.replace(node, f"{name}{before}{outer}{rest}", 1.5)

    def _name(self, node: ast.Name) -> Iterator[Edit]:
        for group in TWINS:
            if node.id in group:
                yield from (self.text.replace(node, other, 1) for other in group if other != node.id)
        if node.id in self.scope.names:
            yield from (self.text.replace(node, other, 2) for other in self.scope.names if other != node.id)
        counts = [count for count, names in self.scope.functions.items() if node.id in names]
        for other in dict.fromkeys(name for count in counts for name in self.scope.functions[count]):
            if other != node.id:
                yield self.text.replace(node, other, 2)

    def _attribute(self, node: ast.Attribute) -> Iterator[Edit]:
        owner = self.text.of(node.value)
        for group in TWINS:
            if node.attr in group:
                yield from (self.text.replace(node, f"{owner}.{other}", 1) for other in group if other != node.attr)
        if is_self(node.value) and node.attr in self.scope.attributes:
            for other in self.scope.attributes:
                if other != node.attr:
                    yield self.text.replace(node, f"{owner}.{other}", 2)

    def _between(self, left: ast.expr, right: ast.expr, symbol: str, what: str, cost: float) -> Edit:
        """Another operator between two operands, whose parentheses stay."""
        gap = self.text.slice(end(left), begin(right))
        closing = gap[: len(gap) - len(gap.lstrip(" )"))] if ")" in gap else " "
        opening = gap[len(gap.rstrip(" (")) :] if "(" in gap else " "
        text = f"{closing}{symbol}{opening}"
        return self.text.replace_span(end(left), begin(right), text, left.lineno, what, cost)


def _is_plain(text: str) -> bool:
    """Whether a string constant is written without a prefix and on one line."""
    return text[:1] in ("'", '"') and "\n" not in text and text[:3] not in ('"""', "'''")
