"""What the plugin in the test process tells, read as hostile input.

Code under test runs in that process and may write what it likes, so every line is bounded, typed and weighed: a result
counts only for a test that was collected, and no later line makes a failing test pass. What is no proper event is
passed over and counted.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from codeact.sandboxes.base import Completed
from codeact.trajectory import FAILING, Frame, Outcome, TestResult

MAX_LINE = 1 << 20
MAX_TEXT = 8192
MAX_SHORT = 500
MAX_NODE_ID = 4096
MAX_TESTS = 200_000
MAX_FRAMES = 60
MAX_VALUES = 8
MAX_HITS = 3_000_000  # lines run by tests, in all
OUTCOMES = frozenset(Outcome)
PHASES = {"setup": " (while setting up)", "teardown": " (while tearing down)"}
STACK = re.compile(r'^  File "(?P<file>[^"\n]+)", line (?P<line>\d{1,9}) in (?P<function>.+)$')

OnLines = Callable[[str, str, frozenset[int]], None]


@dataclass
class Stream:
    """The story so far, over one or several processes. Feed it bytes as they come."""

    on_result: Callable[[TestResult], None]
    on_lines: OnLines = lambda *_: None
    results: dict[str, TestResult] = field(default_factory=dict)
    ids: dict[str, None] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    conftest: TestResult | None = None
    root: str = ""
    started: bool = False
    collected: bool = False
    ended: bool = False
    status: int = 0
    current: str = ""
    collecting: str = ""
    broken_lines: int = 0
    hits: int = 0
    stack: list[str] = field(default_factory=list)
    _rest: bytes = b""

    def begin(self) -> None:
        """A new process is about to start."""
        self.started = self.collected = self.ended = False
        self.status = 0
        self.current = self.collecting = ""
        self.stack, self._rest = [], b""

    def feed(self, data: bytes) -> None:
        """Take the next piece of the report."""
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take_line(line)
        self._rest = rest if len(rest) <= MAX_LINE else rest[:MAX_LINE] + b"!"  # an endless line stays broken

    def unfinished(self) -> tuple[str, ...]:
        """Collected tests without a result."""
        return tuple(node_id for node_id in self.ids if node_id not in self.results)

    def note_death(self, done: Completed, seconds: float) -> str:
        """Blame what was running when the process ended: a test, or the import of a file.

        Args:
            done: how it ended.
            seconds: a test's time.

        Returns:
            The node id of what is to blame; empty if nothing is.
        """
        name = self.current or ("" if self.collected else self.collecting)
        if not name:
            return ""
        late = done.timed_out or any(line.startswith("Timeout (") for line in self.stack)
        what = "the test" if "::" in name else "the file"
        message = f"the test process {how_it_died(done)}"
        if done.timed_out:
            message = f"TimedOut: {what} was running when the time for all tests was over"
        elif late:
            message = f"TimedOut: {what} did not end within {seconds:g} s"
        outcome = Outcome.TIMEOUT if late else Outcome.CRASHED
        stack = self.stack or done.stderr.splitlines()[-200:]  # pytest lets faulthandler write there at a crash
        text = "\n".join(self.stack)[:MAX_TEXT] or (done.stderr or done.stdout)[-MAX_TEXT // 2 :]
        self._add(TestResult(
            node_id=name, outcome=outcome, message=message, traceback=text, frames=tuple(self._stack_frames(stack)),
            seconds=seconds if late else 0.0,
        ))  # fmt: skip
        return name

    def in_order(self) -> tuple[TestResult, ...]:
        """All results: what could not be collected first, then the tests as pytest ordered them."""
        order = {node_id: number for number, node_id in enumerate(self.ids)}
        return tuple(sorted(self.results.values(), key=lambda result: order.get(result.node_id, -1)))

    def _take_line(self, line: bytes) -> None:
        if not line.startswith(b"{"):
            self._take_stack(line)
            return
        try:
            event = json.loads(line) if len(line) <= MAX_LINE else None
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict) or not self._take(event):
            self.broken_lines += 1

    def _take_stack(self, line: bytes) -> None:
        """A line of what `faulthandler` writes when it ends the process."""
        text = line[:MAX_SHORT].decode("utf-8", "replace")
        if text.startswith(("Timeout (", "Thread 0x", "Current thread 0x", "  File ", "  <", "  ...")):
            self.stack = [*self.stack[-200:], text]
        elif text.strip():
            self.broken_lines += 1

    def _take(self, event: Mapping[str, Any]) -> bool:  # noqa: C901 - one case for each kind of event
        """Take one event; false if it is none."""
        node_id = _text(event, "id", MAX_NODE_ID)
        match event.get("event"):
            case "session":
                self.started, self.root = True, _text(event, "root", MAX_NODE_ID)
            case "collecting" if node_id:
                self.collecting = node_id
            case "collected":
                return self._take_ids(event.get("ids"))
            case "missing":
                self.missing = tuple(_strings(event.get("names"), MAX_SHORT))[:100]
                self.near = tuple(_strings(event.get("near"), MAX_SHORT))[:5]
            case "conftest" if node_id:
                self.conftest = _result(event, node_id, Outcome.ERROR)
            case "broken" if node_id or event.get("text"):
                outcome = Outcome.TIMEOUT if event.get("outcome") == "timeout" else Outcome.ERROR
                self._add(_result(event, node_id or ".", outcome))
            case "start" if node_id in self.ids:
                self.current = node_id
            case "result" if node_id in self.ids and _text(event, "outcome", MAX_SHORT) in OUTCOMES:
                self.current = ""
                self._add(_result(event, node_id, Outcome(event["outcome"])))
            case "lines" if node_id in self.ids:
                return self._take_lines(node_id, _text(event, "path", MAX_NODE_ID), event.get("lines"))
            case "end":
                status = event.get("status")
                self.ended, self.status = True, status if isinstance(status, int) else 0
            case _:
                return False
        return True

    def _take_ids(self, ids: object) -> bool:
        if not isinstance(ids, list) or len(self.ids) + len(ids) > MAX_TESTS:
            return False
        self.collected = True
        self.ids.update(dict.fromkeys(_strings(ids, MAX_NODE_ID)))
        return True

    def _take_lines(self, node_id: str, path: str, lines: object) -> bool:
        """The lines of one file that a test ran."""
        if not _is_inside(path) or not isinstance(lines, list) or self.hits + len(lines) > MAX_HITS:
            return False
        self.hits += len(lines)
        self.on_lines(node_id, path, frozenset(line for line in lines if type(line) is int))
        return True

    def _add(self, result: TestResult) -> None:
        known = self.results.get(result.node_id)
        if known and (known.outcome in FAILING or result.outcome not in FAILING):
            return
        self.results[result.node_id] = result
        self.on_result(result)

    def _stack_frames(self, stack: list[str]) -> Iterator[Frame]:
        """The workspace's places in the main thread's stack, which comes last and innermost first; outermost first."""
        threads = [number for number, line in enumerate(stack) if "hread 0x" in line]
        prefix = self.root.rstrip("/") + "/"
        for line in reversed(stack[threads[-1] :] if threads else []):
            found = STACK.match(line)
            if found and self.root and found["file"].startswith(prefix) and "site-packages" not in found["file"]:
                path = found["file"].removeprefix(prefix)
                yield Frame(path=path, line=int(found["line"]), function=found["function"])


def how_it_died(done: Completed) -> str:
    """The end of a process in words."""
    if done.out_of_memory:
        return "used up the sandbox's memory"
    if done.out_of_space:
        return "wrote more than the sandbox may hold"
    if done.timed_out:
        return "took too long"
    if done.exit_code < 0:
        return f"was ended by signal {-done.exit_code}"
    return f"ended with exit code {done.exit_code}"


def _result(event: Mapping[str, Any], node_id: str, outcome: Outcome) -> TestResult:
    seconds = event.get("seconds")
    traceback = _text(event, "text", MAX_TEXT)
    message = _text(event, "message", MAX_SHORT) or (last_line(traceback) if outcome in FAILING else "")
    phase = PHASES.get(_text(event, "phase", MAX_SHORT), "") if outcome is Outcome.ERROR else ""
    is_number = isinstance(seconds, (int, float)) and math.isfinite(seconds)
    return TestResult(
        node_id=node_id,
        outcome=outcome,
        seconds=float(seconds) if is_number and seconds is not None else 0.0,
        message=message + phase,
        traceback=traceback or message,
        frames=tuple(_frames(event.get("frames"))),
        called=tuple(_frames(event.get("called"))),
    )


def _frames(data: object) -> Iterator[Frame]:
    for item in data[:MAX_FRAMES] if isinstance(data, list) else []:
        if not isinstance(item, dict) or type(item.get("line")) is not int:
            continue
        path = _text(item, "path", MAX_NODE_ID)
        if not _is_inside(path):
            continue
        values = item.get("values")
        pairs = [pair for pair in values[:MAX_VALUES] if _is_pair(pair)] if isinstance(values, list) else []
        yield Frame(
            path=path,
            line=item["line"],
            function=_text(item, "function", MAX_SHORT),
            values=tuple((name[:MAX_SHORT], value[:MAX_SHORT]) for name, value in pairs),
        )


def _is_inside(path: str) -> bool:
    return bool(path) and not path.startswith("/") and ".." not in path.split("/")


def _is_pair(pair: object) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)  # noqa: PLR2004 - a pair


def _strings(data: object, most: int) -> list[str]:
    return [name for name in data if isinstance(name, str) and len(name) <= most] if isinstance(data, list) else []


def _text(event: Mapping[str, Any], name: str, most: int) -> str:
    value = event.get(name)
    return value[:most] if isinstance(value, str) else ""


def last_line(text: str) -> str:
    """The last line that tells of an error, or just the last line."""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E ")]
    return (errors or lines or [""])[-1].removeprefix("E ").strip()[:MAX_SHORT]
