"""Where a fault likely is: values in, ranks out; and the history of a real git repository."""

from pathlib import Path

import pytest
from workspaces import make_workspace, run_git

from codeact.definitions import list_definitions
from codeact.keeping import find_state
from codeact.localise import UNCHANGED, Spectrum, find_late_lines, rank
from codeact.settings import load_settings
from codeact.snapshot import list_versions, take_snapshot
from codeact.trajectory import Frame, Outcome, TestResult

SHOP = """
RATES = {"food": 7, "books": 19}


class Cart:
    rate = 19

    def __init__(self):
        self.items = []

    def __repr__(self):
        return f"Cart({self.items})"

    @property
    def total(self):
        return sum(self.items) * (1 + self.rate)

    def names(self):
        for item in self.items:
            yield item


def tax(kind):
    return RATES[kind]


def size(n):
    if n > 2:
        return "big"
    return "small"
"""
TARGET = TestResult(node_id="t.py::test_a", outcome=Outcome.FAILED)


def ranked(
    failing: set[int], *passing: set[int], target: TestResult = TARGET, others: tuple[set[int], ...] = ()
) -> list[str]:
    """The names of the suspects, likeliest first, where tests ran these lines of the shop."""
    spectrum = Spectrum(
        {
            name: {"shop.py": frozenset(lines)}
            for name, lines in zip(("t.py::test_a", "b", "c"), (failing, *others), strict=False)
        },
        {f"p{number}": {"shop.py": frozenset(lines)} for number, lines in enumerate(passing)},
    )
    found, _ = rank(target, spectrum, UNCHANGED, {"shop.py": SHOP}.get, lambda path: path == "t.py")
    return [definition.name for definition, _ in found]


def test_definitions_are_functions_methods_and_assignments() -> None:
    """With decorators, properties, generators, and what belongs to a class."""
    found = {definition.name: definition.line for definition in list_definitions("shop.py", SHOP)}
    assert found == {
        "RATES": 2, "Cart.rate": 6, "Cart.__init__": 8, "Cart.__repr__": 11, "Cart.total": 14, "Cart.names": 18,
        "tax": 23, "size": 27,
    }  # fmt: skip


def test_what_passing_tests_run_as_well_comes_last() -> None:
    """A line that only the failing test runs is the first suspect, whatever was called first."""
    spectrum = Spectrum(
        {"t.py::test_a": {"shop.py": frozenset({9, 28, 29})}}, {"p": {"shop.py": frozenset({9, 28, 30})}}
    )
    found, heat = rank(TARGET, spectrum, UNCHANGED, {"shop.py": SHOP}.get, lambda _: False)
    assert next(definition.name for definition, _ in found) == "size"
    assert max(heat, key=lambda place: heat[place]) == ("shop.py", 29)
    assert all(0 <= score <= 1 for score in heat.values())


def test_a_table_of_the_module_is_a_suspect_where_it_is_used() -> None:
    """A wrong constant has no line that a test runs."""
    assert ranked({24}, {28, 30}) == ["tax", "RATES"]
    assert set(ranked({16}, {9})) == {"Cart.total", "Cart.rate"}


def test_what_pytest_calls_to_show_a_failure_is_no_first_suspect() -> None:
    """`__repr__` runs in each failing test, and in no other."""
    assert ranked({9, 12, 16}, {9})[0] == "Cart.total"


def test_without_coverage_the_traceback_leads() -> None:
    """Innermost first, then what was called: all there is of a test that crashed."""
    frames = tuple(Frame(path="shop.py", line=line, function="f") for line in (16, 24))
    target = TestResult(node_id="t.py::test_a", outcome=Outcome.CRASHED, frames=frames)
    found, _ = rank(target, Spectrum(), UNCHANGED, {"shop.py": SHOP}.get, lambda _: False)
    assert [definition.name for definition, _ in found if "." in definition.name or definition.name.islower()][:2] == [
        "tax",
        "Cart.total",
    ]


def test_failing_tests_of_another_cause_do_not_count() -> None:
    """Two failures that share few lines: each has its own first suspect."""
    assert ranked({24}, {9}, others=({16, 9, 19, 20},))[0] == "tax"


def test_lines_that_changed_last_are_told_from_older_ones() -> None:
    """Since the last commit: 1; with the one before: less; a file that is all new tells nothing."""
    now = "".join(f"line {number}\n" for number in range(10))
    last = now.replace("line 3", "line x")
    older = last.replace("line 5", "line y")
    heat = find_late_lines("a.py", now, (last.encode(), older.encode(), b"nothing\n"))
    assert heat == {("a.py", 4): 1.0, ("a.py", 6): pytest.approx(0.6)}


def test_code_that_keeps_state_is_found() -> None:
    """Mutable defaults, containers of modules and classes, caches, globals."""
    source = "SEEN = []\nLIMIT = 3\n\ndef f(a, b={}):\n    return b\n\n@lru_cache\ndef g(): pass\n\ndef h():\n    return []\n"
    assert {line for _, line in find_state("a.py", source)} == {1, 4, 5, 7, 8}


def test_earlier_versions_come_from_the_developers_repository(tmp_path: Path) -> None:
    """Uncommitted and committed changes, in a folder below the top; and nothing is written there."""
    top = tmp_path / "top"
    top.mkdir()
    make_workspace(top, {"app/a.py": "one\n", "app/b.py": "b\n"})
    (top / "app/a.py").write_text("two\n")
    run_git(top, "commit", "-qam", "second")
    (top / "app/a.py").write_text("three\n")
    before = sorted((path, path.stat().st_mtime_ns) for path in top.rglob("*"))
    settings = load_settings(top / "app", {"state": str(tmp_path / "state"), "cache": str(tmp_path / "cache")}, {})
    snapshot = take_snapshot(settings, {})
    assert list_versions(snapshot, ["a.py", "b.py", "none.py"]) == {"a.py": (b"two\n", b"one\n"), "b.py": (b"b\n",)}
    assert sorted((path, path.stat().st_mtime_ns) for path in top.rglob("*")) == before


def test_a_folder_without_git_has_no_history(tmp_path: Path) -> None:
    """It works all the same."""
    folder = tmp_path / "plain"
    folder.mkdir()
    make_workspace(folder, git=False)
    settings = load_settings(folder, {"state": str(tmp_path / "state"), "cache": str(tmp_path / "cache")}, {})
    assert list_versions(take_snapshot(settings, {}), ["calc.py"]) == {}
