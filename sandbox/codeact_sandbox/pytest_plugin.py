"""Reports a pytest run as JSON lines, one for each event, to the descriptor in CODEACT_REPORT_FD; else it is silent.

It changes nothing about how tests run, but for one thing: a test that takes longer than CODEACT_TEST_TIMEOUT seconds
is ended. First by an exception in the main thread, which no `except Exception` catches; if that does not help, since
the thread is in C code or swallows it, the process ends, and the host goes on with the other tests in a new one.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from typing import Any, Iterator

import pytest

MAX_TEXT = 6000
MAX_MESSAGE = 400
MAX_VALUE = 80
MAX_VALUES = 8
MAX_FRAMES = 20
MAX_CALLED = 60
GRACE = 2.0  # seconds that a test has to end after it was told to


class TimedOut(BaseException):
    """A test took too long."""


def pytest_configure(config: pytest.Config) -> None:
    """Begin to report, if there is somebody to report to."""
    number = os.environ.pop("CODEACT_REPORT_FD", "")
    if not number:
        return
    os.set_inheritable(int(number), False)  # noqa: FBT003 - positional only
    seconds = float(os.environ.get("CODEACT_TEST_TIMEOUT", "0"))
    trace = os.environ.get("CODEACT_TRACE") == "1"
    config.pluginmanager.register(Reporter(int(number), config, seconds, trace=trace), "codeact-reporter")


class Reporter:
    """Hooks of one test session."""

    def __init__(self, descriptor: int, config: pytest.Config, seconds: float, *, trace: bool) -> None:
        self.descriptor = descriptor
        self.root = os.getcwd()
        self.seconds = seconds
        self.trace = trace
        self.current = ""
        self.parts: dict[str, Any] = {}
        self.called: list[dict[str, Any]] = []
        self.watch: threading.Timer | None = None
        self._tell("session", pytest=pytest.__version__, root=str(config.rootpath))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that could not be collected."""
        if report.failed:
            self._tell("broken", id=report.nodeid, text=_shorten(str(report.longrepr)))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """All tests that will run, in order."""
        self._tell("collected", ids=[item.nodeid for item in session.items])

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Around one test: its clock, and its result at the end."""
        self.current = item.nodeid
        self.parts = {"outcome": "passed", "seconds": 0.0, "message": "", "text": "", "frames": []}
        self.called = []
        self._tell("start", id=item.nodeid)
        old = self._start_clock()
        yield
        self._stop_clock(old)
        self._tell("result", id=item.nodeid, called=self.called, **self.parts)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:  # noqa: ARG002 - pytest's signature
        """Around the test itself: trace what it calls."""
        if not self.trace:
            yield
            return
        before = sys.getprofile()
        seen: set[tuple[str, int]] = set()

        def watch(frame: Any, event: str, _: Any) -> None:  # noqa: ANN401 - the interpreter's signature
            if event == "call":
                self._note_call(frame.f_code, seen)

        threading.setprofile(watch)
        sys.setprofile(watch)
        try:
            yield
        finally:
            sys.setprofile(before)
            threading.setprofile(None)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:  # noqa: ARG002
        """One phase of a test is over."""
        outcome: Any = yield
        report: pytest.TestReport = outcome.get_result()
        self.parts["seconds"] += report.duration
        expected = hasattr(report, "wasxfail")
        if report.failed:
            self._failed(report, call)
        elif report.skipped and self.parts["outcome"] == "passed":
            self.parts["outcome"] = "xfailed" if expected else "skipped"
            self.parts["message"] = _shorten(str(getattr(report, "wasxfail", report.longrepr)), MAX_MESSAGE)
        elif report.when == "call" and expected:
            self.parts["outcome"] = "xpassed"

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """The session is over."""
        self._tell("end", status=int(exitstatus))

    def _failed(self, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
        error = call.excinfo
        late = error is not None and isinstance(error.value, TimedOut)
        self.parts["outcome"] = "timeout" if late else "failed" if report.when == "call" else "error"
        self.parts["text"] = _shorten(str(report.longrepr))
        if error is not None:
            self.parts["message"] = _one_line(error.value)
            self.parts["frames"] = self._frames(error.value)

    def _frames(self, error: BaseException) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for frame, line in traceback.walk_tb(error.__traceback__):
            path = self._inside(frame.f_code.co_filename)
            if path:
                values = [] if len(found) == 0 else _values(frame.f_locals)
                found.append({"path": path, "line": line, "function": frame.f_code.co_name, "values": values})
        return found[-MAX_FRAMES:]

    def _note_call(self, code: Any, seen: set[tuple[str, int]]) -> None:  # noqa: ANN401 - a code object
        key = (code.co_filename, code.co_firstlineno)
        if key in seen or len(self.called) >= MAX_CALLED:
            return
        seen.add(key)
        path = self._inside(code.co_filename)
        if path and code.co_name != "<module>":
            name = getattr(code, "co_qualname", code.co_name)
            self.called.append({"path": path, "line": code.co_firstlineno, "function": name, "values": []})

    def _inside(self, file: str) -> str:
        """The path in the workspace, or nothing; virtual environments in it are not the workspace's code."""
        full = os.path.join(self.root, file)
        if not full.startswith(self.root + os.sep) or "site-packages" in full or full.startswith("<"):
            return ""
        path = os.path.relpath(full, self.root)
        return path if os.path.exists(full) else ""

    def _start_clock(self) -> Any:  # noqa: ANN401 - whatever handler there was
        if not self.seconds or threading.current_thread() is not threading.main_thread():
            return None
        self.watch = threading.Timer(self.seconds + GRACE, self._give_up)
        self.watch.daemon = True
        self.watch.start()
        old = signal.signal(signal.SIGALRM, self._too_late)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        return old

    def _stop_clock(self, old: Any) -> None:  # noqa: ANN401
        if self.watch is not None:
            self.watch.cancel()
            self.watch = None
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old if old is not None else signal.SIG_DFL)

    def _too_late(self, _: int, __: Any) -> None:  # noqa: ANN401 - the interpreter's signature
        raise TimedOut(f"the test did not end within {self.seconds:g} s")

    def _give_up(self) -> None:
        """In a thread of its own: the test did not react. Tell where it is, and end the process."""
        frame = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 - its documented use
        text = "".join(traceback.format_stack(frame)) if frame else ""
        self._tell(
            "result", id=self.current, outcome="timeout", seconds=self.seconds + GRACE, text=_shorten(text), frames=[],
            message=f"the test did not end within {self.seconds:g} s, nor when it was told to", called=self.called,
        )  # fmt: skip
        os._exit(70)

    def _tell(self, event: str, **fields: Any) -> None:  # noqa: ANN401 - JSON
        data = json.dumps({"event": event, **fields}).encode("ascii") + b"\n"
        while data:
            data = data[os.write(self.descriptor, data) :]


def _values(names: dict[str, Any]) -> list[list[str]]:
    found: list[list[str]] = []
    for name, value in list(names.items()):
        if not name.startswith(("__", "@")) and len(found) < MAX_VALUES:
            try:
                text = repr(value)
            except Exception as error:  # noqa: BLE001 - a broken __repr__ is a value too
                text = f"<no repr: {type(error).__name__}>"
            found.append([name, text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "..."])
    return found


def _one_line(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a broken __str__
        text = "(its message cannot be shown)"
    lines = text.strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:MAX_MESSAGE].rstrip(": ")


def _shorten(text: str, most: int = MAX_TEXT) -> str:
    return text if len(text) <= most else f"{text[: most // 2]}\n[...]\n{text[-most // 2 :]}"
