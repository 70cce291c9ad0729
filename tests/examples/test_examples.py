"""The examples fail in the way they are meant to, seen with plain pytest and without CodeAct."""

import shutil
from pathlib import Path

import bugs
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
FAILING = {
    "cart": {
        "tests/test_basket.py::test_a_discount_is_rounded_to_the_nearest_cent",
        "tests/test_basket.py::test_tax_is_rounded_to_the_nearest_cent",
    },
    "inventory": {"tests/test_orders.py::test_an_order_over_two_bins"},
    "notebook": {
        "tests/test_notebook.py::test_tag_counts",
        "tests/test_notebook.py::test_tagged_finds_the_tagged_notes_only",
    },
    "pages": {
        "tests/test_parser.py::test_a_range_holds_both_its_ends",
        "tests/test_parser.py::test_an_open_range_goes_to_the_end_of_the_document",
    },
    "scheduler": set(),
}
HANGING = {"scheduler": "tests/test_retry.py::test_it_gives_up_after_the_last_attempt"}


def test_every_example_is_known_here() -> None:
    """No example goes unchecked, and each is a project with a README."""
    folders = {file.parent.name for file in EXAMPLES.glob("*/pyproject.toml")}
    assert folders == set(FAILING)
    assert all((EXAMPLES / name / "README.md").exists() for name in folders)


@pytest.mark.parametrize("name", FAILING)
def test_what_fails(name: str, tmp_path: Path) -> None:
    """Just the tests that are meant to fail do, and the others pass."""
    folder = shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    hanging = [f"--deselect={HANGING[name]}"] if name in HANGING else []
    code, output = bugs.run_tests(folder, "-rf", "--tb=no", *hanging)
    failed = {line.split()[1] for line in output.splitlines() if line.startswith("FAILED ")}
    assert failed == FAILING[name]
    assert code == (1 if FAILING[name] else 0)
    assert " passed" in output


@pytest.mark.parametrize("name", HANGING)
def test_what_hangs(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The test that is meant to hang does."""
    monkeypatch.setattr(bugs, "TEST_SECONDS", 3.0)
    folder = shutil.copytree(EXAMPLES / name, tmp_path / name)
    code, _ = bugs.run_tests(folder, HANGING[name])
    assert code == -1
