"""Running pytest in a sandbox, with the workspace's own configuration, to a structured report.

The report comes as JSON lines from a plugin in the test process (`codeact_sandbox.pytest_plugin`). That process runs
code that is not trusted and may hang, die, or write what it likes. When it dies, what was running is blamed, and the
rest is run in a new one.
"""

import hashlib
import json
import re
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from codeact.sandboxes.base import Completed, Sandbox
from codeact.settings import Limits
from codeact.testing.problems import Circumstances, find_problem
from codeact.testing.stream import OnLines, Stream
from codeact.trajectory import TestReport, TestResult

MAX_RESTARTS = 10
CRASHES = tuple(-number for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE))
OUTPUT_TAIL = 3000
DIGEST = 12  # hexadecimal digits that stand for a node id, as in the plugin
VARIABLE = 96_000  # characters in one environment variable; the kernel takes 128 KiB
OPTIONS = ("-p", "codeact_sandbox.pytest_plugin")
BARE_NAME = re.compile(r"\w+(\[.*\])?", re.DOTALL)
FOLDERS = frozenset({"test", "tests"})  # surely folders; the plugin finds out what other names mean


@dataclass(frozen=True)
class Selection:
    """Which tests to run, all if `tests` is empty.

    Attributes:
        tests: node ids, files, folders, or the bare names of tests (`test_total`).
        trace: record which functions and lines of the workspace each test runs.
        deselect: node ids to leave out, with all that begin like them, as pytest does it.
        variables: names and values of environment variables on top of the sandbox's.
    """

    tests: tuple[str, ...] = ()
    trace: bool = False
    deselect: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()


async def run_tests(
    sandbox: Sandbox,
    selection: Selection,
    limits: Limits,
    on_result: Callable[[TestResult], None] = lambda _: None,
    on_lines: OnLines = lambda *_: None,
    *,
    warm: bool = False,
) -> TestReport:
    """Run tests in the sandbox's view, all to the end, whatever some of them do.

    Args:
        sandbox: where.
        selection: which.
        limits: `test_seconds` for one test, `suite_seconds` for all.
        on_result: called with each result as it comes.
        on_lines: called with a test's node id, the path of a file and the lines of it that the test ran, if traced.
        warm: in a fork of a process that has loaded pytest, where that does the same; a proof is never warm.

    Raises:
        SandboxDied: the sandbox itself is gone.
    """
    session = _Session(sandbox, selection, limits, Stream(on_result, on_lines), warm=warm)
    started = time.monotonic()
    done, gave_up = await _run_to_the_end(session, started + limits.suite_seconds)
    conftest = session.stream.conftest
    results = session.stream.in_order() or ((conftest,) if conftest else ())
    seen = Circumstances(
        done=done, stream=session.stream, python=sandbox.python, limits=limits, tests=selection.tests, gave_up=gave_up
    )
    report = TestReport(
        command=("python", "-m", "pytest", *_shown(selection)),
        results=results,
        exit_code=session.stream.status if session.stream.ended else done.exit_code,
        seconds=time.monotonic() - started,
        problem=find_problem(results, seen),
        output=(done.stdout + done.stderr)[-OUTPUT_TAIL:],
    )
    # The last process may have ended well, though one before it did not.
    return report if report.exit_code or not report.failing else replace(report, exit_code=1)


@dataclass
class _Session:
    """What goes from one test process to the next."""

    sandbox: Sandbox
    selection: Selection
    limits: Limits
    stream: Stream
    warm: bool
    broken_files: list[str] = field(default_factory=list)


async def _run_to_the_end(session: _Session, deadline: float) -> tuple[Completed, bool]:
    """Run process after process until all tests have a result. Also tells whether it was given up before."""
    for _ in range(MAX_RESTARTS + 1):
        left = max(deadline - time.monotonic(), 1.0)
        known = len(session.stream.results)
        done = await _run_once(session, left)
        stream = session.stream
        if session.warm and done.exit_code in CRASHES:  # a library may not survive a fork
            session.warm = False
            continue
        blamed = "" if stream.ended else stream.note_death(done, session.limits.test_seconds)
        if done.timed_out:
            return done, False
        if not stream.collected and len(stream.results) > known:
            session.broken_files.append(blamed or stream.collecting)
        elif not stream.unfinished() or len(stream.results) == known:
            return done, False
    return done, bool(session.stream.unfinished()) or not session.stream.collected


async def _run_once(session: _Session, seconds: float) -> Completed:
    session.stream.begin()
    selection = session.selection
    names = selection.tests if any(_is_bare(name) for name in selection.tests) else ()
    paths = () if names else selection.tests
    program = [session.sandbox.python, "-B", "-m", "pytest", *OPTIONS]
    program += [f"--deselect={node_id}" for node_id in selection.deselect]
    program += [f"--ignore={path}" for path in session.broken_files]
    left = [path for path in paths if path.partition("::")[0] not in session.broken_files]
    if paths and not left:
        return Completed(exit_code=1, stdout="", stderr="", seconds=0.0)
    environ = {
        "CODEACT_TEST_TIMEOUT": str(session.limits.test_seconds),
        "CODEACT_TRACE": "1" if selection.trace else "0",
        "CODEACT_SELECT": json.dumps(names),
        **_digests(session.stream.results),
        **dict(selection.variables),
    }
    return await session.sandbox.spawn(
        [*program, *left], timeout=seconds, environ=environ, on_report=session.stream.feed, warm=session.warm
    )


def _is_bare(name: str) -> bool:
    """Whether a name is that of a test, and no path: `test_total`, `TestCart`, `test_total[3]`."""
    return bool(BARE_NAME.fullmatch(name)) and name not in FOLDERS


def _shown(selection: Selection) -> Sequence[str]:
    """The arguments that a developer would type."""
    bare = [name for name in selection.tests if _is_bare(name)]
    if bare:
        return ("-k", " or ".join(name.partition("[")[0] for name in selection.tests))
    return (*selection.tests, *(f"--deselect={node_id}" for node_id in selection.deselect))


def _digests(node_ids: Iterable[str]) -> dict[str, str]:
    """Variables that name the tests which need not run again: exactly, and however many they are."""
    digests = "".join(
        hashlib.sha1(node_id.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()[:DIGEST]
        for node_id in node_ids
    )
    size = VARIABLE - VARIABLE % DIGEST
    return {
        f"CODEACT_DONE_{number}": digests[place : place + size]
        for number, place in enumerate(range(0, len(digests), size))
    }
