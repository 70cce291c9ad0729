"""Running pytest in a sandbox, with the workspace's own configuration, to a structured report.

The report comes as JSON lines from a plugin in the test process (`codeact_sandbox.pytest_plugin`). That process runs
code that is not trusted and may hang, die, or write what it likes: what is no valid event is passed over, and when the
process dies in a test, the rest is run in a new one.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from codeact.sandboxes.base import Completed, Sandbox
from codeact.settings import Limits
from codeact.trajectory import Frame, Outcome, TestReport, TestResult

MAX_RESTARTS = 10
MAX_LINE = 1 << 20
MAX_TEXT = 8000
OUTPUT_TAIL = 3000
NO_TESTS = 5
USAGE = 4
OPTIONS = ("-p", "codeact_sandbox.pytest_plugin", "-p", "no:cacheprovider", "--maxfail=0")
MISSING = re.compile(r"(?:ModuleNotFoundError: )?No module named '([\w.]+)'")
UNKNOWN_OPTION = re.compile(r"unrecognized arguments?: (.+)")
PLUGINS = {
    "--cov": "pytest-cov",
    "-n": "pytest-xdist",
    "--numprocesses": "pytest-xdist",
    "--asyncio-mode": "pytest-asyncio",
    "--timeout": "pytest-timeout",
    "--benchmark": "pytest-benchmark",
}
NAME_ANOTHER = "or name another interpreter: --python PATH"


@dataclass(frozen=True)
class Selection:
    """Which tests to run: node ids, files or folders, all if there are none; `trace` records what each calls."""

    tests: tuple[str, ...] = ()
    trace: bool = False


async def run_tests(
    sandbox: Sandbox,
    selection: Selection,
    limits: Limits,
    on_result: Callable[[TestResult], None] = lambda _: None,
) -> TestReport:
    """Run tests in the sandbox's view, all to the end, whatever some of them do.

    Args:
        sandbox: where.
        selection: which.
        limits: `test_seconds` for one test, `suite_seconds` for all.
        on_result: called with each result as it comes.

    Raises:
        SandboxDied: the sandbox itself is gone.
    """
    started = time.monotonic()
    collected = _Collected(on_result)
    shown = ("python", "-m", "pytest", *selection.tests)
    deselected: list[str] = []
    done = Completed(exit_code=0, stdout="", stderr="", seconds=0.0)
    for _ in range(MAX_RESTARTS):
        left = limits.suite_seconds - (time.monotonic() - started)
        if left <= 0:
            break
        done = await _run_once(sandbox, selection, deselected, collected, limits, left)
        if collected.ended or done.timed_out or not collected.close_crashed(done):
            break
        deselected = list(collected.results)
    report = TestReport(
        command=shown,
        results=collected.in_order(),
        exit_code=done.exit_code,
        seconds=time.monotonic() - started,
        output=(done.stdout + done.stderr)[-OUTPUT_TAIL:],
    )
    return replace(report, problem=_problem(report, done, collected, sandbox.python, limits))


async def _run_once(
    sandbox: Sandbox,
    selection: Selection,
    deselected: Sequence[str],
    collected: "_Collected",
    limits: Limits,
    seconds: float,
) -> Completed:
    collected.begin()
    program = [sandbox.python, "-B", "-m", "pytest", *OPTIONS, *selection.tests]
    program += [f"--deselect={node_id}" for node_id in deselected]
    environ = {"CODEACT_TEST_TIMEOUT": str(limits.test_seconds), "CODEACT_TRACE": "1" if selection.trace else "0"}
    return await sandbox.spawn(program, timeout=seconds, environ=environ, on_report=collected.feed)


@dataclass
class _Collected:
    """What the plugin has told so far, over one or several processes."""

    on_result: Callable[[TestResult], None]
    results: dict[str, TestResult] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    session: bool = False
    ended: bool = False
    current: str = ""
    rest: bytes = b""

    def begin(self) -> None:
        self.session = self.ended = False
        self.current, self.rest = "", b""

    def feed(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        self.rest = self.rest[-MAX_LINE:]
        for line in lines:
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(event, dict):
                self._take(event)

    def _take(self, event: Mapping[str, Any]) -> None:
        node_id = _text(event, "id")
        match event.get("event"):
            case "session":
                self.session = True
            case "collected":
                ids = event.get("ids")
                known = set(self.ids)
                self.ids += (
                    [name for name in ids if isinstance(name, str) and name not in known]
                    if isinstance(ids, list)
                    else []
                )
            case "start":
                self.current = node_id
            case "broken" if node_id:
                text = _text(event, "text")
                self._add(TestResult(node_id=node_id, outcome=Outcome.ERROR, message=_last_line(text), traceback=text))
            case "result" if node_id and _text(event, "outcome") in set(Outcome):
                self.current = ""
                self._add(_result(event))
            case "end":
                self.ended = True

    def _add(self, result: TestResult) -> None:
        self.results[result.node_id] = result
        self.on_result(result)

    def close_crashed(self, done: Completed) -> bool:
        """Note the test in which the process died. True if there are others left to run."""
        if not self.current and self.results and not done.out_of_memory:
            return len(self.results) < len(self.ids)
        if not self.current:
            return False
        how = "used up the memory" if done.out_of_memory else _death(done.exit_code)
        if self.current not in self.results:
            message = f"the test process {how}"
            text = (done.stderr or done.stdout)[-OUTPUT_TAIL:]
            self._add(TestResult(node_id=self.current, outcome=Outcome.CRASHED, message=message, traceback=text))
        return any(node_id not in self.results for node_id in self.ids)

    def in_order(self) -> tuple[TestResult, ...]:
        order = {node_id: number for number, node_id in enumerate(self.ids)}
        return tuple(sorted(self.results.values(), key=lambda result: order.get(result.node_id, -1)))


def _problem(report: TestReport, done: Completed, collected: _Collected, python: str, limits: Limits) -> str:
    """One sentence on why this is not an ordinary report, and what to do; empty if it is one."""
    said = done.stderr + done.stdout
    if done.out_of_memory:
        return f"The tests used more than the sandbox's {limits.memory_bytes >> 20} MiB (sandbox.limits.memory_bytes)."
    if done.timed_out:
        return f"The tests did not end within {limits.suite_seconds:.0f} s (sandbox.limits.suite_seconds)."
    return _environment_problem(report, said, python, started=collected.session) or _empty_problem(report, done, said)


def _environment_problem(report: TestReport, said: str, python: str, *, started: bool) -> str:
    """What the interpreter lacks."""
    if "No module named pytest" in said and not started:
        return f"{python} has no pytest. Install it there ({python} -m pip install pytest), {NAME_ANOTHER}"
    if unknown := UNKNOWN_OPTION.search(said):
        option = unknown[1].split()[0]
        plugin = next((name for prefix, name in PLUGINS.items() if option.startswith(prefix)), "a plugin")
        return (
            f"The workspace's configuration passes {option} to pytest, but {python} lacks {plugin}. Install it there."
        )
    if missing := missing_packages(report):
        return f"{python} lacks {', '.join(missing)}, which tests import. Install it there, {NAME_ANOTHER}"
    return ""


def _empty_problem(report: TestReport, done: Completed, said: str) -> str:
    """Why there is no result at all."""
    if report.results:
        return ""
    if done.exit_code in (0, NO_TESTS):
        return "pytest found no tests. Name them, or set testpaths in the pytest configuration."
    what = "could not be used as asked" if done.exit_code == USAGE else "could not start"
    return f"pytest {what}: {_last_line(said) or _death(done.exit_code)}"


def missing_packages(report: TestReport) -> tuple[str, ...]:
    """Top-level modules that failing tests could not import and that are not files of the workspace."""
    found: dict[str, None] = {}
    for result in report.failing:
        if "ModuleNotFoundError" in result.traceback or "ModuleNotFoundError" in result.message:
            for name in MISSING.findall(result.traceback + result.message):
                found[name.partition(".")[0]] = None
    own = {
        part.removesuffix(".py") for result in report.results for part in result.node_id.partition("::")[0].split("/")
    }
    return tuple(name for name in found if name not in own)


def _result(event: Mapping[str, Any]) -> TestResult:
    seconds = event.get("seconds")
    return TestResult(
        node_id=_text(event, "id"),
        outcome=Outcome(_text(event, "outcome")),
        seconds=float(seconds) if isinstance(seconds, (int, float)) else 0.0,
        message=_text(event, "message"),
        traceback=_text(event, "text"),
        frames=_frames(event.get("frames")),
        called=_frames(event.get("called")),
    )


def _frames(data: object) -> tuple[Frame, ...]:
    found = []
    for item in data if isinstance(data, list) else []:
        if isinstance(item, dict) and isinstance(item.get("line"), int):
            pairs = item.get("values") if isinstance(item.get("values"), list) else []
            values = tuple(
                (str(pair[0]), str(pair[1])) for pair in pairs or () if isinstance(pair, list) and len(pair) > 1
            )
            found.append(
                Frame(path=_text(item, "path"), line=item["line"], function=_text(item, "function"), values=values)
            )
    return tuple(found)


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    return value[:MAX_TEXT] if isinstance(value, str) else ""


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E ")]
    return (errors or lines or [""])[-1].removeprefix("E ").strip()[:400]


def _death(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
