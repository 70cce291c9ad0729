"""Templates for a mistake that was made more than once in a statement: all its places change alike."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations

from codeact.templates.edit import Edit, Text, begin, end
from codeact.templates.operators import BINARY, COMPARE, SYMBOLS
from codeact.templates.scope import Scope, is_docstring

MAX_NAMES = 8
NEIGHBOURS: dict[type[ast.AST], tuple[str, ...]] = {**COMPARE, **BINARY}
SIMPLE = (ast.Assign, ast.AugAssign, ast.Return, ast.Expr, ast.Raise, ast.Assert)
HEADS = {ast.If: "test", ast.While: "test", ast.For: "iter"}


class Together:
    """One name or operator of a statement changed wherever it stands there, over one function."""

    def __init__(self, text: Text, scope: Scope) -> None:
        self.text = text
        self.scope = scope

    def edits(self) -> Iterator[Edit]:
        """All of them, in no order."""
        for node in ast.walk(self.scope.function):
            if isinstance(node, SIMPLE) and not is_docstring(node):
                yield from self._of(node)
            elif isinstance(node, tuple(HEADS)):
                yield from self._of(getattr(node, HEADS[type(node)]))

    def _of(self, node: ast.stmt | ast.expr) -> Iterator[Edit]:
        yield from self._operators(node)
        names = [other for other in ast.walk(node) if isinstance(other, ast.Name) and other.id in self.scope.names]
        count = Counter(name.id for name in names)
        for one, other in combinations(list(count)[:MAX_NAMES], 2):
            text = self._rename(node, {one: other, other: one})
            yield self.text.replace(node, text, 2.6, f"`{one}` and `{other}` change places")
        for one in [name for name, often in count.items() if often > 1]:
            for other in self.scope.names[:MAX_NAMES]:
                if other != one:
                    yield self.text.replace(node, self._rename(node, {one: other}), 2.7, f"`{one}` becomes `{other}`")

    def _operators(self, node: ast.AST) -> Iterator[Edit]:
        places: dict[type[ast.AST], list[tuple[ast.expr, ast.expr]]] = {}
        for part in ast.walk(node):
            match part:
                case ast.BinOp(left=left, op=operator, right=right):
                    places.setdefault(type(operator), []).append((left, right))
                case ast.Compare(left=first, ops=operators, comparators=others):
                    operands = [first, *others]
                    for operator_, pair in zip(operators, zip(operands, others, strict=False), strict=False):
                        places.setdefault(type(operator_), []).append(pair)
        for kind, pairs in places.items():
            if len(pairs) > 1:
                yield from (self._all(node, pairs, SYMBOLS[kind], symbol) for symbol in NEIGHBOURS.get(kind, ()))

    def _all(self, node: ast.AST, pairs: list[tuple[ast.expr, ast.expr]], old: str, symbol: str) -> Edit:
        """The same operator at all its places between pairs of operands."""
        spans = sorted((end(left), begin(right)) for left, right in pairs)
        first, last = spans[0][0], spans[-1][1]
        pieces, at = [], first
        for start, stop in spans:
            pieces += [self.text.slice(at, start), self.text.slice(start, stop).replace(old, symbol, 1)]
            at = stop
        what = f"each `{old}` becomes `{symbol}`"
        return self.text.replace_span(first, last, "".join(pieces), getattr(node, "lineno", first[0]), what, 2)

    def _rename(self, node: ast.stmt | ast.expr, names: dict[str, str]) -> str:
        pattern = re.compile(rf"(?<![\w.'\"])({'|'.join(map(re.escape, names))})(?![\w'\"])")
        return pattern.sub(lambda found: names[found[0]], self.text.of(node))
