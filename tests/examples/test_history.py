"""The historic fixes are what they say: the tests of the fix fail before it, and with the reference fix everything passes.

A few of them are proven each time. All of them: CODEACT_TEST_HISTORY=all.
"""

import difflib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bugs
import pytest
from history import Upgrade
from packages import FetchFailed

TASKS = bugs.load_bugs((), bugs.HISTORY)
ALL = os.environ.get("CODEACT_TEST_HISTORY") == "all"
SAMPLE = TASKS if ALL else TASKS[:: max(1, len(TASKS) // 3)]
LEAST_TASKS, LEAST_PACKAGES, MOST_LINES = 18, 12, 24
FAILED = re.compile(r"^(?:SUBFAILED|FAILED|ERROR).*?\.py::([\w:]+)", re.MULTILINE)
ENTRY = re.compile(r"[A-Za-z0-9_./-]+::[A-Za-z0-9_.]+|[A-Za-z0-9_./-]+::(import|from) .+")


def test_there_are_many_of_many_packages() -> None:
    """Enough fixes that no single package decides the figure."""
    assert len(TASKS) >= LEAST_TASKS
    assert len({task.upgrade.package for task in TASKS if task.upgrade}) >= LEAST_PACKAGES
    assert all(task.kind == "history" and not task.files and not task.faults for task in TASKS)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_task_holds_names_only(task: bugs.Bug) -> None:
    """The reference fix is named by its definitions, in at most two files; no text of the package is kept."""
    upgrade = find_upgrade(task)
    assert upgrade.failing
    assert all(map(ENTRY.fullmatch, upgrade.fix))
    assert 1 <= len({entry.partition("::")[0] for entry in upgrade.fix}) <= 2
    assert upgrade.hidden


@pytest.mark.parametrize("task", SAMPLE, ids=lambda task: task.name)
def test_its_tests_fail_before_and_pass_with_the_reference_fix(
    task: bugs.Bug, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just the tests of the fix fail; with it they pass, and so do the hidden ones. The fix is small."""
    monkeypatch.setattr(bugs, "TEST_SECONDS", 120.0)
    before, after = tmp_path / "before", tmp_path / "after"
    try:
        for folder in (before, after):
            folder.mkdir()
            bugs.write_workspace(task, folder, faulty=folder == before)
    except FetchFailed as failure:
        pytest.skip(str(failure))
    assert 1 <= count_changes(find_upgrade(task), before, after) <= MOST_LINES
    with ThreadPoolExecutor() as pool:
        seen = pool.submit(bugs.run_tests, before, "-rfE", "--tb=no")
        code, output = pool.submit(bugs.run_tests, after).result()
        assert code == 0, output
        code, output = bugs.run_tests(after, *bugs.write_hidden(task, after))
        assert code == 0, output
        code, output = seen.result()
    assert code == 1, output
    names = {name.replace("::", ".") for name in FAILED.findall(output)}
    assert names == set(find_upgrade(task).failing)


def find_upgrade(task: bugs.Bug) -> Upgrade:
    assert task.upgrade
    return task.upgrade


def count_changes(upgrade: Upgrade, before: Path, after: Path) -> int:
    """Lines that the reference fix takes out or puts in, without empty ones."""
    count = 0
    for path in {entry.partition("::")[0] for entry in upgrade.fix}:
        old, new = ((folder / path).read_text("utf-8").splitlines() for folder in (before, after))
        lines = list(difflib.unified_diff(old, new, n=0, lineterm=""))[2:]
        count += sum(bool(line[1:].strip()) for line in lines if line[0] in "+-")
    return count
