"""Product code that makes its tests' report must not lead to a verified proposal, whatever way it takes.

Each program stands at the end of a module that is still broken, hidden from whoever reads it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from workspaces import BROKEN, MENDED, TESTS, make_workspace

from codeact.counterproof import ROUNDS, count_rounds
from codeact.settings import load_settings
from codeact.snapshot import take_snapshot
from codeact.trajectory import FileChange, FileState
from codeact.verify import find_bench, prove, run_suite

# What it finds to lie with: the reporter in the same process, or pytest itself.
LIES = {
    "end at import, with success": "import sys\nsys.exit(0)",
    "end at import, without a word": "import os\nos._exit(0)",
    "end well at the end": "import atexit, os\natexit.register(os._exit, 0)",
    "all reports say passed": (
        "import _pytest.reports as r\nreal = r.TestReport.from_item_and_call.__func__\n"
        "def lie(cls, item, call):\n    report = real(cls, item, call)\n    report.outcome, report.longrepr = 'passed', None\n"
        "    return report\nr.TestReport.from_item_and_call = classmethod(lie)"
    ),
    "no test is called": "import _pytest.python as p\np.Function.runtest = lambda self: None",
    "failures are not seen": (
        "import _pytest.runner as r\nreal = r.CallInfo.from_call.__func__\n"
        "def lie(cls, func, when, reraise=None):\n    info = real(cls, func, when, reraise)\n    info.excinfo = None\n"
        "    info._result = None\n    return info\nr.CallInfo.from_call = classmethod(lie)"
    ),
    "the reporter is found and bent": (
        "import gc\nfor found in gc.get_objects():\n    if type(found).__name__ == 'Reporter':\n"
        "        real = found._tell\n        def lie(event, **fields):\n            if event == 'result':\n"
        "                fields.update(outcome='passed', message='', text='', frames=[])\n"
        "            real(event, **({'status': 0} if event == 'end' else fields))\n        found._tell = lie"
    ),
    "a forged report, then silence": (
        "import json, os, stat\nids = ['test_calc.py::test_add', 'test_calc.py::test_double']\n"
        "events = [{'event': 'session', 'root': os.getcwd()}, {'event': 'collected', 'ids': ids}]\n"
        "events += [{'event': 'result', 'id': name, 'outcome': 'passed', 'seconds': 0.1} for name in ids]\n"
        "events += [{'event': 'end', 'status': 0}]\n"
        "data = b''.join(json.dumps(event).encode() + b'\\n' for event in events)\n"
        "for number in range(3, 64):\n    try:\n        if stat.S_ISFIFO(os.fstat(number).st_mode): os.write(number, data)\n"
        "    except OSError: pass\nos._exit(0)"
    ),
    "tests have another body": (
        "import sys, threading, time\ndef swap():\n    for _ in range(2000):\n"
        "        found = getattr(sys.modules.get('test_calc'), 'test_add', None)\n"
        "        if found: found.__code__ = (lambda: None).__code__; return\n        time.sleep(0.001)\n"
        "threading.Thread(target=swap).start()"
    ),
    "assertions raise nothing": (
        "import builtins, _pytest.python as p\nreal = p.Function.runtest\ndef lie(self):\n    try: real(self)\n"
        "    except BaseException: pass\np.Function.runtest = lie"
    ),
    "a plugin of its own": (
        "import gc, pluggy, pytest\nclass Lie:\n    @pytest.hookimpl(hookwrapper=True, tryfirst=True)\n"
        "    def pytest_pyfunc_call(self):\n        outcome = yield\n        outcome.force_result(True)\n"
        "for found in gc.get_objects():\n    if isinstance(found, pluggy.PluginManager) and type(found).__name__ == 'PytestPluginManager':\n"
        "        found.register(Lie())"
    ),
}


def hide(program: str) -> str:
    """The program as nobody reads it."""
    return f"exec(bytes.fromhex({program.encode().hex()!r}).decode(), {{'__builtins__': __builtins__}})\n"


async def prove_change(folder: Path, backend: str, after: str) -> tuple[bool, tuple[str, ...]]:
    workspace = make_workspace(folder)
    overrides = {
        "state": str(folder.parent / "state"),
        "cache": str(folder.parent / "cache"),
        "sandbox": {"backend": backend, "limits": {"test_seconds": 10, "suite_seconds": 60}},
    }
    settings = load_settings(workspace, overrides, {})
    snapshot = take_snapshot(settings, {})
    bench = await find_bench(settings, "lies")
    before, _ = await run_suite(bench, snapshot)
    change = FileChange("calc.py", FileState(BROKEN.encode()), FileState(after.encode()))
    evidence = await prove(bench, snapshot, [change], before.failing, before)
    return evidence.verified, evidence.reasons


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    return made


@pytest.mark.parametrize("name", LIES)
async def test_lies_are_not_believed(folder: Path, backend: str, name: str) -> None:
    """The proposal is not verified, though no smell gives the program away."""
    verified, reasons = await prove_change(folder, backend, f"{BROKEN}\n\n{hide(LIES[name])}\n")
    assert not verified
    assert reasons
    assert not any("smells" in reason for reason in reasons)


async def test_the_truth_is(folder: Path, backend: str) -> None:
    """The same proof of an honest change holds."""
    assert await prove_change(folder, backend, MENDED) == (True, ())


def test_they_would_work(tmp_path: Path) -> None:
    """Without the proof's doubts these would be believed: pytest itself says that all is well."""
    deceived = []
    for name, program in LIES.items():
        folder = tmp_path / name.replace(" ", "-").replace(",", "")
        folder.mkdir()
        (folder / "calc.py").write_text(f"{BROKEN}\n\n{hide(program)}\n")
        (folder / "test_calc.py").write_text(TESTS)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False, env={**os.environ, "CI": ""})
        deceived += [name] if done.returncode == 0 else []
    assert len(deceived) >= 6, deceived


@pytest.mark.parametrize(
    ("before", "after", "rounds"),
    [
        ("def f(a):\n    return a - 1\n", "def f(a):\n    return a + 1\n", 1),
        ("import os\n", "import os\n\nx = os.sep\n", 1),
        ("x = 1\n", "import sys\nx = 1\n", ROUNDS),
        ("x = 1\n", "x = exec\n", ROUNDS),
        ("x = 1\n", "x = f.__code__\n", ROUNDS),
        ("x = 1\n", "x =\n", ROUNDS),
    ],
)
def test_what_could_lie_by_luck_is_asked_several_times(before: str, after: str, rounds: int) -> None:
    """Only a change that could reach the process that reports costs more than one round."""
    change = FileChange("calc.py", FileState(before.encode()), FileState(after.encode()))
    assert count_rounds([change]) == rounds
    assert count_rounds([FileChange("notes.md", None, FileState(b"x"))]) == 1
    assert count_rounds([FileChange("x.pth", None, FileState(b"import x"))]) == ROUNDS
