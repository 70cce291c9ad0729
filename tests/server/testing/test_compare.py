"""A suite is worse if any promise of the one before is broken, and the reason is told in a sentence."""

import pytest

from codeact.testing import describe_regressions, regressions
from codeact.trajectory import Outcome, TestReport, TestResult


def report(**outcomes: str) -> TestReport:
    names = {name.replace("__", "::").replace("_py", ".py"): Outcome(outcome) for name, outcome in outcomes.items()}
    results = [TestResult(node_id=name, outcome=outcome) for name, outcome in names.items()]
    return TestReport(command=("pytest",), results=tuple(results))


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        ("passed", "passed", False), ("failed", "passed", False), ("failed", "failed", False),
        ("failed", "timeout", False), ("skipped", "skipped", False), ("skipped", "passed", False),
        ("xfailed", "xpassed", False), ("xfailed", "xfailed", False), ("passed", "xpassed", False),
        ("passed", "failed", True), ("passed", "error", True), ("passed", "crashed", True), ("passed", "skipped", True),
        ("passed", "xfailed", True), ("failed", "skipped", True), ("failed", "xfailed", True),
        ("skipped", "failed", True), ("xfailed", "failed", True), ("xfailed", "skipped", True),
    ],
)  # fmt: skip
def test_each_change_is_judged(before: str, after: str, *, worse: bool) -> None:
    """Tests may get better or stay as they are; they may not fail, nor prove less than before."""
    found = regressions(report(t_py__a=before), report(t_py__a=after))
    assert found == (("t.py::a",) if worse else ())


def test_what_vanishes_is_worse() -> None:
    """A test, passing or failing, that is not collected any more."""
    assert regressions(report(t_py__a="passed", t_py__b="failed"), report(t_py__c="passed")) == ("t.py::a", "t.py::b")


def test_a_file_that_could_not_be_collected_is_replaced_by_its_tests() -> None:
    """They may fail still: nobody knew of them before. Without any test in its place, the file has vanished."""
    assert regressions(report(t_py="error"), report(t_py__a="failed")) == ()
    assert regressions(report(t_py="error"), report(u_py__a="passed")) == ("t.py",)


def test_a_new_collection_error_is_worse() -> None:
    """A file that nobody could have known to be broken, and the tests that it had."""
    before, after = report(t_py__a="passed"), report(t_py="error")
    assert regressions(before, after) == ("t.py::a", "t.py")
    assert describe_regressions(before, after) == (
        "t.py::a is not collected any more.", "t.py cannot be collected any more.",
    )  # fmt: skip


def test_sentences_say_what_changed() -> None:
    """Before and now, in words."""
    before, after = report(t_py__a="passed", t_py__b="passed"), report(t_py__a="failed", t_py__b="skipped")
    assert describe_regressions(before, after) == (
        "t.py::a was passed before and is failed now.",
        "t.py::b was passed before and is skipped now, so it proves nothing.",
    )
