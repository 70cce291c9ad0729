"""More inputs for a function, made of those that it was called with: each has one small change.

Nothing is random: the same calls give the same inputs, so that a run can be walked again.
"""

from __future__ import annotations

import copy
import itertools
from typing import Any, Iterable, Iterator, Sequence, TypeVar

T = TypeVar("T")
MAX_VARIANTS = 12  # of one argument
MAX_ATTRIBUTES = 4  # of an object
MAX_DEPTH = 3


def vary(arguments: list[Any]) -> Iterator[list[Any]]:
    """The arguments of a call, changed in one place each: every argument in turn, and by what others have."""
    return take_turns([_vary_elements(arguments, 0), _borrow(arguments)])


def _vary_elements(values: Any, depth: int) -> Iterator[Any]:  # noqa: ANN401 - a list or a tuple
    """The values with one of them changed, each in turn."""
    return take_turns([_vary_element(values, place, depth) for place in range(min(len(values), MAX_VARIANTS))])


def _vary_element(values: Any, place: int, depth: int) -> Iterator[Any]:  # noqa: ANN401
    for variant in variants(values[place], depth):
        yield _put(values, place, variant)


def _put(values: Any, place: int, value: Any) -> Any:  # noqa: ANN401
    return values[:place] + type(values)([value]) + values[place + 1 :]


def _borrow(arguments: list[Any]) -> Iterator[list[Any]]:
    """Pairs of a type swapped or made the same, and elements of one argument in the place of another."""
    for one, other in itertools.permutations(range(len(arguments)), 2):
        mine, theirs = arguments[one], arguments[other]
        if type(mine) is type(theirs):
            yield _put(arguments, other, mine)
            if one < other:
                yield _put(_put(arguments, other, mine), one, theirs)
        elif isinstance(theirs, (list, tuple)):
            ends = [*theirs[:1], *theirs[1:][-1:]]
            yield from (_put(arguments, one, end) for end in ends if type(end) is type(mine))


def take_turns(ways: Sequence[Iterable[T]]) -> Iterator[T]:
    """The first of each, the second of each, and so on."""
    left = [iter(way) for way in ways]
    while left:
        for way in list(left):
            try:
                yield next(way)
            except StopIteration:
                left.remove(way)


def variants(value: Any, depth: int) -> Iterator[Any]:  # noqa: ANN401 - whatever code is called with
    """Values of the same type that are a little different."""
    return itertools.islice(_variants(value, depth), MAX_VARIANTS)


def _variants(value: Any, depth: int) -> Iterator[Any]:  # noqa: ANN401
    kind = type(value)
    if kind is bool:
        yield not value
    elif kind is int:
        yield from (value + 1, value - 1, 0, -value, 2 * value, 1)
    elif kind is float:
        yield from (value + 1.0, value - 1.0, 0.0, -value, value / 2)
    elif kind in (str, bytes):
        yield from (value[:-1], value[1:], value[:0], value[::-1], value + value[-1:], value + value, value.swapcase())
    elif kind in (list, tuple):
        yield from _of_sequence(value, depth)
    elif kind in (set, frozenset):
        elements = sorted(value, key=repr)
        yield from (kind(elements[1:]), kind())
    elif kind is dict:
        yield from _of_dictionary(value, depth)
    elif depth < MAX_DEPTH and isinstance(getattr(value, "__dict__", None), dict):
        yield from _of_object(value, depth)


def _of_sequence(value: Any, depth: int) -> Iterator[Any]:  # noqa: ANN401 - a list or a tuple
    yield from (value[:-1], value[1:], value[:0], value[::-1], value + value[-1:], value + value)
    if depth < MAX_DEPTH:
        yield from _vary_elements(value, depth + 1)


def _of_dictionary(value: dict[Any, Any], depth: int) -> Iterator[dict[Any, Any]]:
    items = list(value.items())
    yield from (dict(items[:-1]), {}, dict(items[::-1]))
    if depth < MAX_DEPTH:
        yield from take_turns([_with_item(value, key, depth + 1) for key, _ in items])


def _with_item(value: dict[Any, Any], key: Any, depth: int) -> Iterator[dict[Any, Any]]:  # noqa: ANN401
    for other in variants(value[key], depth):
        yield {**value, key: other}


def _of_object(value: Any, depth: int) -> Iterator[Any]:  # noqa: ANN401
    """The object with one attribute changed."""
    names = [name for name in vars(value) if not name.startswith("__")][:MAX_ATTRIBUTES]
    yield from take_turns([_with_attribute(value, name, depth + 1) for name in names])


def _with_attribute(value: Any, name: str, depth: int) -> Iterator[Any]:  # noqa: ANN401
    for other in variants(getattr(value, name), depth):
        changed = copy.copy(value)
        changed.__dict__[name] = other
        yield changed
