"""What counts as the same value, and which further inputs are made of those that tests bring."""

import collections
import itertools
from dataclasses import dataclass
from typing import Any

import pytest

from codeact_sandbox.inputs import vary
from codeact_sandbox.likeness import MAX_PARTS, Unlike, describe, show_value


@dataclass(repr=False)
class Box:
    items: Any


class Slotted:
    __slots__ = ("left", "right")


class Name(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (0.1 + 0.2, 0.3),
        (float("nan"), float("nan")),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"b", "a", "c"}, {"c", "b", "a"}),
        (Box([1, {2}]), Box([1, {2}])),
        (iter([1, 2]), iter([1, 2])),
        ((n for n in (1, 2)), (n for n in (1, 2))),
        (ValueError("x"), ValueError("x")),
        (len, len),
    ],
)
def test_what_code_can_hardly_tell_apart_is_alike(one: object, other: object) -> None:
    assert describe(one) == describe(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        ((1,), [1]),
        ("1", 1),
        ("1", b"1"),
        (Name("1"), "1"),
        (collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1)),
        (Box([1]), Box([2])),
        (itertools.chain([1], map(int, ["x"])), itertools.chain([1])),
        (ValueError("x"), ValueError("y")),
        ([1, 2], [2, 1]),
    ],
)
def test_what_differs_is_not(one: object, other: object) -> None:
    assert describe(one) != describe(other)


def test_anything_is_described_within_bounds() -> None:
    """What holds itself, has no end or is huge, ends; what is known by its address only is refused."""
    around: list[Any] = [1]
    around.append(around)
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    slotted = Slotted()
    slotted.left = 3
    assert describe(around) == "list(int 1, list itself)"
    assert describe(slotted) == "Slotted(left=int 3)"
    for value in (itertools.count(), deep, range(10**9), list(range(10**5))):
        assert len(describe(value)) < 20 * MAX_PARTS
    for value in (object(), [object()], Box(object())):
        with pytest.raises(Unlike):
            describe(value)


def test_values_are_shown_without_addresses() -> None:
    """In one short line, by what they hold, whatever their repr does."""

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    assert show_value([Box([1, "a"]), Box(Slotted())]) == "[Box(items=[1, 'a']), Box(items=Slotted())]"
    assert show_value(show_value.__call__) == "<method-wrapper '__call__' of function object>"
    assert show_value("a\n" * 1000).count("\n") == 0
    assert len(show_value([["x" * 1000] * 1000] * 1000)) <= 100
    assert "0x" not in show_value(Broken())


def test_inputs_differ_in_one_place() -> None:
    """Numbers by one, sequences by an end, two of a kind by turns; the same calls give the same inputs."""
    made = list(itertools.islice(vary([5, [1, 2], "ab", 7]), 100))
    for expected in (
        [6, [1, 2], "ab", 7],
        [5, [1], "ab", 7],
        [5, [], "ab", 7],
        [5, [1, 2], "a", 7],
        [5, [2, 2], "ab", 7],
    ):
        assert expected in made
    for expected in (
        [7, [1, 2], "ab", 5],
        [5, [1, 2], "ab", 5],
        [1, [1, 2], "ab", 7],
        [5, [2, 1], "ab", 7],
    ):
        assert expected in made
    assert made == list(itertools.islice(vary([5, [1, 2], "ab", 7]), 100))
    assert list(vary([])) == []
    assert list(vary([None, object])) == []


def test_objects_and_tables_are_varied_inside() -> None:
    """An attribute or an entry is changed, and the original is not."""
    box, table = Box([1]), {"a": (1, True)}
    made = list(vary([box, table, {1}, 0.5]))
    assert [] in [found[0].items for found in made]
    assert {"a": (1, False)} in [found[1] for found in made]
    assert {} in [found[1] for found in made]
    assert set() in [found[2] for found in made]
    assert -0.5 in [found[3] for found in made]
    assert (box.items, table) == ([1], {"a": (1, True)})
