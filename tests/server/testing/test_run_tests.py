"""Any test suite comes to a structured report, whatever its tests do to the process that runs them."""

import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent

import pytest
from bare_sandbox import UncontainedSandbox

from codeact.sandboxes import open_sandbox
from codeact.sandboxes.base import Sandbox, SandboxSpec, sandbox_user
from codeact.sandboxes.interpreter import find_interpreter
from codeact.settings import Limits, SandboxSettings, Settings
from codeact.testing import Selection, missing_packages, run_tests
from codeact.trajectory import Outcome, TestReport, TestResult

LIMITS = Limits(test_seconds=0.5, suite_seconds=60)
HANGING = """
    import itertools, os, time

    def test_first(): pass
    def test_loop():
        while True: pass
    def test_swallow():
        while True:
            try: time.sleep(9)
            except BaseException: pass
    def test_in_c(): "a" in itertools.repeat("b")
    def test_exit(): os._exit(0)
    def test_signal(): os.kill(os.getpid(), 9)
    def test_interrupt(): raise KeyboardInterrupt
    def test_last(): pass
"""
Make = Callable[..., UncontainedSandbox]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make_sandbox(python: str = sys.executable, **files: str) -> UncontainedSandbox:
        write(tmp_path / "project", files)
        return UncontainedSandbox(tmp_path / "project", python)

    return make_sandbox


def write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path = path if path.suffix else path.with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))


def outcomes(report: TestReport) -> dict[str, Outcome]:
    return {result.node_id.rpartition("::")[2]: result.outcome for result in report.results}


def only(report: TestReport, name: str) -> TestResult:
    return next(result for result in report.results if result.node_id.endswith(name))


async def test_every_outcome_is_told_with_its_reason(make: Make) -> None:
    """Outcome, message, the workspace's places with values, and the phase that failed."""
    sandbox = make(
        shop="def half(n):\n    rest = n % 2\n    if rest: raise ValueError('odd\\nnumber')\n    return n // 2\n",
        test_shop="""
            import sys, unittest, pytest
            from shop import half

            def test_ok(): assert half(4) == 2
            def test_assert(): assert half(8) == 3
            def test_raise(): half(3)
            def test_leave(): sys.exit(3)
            @pytest.mark.skip(reason="not now")
            def test_skip(): pass
            @pytest.mark.xfail(reason="later")
            def test_xfail(): assert 0
            @pytest.mark.xfail
            def test_xpass(): pass
            @pytest.fixture
            def broken():
                yield 1 // 0
            @pytest.fixture
            def late():
                yield
                raise RuntimeError("cannot close")
            def test_setup(broken): pass
            def test_teardown(late): pass
            def test_unknown(nothing): pass
            @pytest.mark.parametrize("x", ["a::b/c", "é\\n", "[x]", " ", "\\ud800"])
            def test_odd(x): assert x != " "
            class TestGroup:
                def test_inside(self): pass
            class Case(unittest.TestCase):
                def test_equal(self): self.assertEqual(1, 2)
                def test_parts(self):
                    for n in range(3):
                        with self.subTest(n=n): self.assertNotEqual(n, 1)
        """,
    )
    heard: list[TestResult] = []
    report = await run_tests(sandbox, Selection(), LIMITS, heard.append)
    assert {name: outcome.value for name, outcome in outcomes(report).items() if outcome is not Outcome.PASSED} == {
        "test_assert": "failed", "test_raise": "failed", "test_leave": "failed", "test_skip": "skipped",
        "test_xfail": "xfailed", "test_xpass": "xpassed", "test_setup": "error", "test_teardown": "error",
        "test_unknown": "error", "test_odd[ ]": "failed", "test_equal": "failed", "test_parts": "failed",
    }  # fmt: skip
    assert only(report, "test_assert").message == "AssertionError: assert 4 == 3"
    assert only(report, "test_raise").message == "ValueError: odd"
    places = [(frame.path, frame.function, frame.values) for frame in only(report, "test_raise").frames]
    assert places == [("test_shop.py", "test_raise", ()), ("shop.py", "half", (("n", "3"), ("rest", "1")))]
    assert only(report, "test_skip").message == "not now"
    assert only(report, "test_xfail").message == "later"
    assert only(report, "test_setup").message.endswith("(while setting up)")
    assert only(report, "test_teardown").message == "RuntimeError: cannot close (while tearing down)"
    assert only(report, "test_unknown").message.startswith("fixture 'nothing' not found")
    assert only(report, "test_equal").message == "AssertionError: 1 != 2"
    assert heard == list(report.results)
    assert (report.exit_code, report.problem, report.command) == (1, "", ("python", "-m", "pytest"))


async def test_what_hangs_or_dies_does_not_keep_the_rest_from_running(make: Make) -> None:
    """Tests that loop, swallow every exception, never come back from C, or end the process cost only themselves."""
    report = await run_tests(make(test_hang=HANGING), Selection(), LIMITS)
    assert {name: outcome.value for name, outcome in outcomes(report).items()} == {
        "test_first": "passed", "test_loop": "timeout", "test_swallow": "timeout", "test_in_c": "timeout",
        "test_exit": "crashed", "test_signal": "crashed", "test_interrupt": "failed", "test_last": "passed",
    }  # fmt: skip
    for name in ("test_loop", "test_swallow", "test_in_c"):
        assert only(report, name).message == "TimedOut: the test did not end within 0.5 s"
        assert [frame.function for frame in only(report, name).frames] == [name]
    assert report.problem == ""
    assert report.exit_code == 1


async def test_files_that_break_collection_are_results(make: Make) -> None:
    """A file that cannot be imported, leaves, dies or hangs while imported is named, and the others run."""
    sandbox = make(
        test_error="import json.nothing", test_leave="raise SystemExit(4)", test_dies="import os; os._exit(0)",
        test_hangs="while True: pass", test_syntax="def f(:", test_good="def test_a(): pass",
    )  # fmt: skip
    report = await run_tests(sandbox, Selection(), LIMITS)
    assert {result.node_id: result.outcome.value for result in report.results} == {
        "test_error.py": "error", "test_leave.py": "error", "test_dies.py": "crashed", "test_hangs.py": "timeout",
        "test_syntax.py": "error", "test_good.py::test_a": "passed",
    }  # fmt: skip
    assert only(report, "test_error.py").message.startswith("ModuleNotFoundError: No module named 'json.nothing'")
    assert only(report, "test_syntax.py").message.startswith("SyntaxError")
    assert missing_packages(report) == ()


async def test_a_suite_that_dies_again_and_again_is_given_up(make: Make) -> None:
    """The number of processes is bounded, and the report says that tests were not run."""
    tests = "import os\n" + "".join(f"def test_{number}(): os._exit(1)\n" for number in range(15))
    report = await run_tests(make(test_dying=tests), Selection(), LIMITS)
    assert report.count(Outcome.CRASHED) == 11
    assert "so 4 tests were not run" in report.problem


async def test_the_suites_time_is_bounded(make: Make) -> None:
    """When it is over, what ran then is named, and what did not run is counted."""
    sandbox = make(test_slow="import time\ndef test_a(): time.sleep(60)\ndef test_b(): pass\n")
    report = await run_tests(sandbox, Selection(), Limits(test_seconds=50, suite_seconds=2))
    assert outcomes(report) == {"test_a": Outcome.TIMEOUT}
    assert report.problem.startswith("The tests did not end within 2 s (sandbox.limits.suite_seconds). 1 of 2")


async def test_threads_that_tests_leave_do_not_hold_the_report(make: Make) -> None:
    """A process that does not end by itself is ended, and that is no failure."""
    sandbox = make(
        test_thread="import threading, time\ndef test_a(): threading.Thread(target=time.sleep, args=(50,)).start()"
    )
    report = await run_tests(sandbox, Selection(), LIMITS)
    assert (report.exit_code, report.problem, report.seconds < 20) == (0, "", True)


async def test_options_that_hide_results_are_switched_off(make: Make) -> None:
    """Stopping at the first failure, short tracebacks and reports to files; other options stay, and nothing is written."""
    sandbox = make(
        pytest_DOT_ini="[pytest]\naddopts = -x --tb=no --junitxml=out.xml --lf --strict-markers --doctest-modules\n",
        test_a="""
            import sys
            def double(n):
                '''
                >>> double(2)
                5
                '''
                return 2 * n
            def test_one(): assert double(1) == 3
            def test_two(cache, request):
                cache.set("a/b", 1)
                assert request.config.option.strict_markers
                assert "PYTEST_CURRENT_TEST" in __import__("os").environ
        """,
    )  # fmt: skip
    report = await run_tests(sandbox, Selection(), LIMITS)
    assert outcomes(report) == {
        "test_a.double": Outcome.FAILED, "test_one": Outcome.FAILED, "test_two": Outcome.PASSED,
    }  # fmt: skip
    assert "double(2) expected '5', got '4'" in only(report, "test_a.double").message
    assert "E   assert 2 == 3" in only(report, "test_one").traceback
    assert sorted(path.name for path in sandbox.folder.iterdir()) == ["pytest.ini", "test_a.py"]


async def test_a_trace_names_the_functions_that_a_test_calls(make: Make) -> None:
    """In order of first call, of the workspace only, without lambdas and class bodies; other threads count."""
    sandbox = make(
        shop="""
            class Cart:
                def add(self, n): return [one(m) for m in [n]]
            def one(n): return (lambda k: k)(n)
            def two(n): return n
        """,
        test_a="""
            import threading, json
            from shop import Cart, two
            def test_a():
                class Local: pass
                json.dumps([1])
                Cart().add(1); Cart().add(2)
                thread = threading.Thread(target=two, args=(1,)); thread.start(); thread.join()
        """,
    )
    report = await run_tests(sandbox, Selection(trace=True), LIMITS)
    called = [(frame.path, frame.function.rpartition(".")[2]) for frame in report.results[0].called]
    assert called == [("test_a.py", "test_a"), ("shop.py", "add"), ("shop.py", "one"), ("shop.py", "two")]
    assert (await run_tests(sandbox, Selection(), LIMITS)).results[0].called == ()


async def test_a_trace_tells_the_lines_that_each_test_runs(make: Make) -> None:
    """Branches not taken are left out; what a fixture ran for several tests, each of them has run; generators count."""
    sandbox = make(
        shop="""
            def size(n):
                if n > 2:
                    return "big"
                return "small"
            class Store:
                def __init__(self):
                    self.n = 1
            def count():
                for n in range(2):
                    yield n
        """,
        test_a="""
            import pytest, shop
            @pytest.fixture(scope="module")
            def store(): return shop.Store()
            def test_a(store): assert shop.size(3) == "big"
            def test_b(store): assert shop.size(1) == "small"
            def test_c(): assert list(shop.count()) == [0, 1]
        """,
    )
    ran: dict[str, set[int]] = {}

    def note(node_id: str, path: str, lines: frozenset[int]) -> None:
        if path == "shop.py":
            ran[node_id.partition("::")[2]] = set(lines)

    report = await run_tests(sandbox, Selection(trace=True), LIMITS, on_lines=note)
    assert not report.failing
    assert ran == {"test_a": {3, 4, 8}, "test_b": {3, 5, 8}, "test_c": {10, 11}}


@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        (("tests/test_a.py::test_total",), ["test_total"]), (("test_total",), ["test_total"]),
        (("tests",), ["test_total", "test_total_zero", "test_in"]), (("TestCart",), ["test_in"]),
        (("test_total", "tests/test_a.py::TestCart"), ["test_total", "test_in"]),
    ],
)  # fmt: skip
async def test_a_selection_may_be_paths_or_names(make: Make, selected: tuple[str, ...], expected: list[str]) -> None:
    """Node ids, folders and bare names, each exactly: no test that only begins like the one named."""
    sandbox = make(
        tests__test_a="def test_total(): pass\ndef test_total_zero(): pass\nclass TestCart:\n    def test_in(self): pass\n"
    )
    report = await run_tests(sandbox, Selection(tests=selected), LIMITS)
    assert list(outcomes(report)) == expected
    assert report.problem == ""


@pytest.mark.parametrize(
    ("files", "tests", "problem"),
    [
        ({}, (), "pytest found no tests"),
        ({"conftest": "import threading, time\nthreading.Thread(target=time.sleep, args=(9,)).start()"}, (), "pytest found no tests"),
        ({"test_a": "def test_total(): pass"}, ("test_totl",), "There is no test test_totl. Did you mean test_total?"),
        ({"test_a": "def test_a(): pass"}, ("test_a.py::nope",), "There is no test test_a.py::nope."),
        ({"test_a": "def test_a(): pass"}, ("nope.py",), "There is no test nope.py."),
        ({"pytest_DOT_ini": "[pytest]\naddopts = --numprocesses=3"}, (), "but pytest-xdist is not installed in"),
        ({"conftest": "1 / 0", "test_a": ""}, (), "conftest.py cannot be imported, so no test can run: ZeroDivisionError"),
        ({"conftest": "import not_there_at_all", "test_a": ""}, (), "has no package not_there_at_all."),
        ({"test_a": "import not_there_at_all"}, (), "has no package not_there_at_all."),
        ({"conftest": "def pytest_sessionstart(): 1 / 0", "test_a": ""}, (), "pytest itself failed: ZeroDivisionError"),
        ({"test_a": "import os\ndef test_a():\n    for n in sorted(map(int, os.listdir('/proc/self/fd'))):\n        try: os.write(n, b'{}\\n')\n        except OSError: pass"},
         (), "the test report are broken"),
    ],
)  # fmt: skip
async def test_a_problem_is_told_in_plain_words(
    make: Make, files: dict[str, str], tests: tuple[str, ...], problem: str
) -> None:
    """What is out of the ordinary comes as one sentence that says what to do."""
    report = await run_tests(make(**files), Selection(tests=tests), LIMITS)
    assert problem in report.problem


async def test_missing_packages_are_named_where_tests_import_them(make: Make) -> None:
    """A package is missing, a module of the workspace or a slip is not; other tests make it no problem of the whole."""
    sandbox = make(
        shop__cart="", shop____init__="",
        test_a="""
            def test_ok(): pass
            def test_package(): import not_there_at_all.part
            def test_wrapped():
                try: import also_not_there
                except ImportError as error: raise RuntimeError("please install it") from error
            def test_own(): import shop.crat
            def test_slip(): import shp
            def test_standard(): import jsn
        """,
    )  # fmt: skip
    report = await run_tests(sandbox, Selection(), LIMITS)
    assert missing_packages(report) == ("not_there_at_all", "also_not_there")
    assert f"is not installed in {sys.executable}" in only(report, "test_package").message
    assert report.problem == ""


async def test_an_interpreter_without_pytest_is_named(tmp_path: Path) -> None:
    """The problem says which interpreter lacks pytest, and how to install it or choose another."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    python.chmod(0o755)
    write(tmp_path / "project", {"test_a": ""})
    report = await run_tests(UncontainedSandbox(tmp_path / "project", str(python)), Selection(), LIMITS)
    assert report.problem.startswith(f"{python} has no pytest. Install it there ({python} -m pip install pytest)")


@asynccontextmanager
async def contained(folder: Path, limits: Limits) -> AsyncIterator[Sandbox]:
    snapshot, workspace = folder / "project", folder / "workspace"
    for path in (snapshot, *snapshot.rglob("*")):
        shutil.chown(path, *sandbox_user())
    settings = Settings(workspace=workspace, sandbox=SandboxSettings(python=sys.executable, limits=limits))
    spec = SandboxSpec(
        run="testing", snapshot=snapshot, workspace=workspace, interpreter=find_interpreter(settings), limits=limits,
        state=folder / "state",
    )  # fmt: skip
    async with open_sandbox(spec, "bubblewrap") as sandbox:
        yield sandbox


@pytest.mark.bubblewrap
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
async def test_the_same_holds_in_a_real_sandbox(tmp_path: Path) -> None:
    """Timeouts, crashes and memory run out, seen through walls, and the view is left as it was."""
    hungry = "def test_hungry():\n    data = [bytearray(1 << 20) for _ in range(4000)]\ndef test_after(): pass\n"
    write(tmp_path / "project", {"test_hang": HANGING, "test_memory": hungry})
    limits = Limits(test_seconds=5, suite_seconds=120, memory_bytes=256 << 20)
    async with contained(tmp_path, limits) as sandbox:
        report = await run_tests(sandbox, Selection(tests=("test_memory.py", "test_exit", "test_last")), limits)
        found = outcomes(report)
        assert found.pop("test_hungry") in (Outcome.CRASHED, Outcome.FAILED)
        assert found == {"test_exit": Outcome.CRASHED, "test_last": Outcome.PASSED, "test_after": Outcome.PASSED}
        assert (await sandbox.changes()).files == {}
