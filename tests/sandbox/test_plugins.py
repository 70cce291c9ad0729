"""Plugins are looked through once, and pytest finds the fixtures that it would find without that."""

import subprocess
import sys
from pathlib import Path

PLUGIN = '''
import functools
import pytest

class Nothing:
    """What raises whatever is asked of it."""
    def __getattribute__(self, name):
        raise RuntimeError(name)

odd = Nothing()
plain = 1

@pytest.fixture
def one():
    return 1

@pytest.fixture(name="renamed")
def two():
    return 2

@functools.lru_cache
def no_fixture():
    return 3
'''
TEST = "def test_all(one, renamed, tmp_path, request):\n    assert (one, renamed) == (1, 2)\n"
LATE = TEST + "\ndef test_late(late):\n    assert late == 4\n"
RUN = """
import sys, pytest
import shop_plugin
from codeact_sandbox import plugins

searched = []
from _pytest.fixtures import FixtureManager
original = FixtureManager.parsefactories
def listen(self, *args, **named):
    searched.append(named.get("holder", args[0] if args else None))
    original(self, *args, **named)
FixtureManager.parsefactories = listen
plugins.remember([shop_plugin])
if "late" in sys.argv:
    shop_plugin.late = pytest.fixture(lambda: 4, name="late")
status = pytest.main(["-q", "-p", "shop_plugin", "-p", "no:cacheprovider", "test_it.py"])
found = next(one for one in searched if getattr(one, "__name__", "") == "shop_plugin")
print("whole" if found is shop_plugin else sorted(name for name in vars(found) if not name.startswith("_")))
sys.exit(status)
"""


def run(folder: Path, test: str, *arguments: str) -> str:
    (folder / "shop_plugin.py").write_text(PLUGIN)
    (folder / "test_it.py").write_text(test)
    command = [sys.executable, "-W", "ignore", "-c", RUN, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


def test_only_what_may_be_a_fixture_is_searched(tmp_path: Path) -> None:
    """Fixtures under either name, what wraps something, and what cannot be looked at; nothing else."""
    assert run(tmp_path, TEST) == "['no_fixture', 'odd', 'one', 'two']"


def test_a_plugin_that_has_got_more_names_is_searched_whole(tmp_path: Path) -> None:
    """A fixture that a plugin adds when it is configured is found."""
    assert run(tmp_path, LATE, "late") == "whole"
