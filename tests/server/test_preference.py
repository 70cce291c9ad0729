"""Which of several edits is preferred by what was observed of them, how that is told, and that nobody can forge it."""

import json
from collections.abc import Mapping

import pytest

from codeact.behaviour import Comparison, Deed, Did, Input, Origin, read_comparison
from codeact.preference import rank, tell
from codeact.search import Candidate
from codeact.templates import Edit

INPUTS = {
    number: Input(f"f({number})", origin)
    for number, origin in enumerate([Origin.TARGET, Origin.BESIDE, *[Origin.MADE] * 10])
}
BEFORE = dict.fromkeys(range(1, 12), "0") | {0: "wrong"}
RIGHT = BEFORE | {0: "right"}


def candidate(name: str) -> Candidate:
    return Candidate(Edit(path="f.py", line=1, what=name, start=0, stop=1, text=name, cost=1.0), 2)


def did(values: Mapping[int, str]) -> dict[int, Deed]:
    """Deeds from words: a value that is returned, an exception, or how else a call ended."""
    return {number: read(word) for number, word in values.items()}


def read(word: str) -> Deed:
    if word in ("hung", "crashed"):
        return Deed(Did(word))
    return Deed(Did.RAISED if word.endswith("Error") else Did.RETURNED, word, "", word)


def order(*versions: Mapping[int, str], before: Mapping[int, str] = BEFORE) -> list[str]:
    """The tiers, with each version as its place: "a b | c"."""
    candidates = [candidate(chr(ord("a") + place)) for place in range(len(versions))]
    tiers = rank(candidates, Comparison(INPUTS, did(before), tuple(map(did, versions))))
    return [" ".join(found.edit.what for found in tier) for tier in tiers]


def test_what_passing_tests_get_is_kept_first() -> None:
    """An edit that changes a call of a passing test comes behind one that does not, whatever else it does."""
    assert order(RIGHT | {1: "2"}, RIGHT | dict.fromkeys(range(2, 12), "9")) == ["b", "a"]
    assert order(RIGHT | {1: "ValueError"}, RIGHT | {1: "hung"}, RIGHT | {2: "1"}) == ["c", "a b"]


@pytest.mark.parametrize("end", ["hung", "crashed", "TypeError"])
def test_what_breaks_calls_that_returned_comes_later(end: str) -> None:
    """A hang, a crash or an exception where the code as it is returned, on an input that was made."""
    assert order(RIGHT | {5: end}, RIGHT | {5: "1"}) == ["b", "a"]


def test_an_exception_that_is_asked_for_is_no_fault() -> None:
    """If the failing test gets an exception from the fix, or the code raises it elsewhere, others may get it too."""
    raising = RIGHT | {0: "ValueError", 5: "ValueError", 6: "ValueError"}
    assert order(raising, RIGHT | {0: "ValueError"}) == ["a b"]
    assert order(RIGHT | {5: "KeyError"}, RIGHT, before=BEFORE | {3: "KeyError"}) == ["a b"]


def test_a_call_that_hung_before_says_nothing_against_an_edit() -> None:
    """Where the code as it is does not end, whatever an edit does is no change for the worse."""
    assert order(RIGHT, RIGHT | {2: "1"}, before=BEFORE | {1: "hung", 5: "hung"}) == ["a b"]


def test_what_happens_further_inside_may_change() -> None:
    """A call that no test makes itself, on the way of a passing test, says nothing against an edit."""
    inside = {**INPUTS, 1: Input("f(1)", Origin.INNER)}
    candidates = [candidate("a"), candidate("b")]
    comparison = Comparison(inside, did(BEFORE), (did(RIGHT | {1: "2"}), did(RIGHT)))
    assert rank(candidates, comparison) == [candidates]


def test_edits_that_do_the_same_are_one() -> None:
    """The later of two that agree everywhere is the last to be tried; with too few inputs nobody can say so."""
    assert order(RIGHT, RIGHT | {3: "1"}, RIGHT, RIGHT | {3: "1"}) == ["a b", "c d"]
    few = {number: RIGHT[number] for number in range(7)}
    assert order(few, few) == ["a b"]


def test_what_is_left_keeps_the_order_of_the_search() -> None:
    """That an edit changes less on other inputs does not put it before a likelier one."""
    assert order(RIGHT | dict.fromkeys(range(3, 12), "7"), RIGHT) == ["a b"]
    assert order() == []


def test_each_runner_up_is_told_with_an_input_that_shows_it() -> None:
    """How many inputs there were, and for each other edit what it does otherwise, by its simplest input."""
    candidates = list(map(candidate, "abcdef"))
    versions = [RIGHT, RIGHT | {3: "1", 11: "1"}, RIGHT | {1: "2"}, RIGHT | {4: "hung"}, RIGHT, {}]
    comparison = Comparison(INPUTS, did(BEFORE), tuple(map(did, versions)), skipped=2)
    assert tell(candidates[0], candidates, comparison).split(". ") == [
        "6 edits pass, compared on 2 recorded and 10 made inputs (2 calls could not be copied)",
        "Undecided: `f(3)` returns `0`; with the runner-up (b) it returns `1`",
        "c also changes what a passing test gets: `f(1)` returns `0`, with that it returns `2`",
        "d also breaks what worked: `f(4)` returns `0`, with that it does not end",
        "e does the same.",
    ]
    assert tell(
        candidates[0], [candidates[0], candidates[5]], Comparison(INPUTS, did(BEFORE), (did(RIGHT), {}))
    ).endswith(" f could not be compared.")
    assert tell(candidates[0], candidates[:1], comparison) == tell(candidates[0], candidates, None) == ""


GOOD = [
    {"input": 0, "origin": "target", "shown": "f(1)"},
    {"version": 0, "input": 0, "did": "returned", "said": "1", "left": "", "like": "ab"},
    {"version": 1, "input": 0, "did": "raised", "said": "KeyError", "left": "[1]", "like": "cd"},
    {"skipped": 3},
]


def lines(*messages: object) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def test_a_report_becomes_a_comparison() -> None:
    """Inputs, deeds and the end of a report are read into values."""
    found = read_comparison(lines(*GOOD), 1)
    assert found == Comparison(
        {0: Input("f(1)", Origin.TARGET)},
        {0: Deed(Did.RETURNED, like="ab")},
        ({0: Deed(Did.RAISED, like="cd")},),
        3,
    )
    assert found
    assert [str(found.before[0]), str(found.after[0][0])] == ["returns `1`", "raises `KeyError` and leaves `[1]`"]


@pytest.mark.parametrize(
    "odd",
    [
        b"no json\n",
        b"[" * 100_000 + b"\n",
        b'{"input": 1, "origin": "elsewhere", "shown": "f(2)"}\n',
        b'{"input": 999999, "origin": "made", "shown": "f(2)"}\n{"input": -1, "origin": "made", "shown": "f(2)"}\n',
        b'{"input": 0, "origin": "beside", "shown": "another"}\n',
        b'{"version": 0, "input": 0, "did": "hung", "said": "", "left": "", "like": ""}\n',
        b'{"version": 2, "input": 0, "did": "hung", "said": "", "left": "", "like": ""}\n',
        b'{"version": 1, "input": 7, "did": "hung", "said": "", "left": "", "like": ""}\n',
        b'{"version": 1, "input": true, "did": 3, "said": [], "left": {}, "like": null}\n',
        b'{"version": 1, "input": 0, "did": "melted", "said": "", "left": "", "like": ""}\n',
        b"\xff\xfe\x00\n",
    ],
)
def test_lines_that_are_none_change_nothing(odd: bytes) -> None:
    """What code under test may write after the fact is passed over."""
    good = lines(*GOOD[:-1])
    assert read_comparison(good + odd + lines(GOOD[-1]), 1) == read_comparison(lines(*GOOD), 1)


def test_without_an_end_nothing_counts() -> None:
    """A report that breaks off, or compares nothing, is none: the choice is as if there were none."""
    assert read_comparison(lines(*GOOD[:-1]), 1) is None
    assert read_comparison(lines(GOOD[0], GOOD[1], GOOD[3]), 1) is None
    assert read_comparison(lines(GOOD[0], GOOD[2], GOOD[3]), 1) is None
    assert read_comparison(b"", 1) is None


def test_what_is_shown_stays_in_one_short_line() -> None:
    """A value that is long, has lines, or would end a quotation is shown tamely."""
    evil = {**GOOD[1], "said": "a`\n# **b**\x1b[31m" + "x" * 10_000}
    found = read_comparison(lines(GOOD[0], evil, *GOOD[2:]), 1)
    assert found
    said = str(found.before[0])
    assert len(said) < 250
    assert said.count("`") == 2
    assert "\n" not in said
