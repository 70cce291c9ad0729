"""Templates for a statement that was forgotten: one that stands elsewhere, fills or empties, counts, or guards."""

import ast
from collections.abc import Iterator, Sequence
from itertools import combinations, islice

from codeact.templates.edit import Edit, Text, begin, end
from codeact.templates.scope import Scope, is_docstring
from codeact.templates.statements import shift

MAX_NAMES = 6
MAX_COPY = 3  # lines of a statement that may stand a second time
MAX_GUARDS = 60
GROWING = {"list": "append", "deque": "append", "set": "add"}
OPPOSITES = {"append": "pop()", "add": "discard({})", "push": "pop()", "enter": "leave()", "acquire": "release()"}
EMPTY = ("[]", "0", "None", "False", "''")
Block = list[ast.stmt]
Missing = tuple[str, float]


class MissingStatements:
    """Statements put in, over one function."""

    def __init__(self, text: Text, scope: Scope) -> None:
        self.text = text
        self.scope = scope
        self.names = scope.names[:MAX_NAMES]

    def edits(self) -> Iterator[Edit]:
        """All of them, in no order."""
        missing = [*self._copies(), *self._fillings(), *self._counts(), *self._settings()]
        for block in _blocks(self.scope.function):
            yield from self._insert(block, missing)
        first = next((node for node in self.scope.function.body if not is_docstring(node)), None)
        if first and self.scope.function.name:
            for text, cost in self._guards():
                yield self._before(first, text, cost)

    def _copies(self) -> Iterator[Missing]:
        """What stands elsewhere in the function or its class, and its opposite."""
        function, owner = self.scope.function, self.scope.owner
        for node in ast.walk(function):
            match node:
                case ast.Expr(value=ast.Call(func=ast.Attribute(value=value, attr=attr), args=arguments)):
                    yield self.text.of(node), 3.0
                    if attr in OPPOSITES:
                        given = ", ".join(map(self.text.of, arguments))
                        yield f"{self.text.of(value)}.{OPPOSITES[attr].format(given)}", 3.0
                case ast.Expr(value=ast.Call()) | ast.AugAssign():
                    yield self.text.of(node), 3.0
                case ast.Assign(value=ast.Constant() | ast.List(elts=[]) | ast.Dict(keys=[])):
                    yield self.text.of(node), 3.2
                case ast.If(orelse=[]) if end(node)[0] - node.lineno < MAX_COPY:
                    lines = self.text.whole_lines(node)
                    yield "".join(shift(lines, -node.col_offset)).strip("\n"), 3.0
        for node in ast.walk(owner) if owner else ():
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                yield self.text.of(node), 3.0

    def _fillings(self) -> Iterator[Missing]:
        for collection, method in _collections(self.scope.function):
            yield from ((f"{collection}.{method}({name})", 3.1) for name in self.names if name != collection)

    def _counts(self) -> Iterator[Missing]:
        """One more or one less of what begins as a number or is compared with one."""
        counted: dict[str, None] = {}
        for node in ast.walk(self.scope.function):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=int())):
                    counted[name] = None
                case ast.Compare(
                    left=ast.Subscript() | ast.Attribute() as left, comparators=[ast.Constant(value=int())]
                ):
                    counted[self.text.of(left)] = None
        for place in counted:
            yield from ((f"{place} {symbol} 1", 3.3) for symbol in ("+=", "-="))

    def _settings(self) -> Iterator[Missing]:
        for one in self.names:
            if one not in self.scope.parameters:
                yield from ((f"{one} = {other}", 3.4) for other in self.names if other != one)

    def _guards(self) -> Iterator[Missing]:
        """An answer for a special case, at the beginning: nothing given, or two that are the same."""
        returned = {
            self.text.of(node.value): None
            for node in ast.walk(self.scope.function)
            if isinstance(node, ast.Return) and isinstance(node.value, (ast.Constant, ast.List, ast.Tuple, ast.Dict))
        }
        given = self.scope.parameters[:MAX_NAMES]
        answers = [*returned, *EMPTY, *given]
        conditions = [f"not {name}" for name in given]
        conditions += [f"{one} == {other}" for one, other in combinations(given, 2)]
        found = ((f"if {test}:\n    return {answer}", 3.6) for test in conditions for answer in dict.fromkeys(answers))
        yield from islice(found, MAX_GUARDS)

    def _insert(self, block: Block, missing: Sequence[Missing]) -> Iterator[Edit]:
        """One more statement: before the first, before one that leaves or decides, after the last."""
        for position, statement in enumerate(block):
            leaves = isinstance(statement, (ast.Return, ast.Raise, ast.Break, ast.Continue))
            decides = isinstance(statement, (ast.If, ast.While, ast.For))
            for text, cost in missing:
                first = position == 0 and not is_docstring(statement)
                if first or (position and (leaves or decides)):
                    yield self._before(statement, text, cost)
                if not leaves and position + 1 == len(block):
                    yield self._after(statement, text, cost)

    def _before(self, statement: ast.stmt, text: str, cost: float) -> Edit:
        indent = " " * statement.col_offset
        lines = text.replace("\n", f"\n{indent}")
        place = begin(statement)
        return self.text.replace_span(place, place, f"{lines}\n{indent}", place[0], _describe(text), cost)

    def _after(self, statement: ast.stmt, text: str, cost: float) -> Edit:
        indent = " " * statement.col_offset
        lines = text.replace("\n", f"\n{indent}")
        place = end(statement)
        return self.text.replace_span(place, place, f"\n{indent}{lines}", place[0], _describe(text), cost)


def _describe(text: str) -> str:
    return f"`{' '.join(text.split())}` is missing"


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
