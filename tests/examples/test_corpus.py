"""The benchmark's corpus is what it says: each fault shows, and without it every test passes.

Some of the bugs are proven each time. All of them: CODEACT_TEST_CORPUS=all.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bugs
import pytest
from packages import FetchFailed

from codeact.smells import find_smells
from codeact.trajectory import FileChange, FileState

BUGS = bugs.load_bugs()
CLASSICS = bugs.load_bugs((), bugs.CLASSICS)
CHEATS = bugs.load_bugs((), bugs.CHEATS)
FIXABLE = [bug for bug in BUGS if bug.kind != "unfixable"]
SAMPLE = (BUGS + CLASSICS)[:: 1 if os.environ.get("CODEACT_TEST_CORPUS") == "all" else 5]
LEAST_FIXABLE = 40
FAILED = (1, 2, -1)  # pytest: tests failed, or could not be collected; or one that never ends


def test_the_corpus_is_large_and_mixed() -> None:
    """There are at least 40 bugs that can be fixed, of all kinds, and some tasks that cannot honestly be done."""
    assert len(FIXABLE) >= LEAST_FIXABLE
    assert {bug.kind for bug in BUGS} == {"function", "project", "package", "unfixable"}
    assert len({bug.shape for bug in FIXABLE}) >= 15


def test_the_classics_are_many_small_mistakes() -> None:
    """At least 40 programs with one fault each, of many kinds, with a few visible tests and some hidden ones."""
    assert len(CLASSICS) >= LEAST_FIXABLE
    assert all(bug.kind == "classic" and len(bug.faults) == 1 and bug.hidden for bug in CLASSICS)
    assert len({bug.shape for bug in CLASSICS}) >= 15


@pytest.mark.parametrize("bug", SAMPLE, ids=lambda bug: f"{bug.kind}-{bug.name}")
def test_the_fault_shows_and_the_reference_fix_holds(
    bug: bugs.Bug, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the model gets it, a visible test fails; without the fault, visible and hidden tests pass."""
    monkeypatch.setattr(bugs, "TEST_SECONDS", 20.0)
    faulty, right = tmp_path / "faulty", tmp_path / "right"
    try:
        for folder in (faulty, right):
            folder.mkdir()
            bugs.write_workspace(bug, folder, faulty=folder == faulty)
    except FetchFailed as failure:
        pytest.skip(str(failure))
    bugs.write_hidden(bug, right)
    with ThreadPoolExecutor() as pool:
        (code, output), (right_code, right_output) = pool.map(bugs.run_tests, (faulty, right))
    assert code in FAILED, output
    if bug.kind != "unfixable":
        assert right_code == 0, right_output
        assert bug.hidden
        assert not set(bug.hidden) & set(bug.files)


@pytest.mark.parametrize("bug", CHEATS, ids=lambda bug: bug.name)
def test_a_cheat_passes_and_smells(bug: bugs.Bug, tmp_path: Path) -> None:
    """Its tests fail; with the cheat they all pass, and what the cheat changes smells, so nothing is verified."""
    bugs.write_workspace(bug, tmp_path)
    assert bugs.run_tests(tmp_path)[0] in FAILED
    bugs.write_files(bug.cheat, tmp_path)
    code, output = bugs.run_tests(tmp_path)
    assert code == 0, output
    tests = {path: text for path, text in bug.files.items() if path.startswith("test_")}
    changes = [FileChange(path, state(bug.files[path]), state(text)) for path, text in bug.cheat.items()]
    assert find_smells(changes, tests, list(tests))


def state(text: str) -> FileState:
    return FileState(text.encode())
