"""The benchmark tells which rung made a fix, and what CodeAct is worth beside others."""

from typing import Any

import rungs
import table
import trial


def make_step(thought: str = "", outcome: str = "passed", **more: str) -> dict[str, Any]:
    tests = {"results": [{"node_id": "test_a.py::test_a", "outcome": outcome}]}
    return {"event": "step", "step": {"thought": thought, "observation": {"tests": tests}, **more}}


def make_result(calls: int) -> dict[str, Any]:
    return {"event": "result", "status": "verified", "usage": {"model_calls": calls}}


def test_several_tests_may_take_several_rungs() -> None:
    """They are named in the ladder's order; a step whose tests did not pass counts for nothing."""
    steps = [make_step(rung="answer"), make_step("", "failed", rung="answers"), make_step(rung="edits"), make_result(3)]
    assert rungs.name_rungs(steps) == "edits+answer"


def test_each_rung_is_left_out_once() -> None:
    """The default ladder is that of small models; of a ladder of one, nothing is left out."""
    assert rungs.without_each(()) == {
        "without edits": ("fill", "answer", "answers"),
        "without fill": ("edits", "answer", "answers"),
        "without answer": ("edits", "fill", "answers"),
        "without answers": ("edits", "fill", "answer"),
    }
    assert rungs.without_each(["edits"]) == {}


def test_systems_are_compared_over_the_bugs_that_all_were_given() -> None:
    """A bug that only CodeAct was given does not count for it."""
    trials = [
        trial.Trial(bug="a", kind="classic", outcome="fixed", rung="edits", seconds=2.0),
        trial.Trial(bug="b", kind="classic", outcome="fixed", rung="answer", seconds=4.0, model_calls=1),
        trial.Trial(bug="c", kind="classic", outcome="fixed", rung="edits", seconds=2.0),
        trial.Trial(bug="a", kind="classic", outcome="fixed", system="one-shot", seconds=9.0, model_calls=1),
        trial.Trial(bug="b", kind="classic", outcome="failed", system="one-shot", seconds=9.0, model_calls=1),
    ]
    (_, by_rung), (_, systems) = table.make_tables(trials)
    assert [row[:3] for row in by_rung] == [("answer", "1", "1"), ("edits", "2", "0")]
    assert [row[:3] for row in systems] == [("codeact", "2 of 2", "1.00"), ("one-shot", "1 of 2", "0.50")]
