"""Reports a pytest run as JSON lines, one for each event, to the descriptor in CODEACT_REPORT_FD; else it is silent.

It changes two things about how tests run. A test, or the import of a test file, that takes longer than
CODEACT_TEST_TIMEOUT seconds is ended (`clock`). And options of the workspace's configuration that would hide results
are switched off (`settle`). PYTEST_DONT_REWRITE: there are no assert statements here, and rewriting takes time.

Other variables: CODEACT_TRACE=1 records what each test runs of the workspace; CODEACT_SELECT, a JSON list, keeps only
the tests that its names mean; CODEACT_DONE_0, CODEACT_DONE_1, ... leave out the tests whose digests they hold.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import sys
from typing import Any, Iterator

import pytest

from codeact_sandbox.clock import Clock, TimedOut
from codeact_sandbox.places import MAX_MESSAGE, Places, explain, shorten, whole_id
from codeact_sandbox.tracing import Trace, shared

CHUNK = 500  # node ids in one line
MAX_FILES = 200  # of which lines are told, for one test
MAX_LINES = 10_000  # of one file
DIGEST = 12  # hexadecimal digits that stand for a node id
SUBTESTS = ("SubTestReport", "SubtestReport")

# What would hide results: stopping early, running only some, asking somebody at a terminal, running in other processes.
# The rest writes files into the workspace, or costs time without a use here.
SETTLED: dict[str, Any] = {
    "maxfail": 0, "stepwise": False, "stepwise_skip": False, "lf": False, "failedfirst": False, "newfirst": False,
    "continue_on_collection_errors": True, "collectonly": False, "usepdb": False, "trace": False,
    "numprocesses": 0, "dist": "no", "tx": [], "looponfail": False, "distload": False,
    "no_cov": True, "no_header": True, "xmlpath": None, "htmlpath": None,
}  # fmt: skip


def before_all(config: pytest.Config) -> None:
    """Nothing. A template (`templates`) waits here, with all that comes before done once for many runs."""


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """The first hook there is: begin to report, if there is somebody to report to."""
    before_all(early_config)
    number = os.environ.pop("CODEACT_REPORT_FD", "")
    if not number:
        yield
        return
    reporter = Reporter(int(number), early_config)
    early_config.pluginmanager.register(reporter, "codeact-reporter")
    settle(early_config.known_args_namespace)  # where pytest-cov, which starts early, looks
    reporter.clock.wind()
    with reporter.clock:
        outcome: Any = yield
    reporter.clock.stop()
    if outcome.excinfo is not None:
        reporter.report_conftest(outcome.excinfo[1])


def settle(options: Any) -> None:  # noqa: ANN401 - argparse's namespace
    """Switch off what hides results. Only options that exist, so no plugin has to be there."""
    for name, value in SETTLED.items():
        if hasattr(options, name):
            setattr(options, name, value)
    if getattr(options, "tbstyle", "") in ("no", "line"):
        options.tbstyle = "auto"


def digest(node_id: str) -> str:
    """A short stand-in for a node id."""
    return hashlib.sha1(node_id.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST]  # noqa: S324 - no secret


def means(name: str, node_id: str) -> bool:
    """Whether a name (node id, file, folder, or the bare name of a test) means a test."""
    name = _without(name, "./").rstrip("/")
    inside = node_id.startswith((name + "::", name + "/", name + "["))
    parts = node_id.partition("[")[0].split("::")[1:]
    return node_id == name or inside or name in parts or node_id.endswith("::" + name)


class Reporter:
    """Hooks of one test session."""

    def __init__(self, descriptor: int, config: pytest.Config) -> None:
        self.descriptor = descriptor
        self.process = os.getpid()
        self.config = config
        self.root = os.getcwd()
        self.places = Places(self.root)
        self.clock = Clock(float(os.environ.get("CODEACT_TEST_TIMEOUT", "0")), descriptor)
        self.trace = Trace(self.places.inside) if os.environ.get("CODEACT_TRACE") == "1" else None
        self.tracing: Any = self.trace or contextlib.nullcontext()
        self.ran: dict[int, dict[str, set[int]]] = {}
        self.parts: dict[str, Any] = {}
        self.details: dict[str, Any] = {}
        self.is_cut = False
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - positional only
        os.register_at_fork(after_in_child=self._close)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> Iterator[None]:
        """All options are known, and no plugin has acted on them."""
        settle(config.option)
        yield

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Say who runs, and keep pytest's cache, which tests may use, out of the workspace."""
        cache: Any = getattr(config, "cache", None)
        if hasattr(cache, "_cachedir"):  # an option would be unknown to a workspace that switches the plugin off
            cache._cachedir = type(cache._cachedir)("/tmp/pytest-cache")  # noqa: SLF001
        file = getattr(config, "inipath", None) or ""
        self._tell("session", pytest=pytest.__version__, root=self.root, config=str(file))

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        """Importing a test file takes a test's time at most."""
        if not isinstance(collector, pytest.File):
            yield
            return
        self._tell("collecting", id=self._id(collector))
        self.clock.wind()
        with self.clock:
            outcome: Any = yield
        if outcome.excinfo is not None:  # SystemExit, which ends the session: the host goes on without this file
            self.is_cut = True
            self._tell("broken", id=self._id(collector), text="", **self._describe(outcome.excinfo[1]))
            return
        error = getattr(getattr(outcome.get_result(), "call", None), "excinfo", None)
        self.details = self._describe(_cause(error.value)) if error is not None else {}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that could not be collected."""
        if report.failed:
            details, self.details = self.details, {}
            self._tell("broken", id=self._id(report), text=shorten(str(report.longrepr)), **details)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
        """Leave out what was not asked for, or was run before the last process died."""
        yield
        names = json.loads(os.environ.get("CODEACT_SELECT") or "[]")
        done: set[str] = set()
        for name, value in os.environ.items():
            if name.startswith("CODEACT_DONE_"):
                done.update(value[place : place + DIGEST] for place in range(0, len(value), DIGEST))
        ids = [self._id(item) for item in items]
        missing = [name for name in names if not any(means(name, node_id) for node_id in ids)]
        if missing:
            self._tell("missing", names=missing, near=_near(missing, ids))
        keep: list[pytest.Item] = []
        drop: list[pytest.Item] = []
        for item, node_id in zip(items, ids):  # noqa: B905 - Python 3.8 has no strict
            wanted = not names or any(means(name, node_id) for name in names)
            (keep if wanted and digest(node_id) not in done else drop).append(item)
        if drop:
            items[:] = keep
            config.hook.pytest_deselected(items=drop)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """All tests that will run, in order."""
        self.clock.stop()
        ids = [self._id(item) for item in session.items]
        if self.is_cut:
            return
        for place in range(0, max(len(ids), 1), CHUNK):
            self._tell("collected", ids=ids[place : place + CHUNK])

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Around one test: its clock, and its result at the end."""
        self.parts = {"outcome": "passed", "seconds": 0.0, "message": "", "text": "", "frames": [], "phase": ""}
        if self.trace is not None:
            self.trace.begin()
        self._tell("start", id=self._id(item))
        self.clock.wind()
        outcome: Any = yield
        if outcome.excinfo is not None and self.parts["outcome"] == "passed":  # it ends the whole session
            self.parts.update(self._describe(outcome.excinfo[1]), outcome="failed", phase="call")
        called = self._tell_lines(item, self.trace) if self.trace else []
        self._tell("result", id=self._id(item), called=called, **self.parts)

    def _tell_lines(self, item: pytest.Item, trace: Trace) -> list[dict[str, Any]]:
        """Tell which lines a test ran, with those of the fixtures that it shares; the functions that it called."""
        for lines in shared(item, self.ran):
            trace.add(lines)
        for path, numbers in list(trace.lines.items())[:MAX_FILES]:
            self._tell("lines", id=self._id(item), path=path, lines=sorted(numbers)[:MAX_LINES])
        return trace.called

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
        """What a fixture of several tests runs, each of them has run."""
        if self.trace is None or fixturedef.scope == "function":
            yield
            return
        before = self.trace.divert()
        yield
        self.ran[id(fixturedef)] = self.trace.divert()
        self.trace.add(before)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        """The first phase of a test."""
        with self.clock, self.tracing:
            yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        """The test itself."""
        with self.clock, self.tracing:
            yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Iterator[None]:
        """The last phase of a test."""
        with self.clock, self.tracing:
            yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Iterator[None]:
        """One phase of a test is over: keep what only its exception tells."""
        yield
        self.details = self._describe(call.excinfo.value) if call.excinfo is not None else {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The report of one phase, as it counts: plugins may have changed it, or say that the test is run again."""
        details, self.details = self.details, {}
        parts = self.parts
        parts["seconds"] += report.duration
        outcome: str = report.outcome
        if outcome == "rerun":  # by pytest-rerunfailures
            parts.update(outcome="passed", message="", text="", frames=[], phase="")
        elif report.failed and parts["outcome"] not in ("failed", "error", "timeout"):
            text = str(report.longrepr)
            parts.update(outcome="failed" if report.when == "call" else "error", message=_headline(text, report))
            parts.update(details, text=shorten(text), phase=report.when)
        elif type(report).__name__ not in SUBTESTS and parts["outcome"] == "passed":
            self._note_success(report)

    def _note_success(self, report: pytest.TestReport) -> None:
        expected = getattr(report, "wasxfail", None)
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr or "")
            text = _without(reason, "Skipped: ") if expected is None else _without(expected, "reason: ")
            self.parts.update(outcome="skipped" if expected is None else "xfailed", message=text[:MAX_MESSAGE])
        elif report.when == "call" and expected is not None:
            self.parts["outcome"] = "xpassed"

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """The session is over."""
        self._tell("end", status=int(exitstatus))
        self.clock.leave()

    def _id(self, node: Any) -> str:  # noqa: ANN401 - an item, a collector, or a report of one
        return whole_id(self.config, node.nodeid, self.root)

    def report_conftest(self, error: BaseException) -> None:
        """A conftest file at the root of the tests could not be imported."""
        cause = getattr(error, "cause", None) or getattr(error, "excinfo", (None, None))[1] or error
        path = str(getattr(error, "path", "")) or "conftest.py"
        self._tell("conftest", id=os.path.relpath(path, self.root), text="", **self._describe(cause))

    def _describe(self, error: BaseException) -> dict[str, Any]:
        found: dict[str, Any] = {"message": explain(error) + _missing(error, self.root)}
        if hasattr(error, "errorstring") or type(error).__name__ == "FixtureLookupError":
            found.pop("message")  # pytest's own report says it in words
        found["frames"] = self.places.frames(error)
        if isinstance(error, TimedOut):
            found["outcome"] = "timeout"
        return found

    def _close(self) -> None:
        """In a child of a test: the report is none of its business."""
        with contextlib.suppress(OSError):
            os.close(self.descriptor)

    def _tell(self, event: str, **fields: Any) -> None:  # noqa: ANN401 - JSON
        if os.getpid() != self.process:
            return
        data = json.dumps({"event": event, **fields}).encode("ascii") + b"\n"
        try:
            while data:
                data = data[os.write(self.descriptor, data) :]
        except OSError:  # a test has closed the descriptor: nobody hears any more, but tests still run
            self.process = -1


def _near(names: list[str], ids: list[str]) -> list[str]:
    """The names of tests that are like names which no test has."""
    import difflib

    bare = {node_id.rpartition("::")[2].partition("[")[0] for node_id in ids}
    return [match for name in names[:20] for match in difflib.get_close_matches(name, bare, n=2)]


def _cause(error: BaseException) -> BaseException:
    """What went wrong in a file, rather than that it could not be collected."""
    return error.__cause__ or error if type(error).__name__ == "CollectError" else error


def _without(text: str, prefix: str) -> str:
    """`str.removeprefix`, which Python 3.8 has not."""
    return text[len(prefix) :] if text[: len(prefix)] == prefix else text


def _headline(text: str, report: pytest.TestReport) -> str:
    """A failure without an exception of its own in one line."""
    lines = [line for line in text.splitlines() if line.strip()]
    said = [line[2:].strip() for line in lines if line.startswith("E ")]
    crash = getattr(getattr(report.longrepr, "reprcrash", None), "message", "")
    candidates: list[str] = [*said[:1], *crash.splitlines()[:1], *lines[-1:], "failed"]
    return candidates[0][:MAX_MESSAGE]


def _missing(error: BaseException | None, root: str) -> str:
    """A note on a package that is not installed; empty if that is not what is wrong.

    A module of the workspace that cannot be found is an ordinary failure, and so is a slip in a known name.
    """
    seen: list[BaseException] = []
    while error is not None and not isinstance(error, ModuleNotFoundError) and error not in seen:
        seen.append(error)
        error = error.__cause__ or error.__context__
    name = str(getattr(error, "name", "") or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or not name.isidentifier() or _is_known(name, root):
        return ""
    return f" (package {name} is not installed in {sys.executable})"


def _is_known(name: str, root: str) -> bool:
    import difflib

    try:
        if importlib.util.find_spec(name) is not None:
            return True
    except (ImportError, ValueError, AttributeError):
        pass
    own: set[str] = set()
    folders = [root, os.path.join(root, "src"), os.path.join(root, "lib")]
    for folder in {*folders, *(path for path in sys.path if path.startswith(root))}:
        try:
            own.update(entry.name.partition(".")[0] for entry in os.scandir(folder) if _is_module(entry))
        except OSError:
            continue
    names = own | set(getattr(sys, "stdlib_module_names", sys.builtin_module_names))
    return name in own or bool(difflib.get_close_matches(name, names, n=1, cutoff=0.8))


def _is_module(entry: os.DirEntry[str]) -> bool:
    return entry.name.endswith(".py") or (entry.is_dir() and entry.name.isidentifier())
