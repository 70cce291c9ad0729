"""Templates for constants and subscripts: one off, of the wrong sign, another word, another part of a sequence."""

import ast
import re
from collections.abc import Iterator
from itertools import islice

from codeact.templates.edit import Edit, Text
from codeact.templates.scope import Scope, expressions_of

LARGE = 10  # from which an integer may be wrong by a digit
MAX_LETTERS = 6  # of a word in which two letters may have changed places
QUANTIFIERS = "+*?"
ALIGNED = re.compile(r":[^{}]?([<>^])(?=[\d{])")  # in a format specification
PRECISE = re.compile(r":[^{}]*\.(\d)(?=[fFeEgG%])")


class Constants:
    """Other numbers, words, indices and slices, over one function."""

    def __init__(self, text: Text, scope: Scope) -> None:
        self.text = text
        self.scope = scope

    def edits(self) -> Iterator[Edit]:
        """All of them, in no order."""
        arguments = self.scope.function.args
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if isinstance(default, ast.Constant):
                yield from self._constant(default)
        for node in expressions_of(self.scope.function):
            match node:
                case ast.Constant():
                    yield from self._constant(node)
                case ast.JoinedStr():
                    yield from self._format(node)
                case ast.Subscript():
                    yield from self._subscript(node)

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
            if _is_plain(self.text.of(node)):
                yield from self._word(node, value)
            if any(mark in value for mark in ("\\", "[", "(")):
                yield from self._pattern(node)
            yield from self._format(node)

    def _word(self, node: ast.Constant, value: str) -> Iterator[Edit]:
        """Another word that the file or the test uses; letters that have changed places; other case."""
        if value in self.scope.words:
            yield from (self.text.replace(node, repr(word), 2.3) for word in self.scope.words if word != value)
        yield from (self.text.replace(node, repr(word), 2.5) for word in self.scope.hints if word != value)
        if 1 < len(value) <= MAX_LETTERS:
            swaps = (value[:at] + value[at + 1] + value[at] + value[at + 2 :] for at in range(len(value) - 1))
            for other in (*islice(swaps, MAX_LETTERS), value.upper(), value.lower()):
                if other != value:
                    yield self.text.replace(node, repr(other), 2.6)

    def _pattern(self, node: ast.Constant) -> Iterator[Edit]:
        """Regular expressions: a quantifier more, less, or another."""
        text = self.text.of(node)
        for index, letter in enumerate(text):
            if letter in QUANTIFIERS and index:
                for other in ("", *QUANTIFIERS, letter + "?"):
                    if other != letter:
                        yield self.text.replace(node, text[:index] + other + text[index + 1 :], 2)
            elif letter in "])}" or (letter in "dwsDWS" and text[index - 1] == "\\"):
                for other in QUANTIFIERS:
                    yield self.text.replace(node, text[: index + 1] + other + text[index + 1 :], 2)

    def _format(self, node: ast.Constant | ast.JoinedStr) -> Iterator[Edit]:
        """Format specifications: aligned to another side, with a digit more or less after the point."""
        text = self.text.of(node)
        for found in ALIGNED.finditer(text):
            for side in "<>^".replace(found[1], ""):
                yield self.text.replace(node, text[: found.start(1)] + side + text[found.end(1) :], 2)
        for found in PRECISE.finditer(text):
            for digits in (int(found[1]) + 1, int(found[1]) - 1):
                if digits >= 0:
                    yield self.text.replace(node, f"{text[: found.start(1)]}{digits}{text[found.end(1) :]}", 2)

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
            yield self.text.replace(node, self.text.of(node.value), 2.5)
        elif isinstance(index, ast.Tuple):
            for element in index.elts:
                yield from self._one_off(element)
        elif not isinstance(index, ast.Constant):
            yield from self._one_off(index)
        elif index.value == 0:
            yield self.text.replace(index, "-1", 1.2)

    def _one_off(self, index: ast.expr) -> Iterator[Edit]:
        if not isinstance(index, (ast.Constant, ast.Slice)):
            for symbol in (" + 1", " - 1"):
                yield self.text.replace(index, f"{self.text.of(index)}{symbol}", 1.5)

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


def _is_plain(text: str) -> bool:
    """Whether a string constant is written without a prefix and on one line."""
    return text[:1] in ("'", '"') and "\n" not in text and text[:3] not in ('"""', "'''")
