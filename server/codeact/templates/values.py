"""Templates for what is done with a value before it is used: a call, a bound, a term or a condition that it lacks."""

import ast
from collections.abc import Iterator
from itertools import chain, islice

from codeact.templates.edit import Edit, Text
from codeact.templates.scope import Scope, expressions_of

MAX_NAMES = 8
MAX_FUNCTIONS = 6
MAX_INGREDIENTS = 10
USED = (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.BinOp)
PLAIN = (ast.Name, ast.Attribute, ast.Subscript, ast.Call)


class Values:
    """A value wrapped in what it lacks, over one function."""

    def __init__(self, text: Text, scope: Scope) -> None:
        self.text = text
        self.scope = scope
        self.names = scope.names[:MAX_NAMES]
        parts = (node for node in expressions_of(scope.function) if isinstance(node, (ast.Attribute, ast.Subscript)))
        loaded = (text.of(node) for node in parts if isinstance(node.ctx, ast.Load))
        self.ingredients = tuple(islice(dict.fromkeys(loaded), MAX_INGREDIENTS))

    def edits(self) -> Iterator[Edit]:
        """All of them, in no order."""
        for node in expressions_of(self.scope.function):
            yield from self._at(node)

    def _at(self, node: ast.AST) -> Iterator[Edit]:  # noqa: C901, PLR0912 - a table in the form of a match
        match node:
            case ast.Return(value=ast.expr() as value):
                yield from self._returned(value)
                yield from self._used(value)
                yield from self._instead(value)
            case ast.Assign(targets=[target], value=value):
                yield from self._assigned(target, value)
                yield from self._used(value)
                yield from self._instead(value)
            case ast.AugAssign(value=value):
                yield from self._used(value)
                yield from self._one_off(value)
            case ast.Call(args=arguments):
                for value in arguments:
                    yield from chain(self._used(value), self._part(value), self._plus(value), self._instead(value))
            case ast.Tuple(elts=values, ctx=ast.Load()) | ast.List(elts=values, ctx=ast.Load()):
                yield from self._collected(node, values)
            case ast.ListComp(elt=value) | ast.SetComp(elt=value) | ast.GeneratorExp(elt=value):
                yield from self._used(value)
            case ast.Lambda(body=value):
                yield self.text.replace(value, f"-{self.text.of(value)}", 2.4)
            case ast.For(iter=value) | ast.comprehension(iter=value):
                for wrap in ("list", "reversed", "sorted", "enumerate"):
                    yield self.text.replace(value, f"{wrap}({self.text.of(value)})", 2)
                yield from self._part(value)
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                yield from self._condition(test)
            case ast.Compare(left=left, comparators=others):
                for operand in (left, *others):
                    yield from self._measure(operand)

    def _used(self, value: ast.expr) -> Iterator[Edit]:
        """Calls that any value may lack."""
        if not isinstance(value, USED):
            return
        text = self.text.of(value)
        if len(self.scope.parameters) == 1:
            yield self.text.replace(value, f"{self.scope.itself}({text})", 2.2)
        yield from (self.text.replace(value, f"{name}({text})", 2.5) for name in self.scope.mappers)
        others = [name for name in self.scope.functions.get(1, ()) if name != self.scope.function.name]
        yield from (self.text.replace(value, f"{name}({text})", 2.8) for name in others[:MAX_FUNCTIONS])
        yield from (self.text.replace(value, f"{name}({text})", 2.8) for name in ("int", "str"))
        yield from (self.text.replace(value, f"{name}({text})", 3) for name in ("reversed", "sorted", "abs", "set"))

    def _instead(self, value: ast.expr) -> Iterator[Edit]:
        """Another expression that the function holds, or the extreme of what one member is taken from."""
        if isinstance(value, PLAIN):
            text = self.text.of(value)
            yield from (self.text.replace(value, other, 3) for other in self.ingredients if other != text)
        match value:
            case ast.BinOp(left=ast.Subscript(value=whole) as part) | (ast.Subscript(value=whole) as part):
                for extreme in ("max", "min"):
                    yield self.text.replace(part, f"{extreme}({self.text.of(whole)})", 2.8)

    def _returned(self, value: ast.expr) -> Iterator[Edit]:
        text = self.text.of(value)
        yield from self._one_off(value)
        yield from self._plus(value)
        for other in (f"not ({text})", f"-({text})", f"abs({text})", f"list({text})", f"sorted({text})"):
            yield self.text.replace(value, other, 3)
        yield self.text.replace(value, f"max(0, {text})", 3)
        if isinstance(value, ast.Constant):
            forms = ("not {}", "{} == 0", "bool({})") if isinstance(value.value, bool) else ("{}",)
            for form in forms:
                yield from (self.text.replace(value, form.format(name), 2) for name in self.names)
        elif isinstance(value, (ast.Compare, ast.BoolOp)):
            yield from self._condition(value)

    def _assigned(self, target: ast.expr, value: ast.expr) -> Iterator[Edit]:
        name, text = self.text.of(target), self.text.of(value)
        yield from self._one_off(value)
        yield from self._plus(value)
        if isinstance(target, (ast.Name, ast.Attribute, ast.Subscript)) and not isinstance(value, ast.Constant):
            for wrap in ("max", "min"):
                yield self.text.replace(value, f"{wrap}({name}, {text})", 2)
            yield self.text.replace(value, f"max(0, {text})", 2.5)
            for function in self.scope.functions.get(2, ())[:MAX_FUNCTIONS]:
                yield self.text.replace(value, f"{function}({name}, {text})", 2.5)
            if isinstance(value, ast.Call):
                yield self.text.replace(value, f"{name} * 10 + {text}", 3)
        if isinstance(value, (ast.Name, ast.BinOp)):
            for other in self.names:
                yield self.text.replace(value, f"({text}) % len({other})", 3)

    def _collected(self, node: ast.Tuple | ast.List, values: list[ast.expr]) -> Iterator[Edit]:
        """Members: the sign of a sort key, a bound that is kept beside another, the one that is missing."""
        if isinstance(node, ast.List) and not values:
            yield self.text.replace(node, "[[]]", 2)
            yield from (self.text.replace(node, f"[{name}]", 2) for name in self.names)
        for value in values:
            text = self.text.of(value)
            yield from self._used(value)
            if isinstance(value, PLAIN):
                yield self.text.replace(value, f"-{text}", 2.4)
            if isinstance(value, ast.Name):
                yield from self._one_off(value)
                yield from self._plus(value)
                for other in self.names:
                    yield from (self.text.replace(value, f"{wrap}({other}, {text})", 3) for wrap in ("max", "min"))

    def _part(self, value: ast.expr) -> Iterator[Edit]:
        """Not all of a sequence, or the place beside."""
        if isinstance(value, ast.Name):
            text = self.text.of(value)
            yield from self._one_off(value)
            yield from (self.text.replace(value, f"{text}[{part}]", 2.6) for part in ("1:", ":-1"))
            for other in self.names:
                if other != value.id:
                    yield self.text.replace(value, f"{text}[{other}:]", 3)
                    yield self.text.replace(value, f"{text} - {other}", 2.8)

    def _plus(self, value: ast.expr) -> Iterator[Edit]:
        """A term more."""
        if isinstance(value, (*USED, ast.List)):
            text = self.text.of(value)
            for name in self.names:
                if name != text:
                    yield self.text.replace(value, f"{name} + {text}", 3.2)

    def _condition(self, test: ast.expr) -> Iterator[Edit]:
        """A condition more."""
        text = self.text.of(test)
        both = f"({text})" if isinstance(test, ast.BoolOp) else text
        yield self.text.replace(test, f"not ({text})", 2)
        for name in self.names:
            yield self.text.replace(test, f"{both} or not {name}", 2.5)
            yield self.text.replace(test, f"{both} and {name}", 2.5)
            yield self.text.replace(test, f"{name} and {both}", 2.6)
            yield self.text.replace(test, f"{both} and {name} > 0", 2.8)
            for attribute in (*self.scope.foreign, *self.scope.attributes):
                yield self.text.replace(test, f"{both} and {name}.{attribute}", 3.3)
        match test:
            case ast.Constant(value=True):
                yield from (self.text.replace(test, name, 2) for name in self.names)
            case ast.Compare(left=ast.Attribute(value=ast.Name(id=name)), ops=[ast.Is()]):
                yield self.text.replace(test, f"{name} is None or {text}", 1.8)

    def _measure(self, operand: ast.expr) -> Iterator[Edit]:
        """What is compared is the value's size, its rest, or its square."""
        if isinstance(operand, ast.Name):
            text = self.text.of(operand)
            yield from (self.text.replace(operand, form, 2.8) for form in (f"len({text})", f"abs({text})"))
            for number in ("100", "10", "2"):
                yield self.text.replace(operand, f"{text} % {number}", 3)

    def _one_off(self, value: ast.expr) -> Iterator[Edit]:
        if isinstance(value, USED):
            for symbol in (" + 1", " - 1"):
                yield self.text.replace(value, f"{self.text.of(value)}{symbol}", 2)
