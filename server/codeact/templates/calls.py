"""Templates for what is called and named: a twin, another variable, attribute or method, other arguments."""

import ast
from collections.abc import Iterator
from itertools import permutations

from codeact.templates.edit import Edit, Text, begin, end
from codeact.templates.scope import Scope, expressions_of, is_self

TWINS = (
    ("min", "max"), ("any", "all"), ("append", "extend", "insert"), ("pop", "popleft", "popitem"),
    ("append", "appendleft"), ("lower", "upper", "title", "capitalize", "casefold", "swapcase"),
    ("strip", "lstrip", "rstrip"), ("startswith", "endswith"), ("removeprefix", "removesuffix"),
    ("keys", "values", "items"), ("floor", "ceil", "trunc", "round"), ("find", "rfind", "index", "rindex"),
    ("split", "rsplit", "splitlines"), ("partition", "rpartition"), ("add", "update"), ("discard", "remove"),
    ("union", "intersection", "difference", "symmetric_difference"), ("issubset", "issuperset"),
    ("match", "search", "fullmatch"), ("sub", "subn"), ("findall", "finditer"), ("int", "float", "round"),
    ("ljust", "rjust", "center"), ("isalpha", "isalnum", "isdigit", "isdecimal", "isnumeric", "isspace"),
    ("isupper", "islower", "istitle"), ("get", "setdefault", "pop"), ("timedelta", "date"),
    ("weekday", "isoweekday"), ("days", "seconds", "total_seconds"), ("bisect_left", "bisect_right", "bisect"),
    ("insort_left", "insort_right", "insort"), ("truediv", "floordiv", "mod"), ("add", "sub", "mul"),
    ("lt", "le", "gt", "ge", "eq", "ne"), ("sum", "len", "max"), ("sorted", "list", "set", "tuple", "reversed"),
    ("zip", "zip_longest"), ("product", "permutations", "combinations", "combinations_with_replacement"),
    ("takewhile", "dropwhile"), ("nlargest", "nsmallest"), ("heappush", "heappushpop"), ("heappop", "heappushpop"),
    ("appendleft", "extendleft"), ("encode", "decode"), ("quote", "unquote"), ("loads", "dumps"),
    ("log", "log2", "log10"), ("sin", "cos", "tan"), ("chr", "ord"), ("str", "repr"), ("hex", "bin", "oct"),
    ("copy", "deepcopy"), ("getattr", "hasattr"), ("isinstance", "issubclass"),
    ("ValueError", "TypeError", "KeyError", "IndexError"),
    ("OrderedDict", "Counter", "defaultdict"), ("stem", "name", "suffix"), ("year", "month", "day"),
    ("hour", "minute", "second"), ("mean", "median"), ("pstdev", "stdev"), ("pvariance", "variance"),
)  # fmt: skip
MOST = 4  # arguments of a call whose order may be wrong


class Calls:
    """Other names, attributes, functions and arguments, over one function."""

    def __init__(self, text: Text, scope: Scope) -> None:
        self.text = text
        self.scope = scope

    def edits(self) -> Iterator[Edit]:
        """All of them, in no order."""
        for node in expressions_of(self.scope.function):
            match node:
                case ast.Call():
                    yield from self._call(node)
                    yield from self._arguments(node)
                case ast.Name(ctx=ast.Load()):
                    yield from self._name(node)
                case ast.Attribute():
                    yield from self._attribute(node)

    def _call(self, node: ast.Call) -> Iterator[Edit]:
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        whole, arguments = self.text.of(node), [self.text.of(argument) for argument in node.args]
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

    def _arguments(self, node: ast.Call) -> Iterator[Edit]:
        """The arguments in another order, or one of them left out."""
        name = getattr(node.func, "id", getattr(node.func, "attr", "it"))
        if 1 < len(node.args) <= MOST:
            texts = [self.text.of(argument) for argument in node.args]
            for order in permutations(range(len(texts))):
                moved = sum(place != at for at, place in enumerate(order))
                if moved:
                    text = ", ".join(texts[place] for place in order)
                    what = f"the arguments of `{name}` become `{text}`"
                    first, last = node.args[0], node.args[-1]
                    yield self.text.replace_span(begin(first), end(last), text, first.lineno, what, 1 + moved * 0.25)
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        texts = [*map(self.text.of, node.args)]
        texts += [f"{keyword.arg}={self.text.of(keyword.value)}" for keyword in node.keywords if keyword.arg]
        if len(texts) == len(given) > 1:
            for place in range(len(node.args) - 1, len(texts)):
                left = ", ".join(texts[:place] + texts[place + 1 :])
                what = f"`{name}` without `{texts[place]}`"
                yield self.text.replace(node, f"{self.text.of(node.func)}({left})", 2.6, what)

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
        if len(node.args) == 2:  # noqa: PLR2004 - the same, backwards
            first = self.text.of(node.args[0])
            yield self.text.replace(node, f"range({text} - 1, {first} - 1, -1)", 2.4)
            yield self.text.replace(node.args[0], f"{first} + 1", 1.6)
            yield self.text.replace(node.args[0], f"{first} - 1", 1.8)

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
        if node.id in self.scope.constants:
            yield from (self.text.replace(node, other, 2) for other in self.scope.constants if other != node.id)

    def _attribute(self, node: ast.Attribute) -> Iterator[Edit]:
        owner = self.text.of(node.value)
        for group in TWINS:
            if node.attr in group:
                yield from (self.text.replace(node, f"{owner}.{other}", 1) for other in group if other != node.attr)
        own = is_self(node.value)
        others, cost = (self.scope.attributes, 2.0) if own else (self.scope.foreign, 2.4)
        if node.attr in others:
            yield from (self.text.replace(node, f"{owner}.{other}", cost) for other in others if other != node.attr)
