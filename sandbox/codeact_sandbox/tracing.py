"""Records what a test runs of the workspace: its functions, in order of first call, and its lines.

Where a fault is that no traceback goes through, they tell: lines that failing tests run and passing ones do not.
"""

from __future__ import annotations

import dis
import inspect
import sys
import threading
from typing import Any, Callable, Iterator

MAX_CALLED = 60
MAX_EVENTS = 300_000  # of a trace function, after which a test goes on at full speed
TOOLS = (3, 4, 2)  # ids of sys.monitoring that debuggers and coverage leave alone first


class Trace:
    """What ran of the workspace while it was entered, since it was last begun. Use as a context manager.

    `called` has functions as the report has them, `lines` the numbers of lines for each path.
    """

    def __init__(self, inside: Callable[[str], str]) -> None:
        self.inside = inside
        self.called: list[dict[str, Any]] = []
        self.lines: dict[str, set[int]] = {}
        self.known: dict[int, tuple[Any, Any]] = {}  # holds the code objects, so that no id is used twice
        self.left = MAX_EVENTS
        self.ends: list[Callable[[], None]] = []

    def begin(self) -> None:
        """Forget all: another test."""
        self.called = []
        self.divert()
        self.left = MAX_EVENTS

    def divert(self) -> dict[str, set[int]]:
        """Record lines anew from here on; those so far."""
        lines, self.lines, self.known = self.lines, {}, {}
        monitoring = getattr(sys, "monitoring", None)
        if self.ends and monitoring is not None:
            monitoring.restart_events()
        return lines

    def add(self, lines: dict[str, set[int]]) -> None:
        """Lines that another part has run for this one."""
        for path, numbers in lines.items():
            self.lines.setdefault(path, set()).update(numbers)

    def __enter__(self) -> None:
        self.ends.append(self._monitor() or self._settrace())

    def __exit__(self, *_: object) -> None:
        self.ends.pop()()

    def _monitor(self) -> Callable[[], None] | None:
        """With Python 3.12 and newer: each line costs once."""
        monitoring = getattr(sys, "monitoring", None)
        free = [number for number in TOOLS if monitoring is not None and monitoring.get_tool(number) is None]
        if monitoring is None or not free:
            return None
        tool, events = free[0], monitoring.events

        def began(code: Any, _: int) -> object:  # noqa: ANN401 - a code object
            if self._meet(code):
                monitoring.set_local_events(tool, code, events.LINE)
            return monitoring.DISABLE

        def reached(code: Any, line: int) -> object:  # noqa: ANN401
            path = self.inside(code.co_filename)
            if path:
                self.lines.setdefault(path, set()).add(line)
            return monitoring.DISABLE

        def end() -> None:
            monitoring.set_events(tool, 0)
            for event in (events.PY_START, events.LINE):
                monitoring.register_callback(tool, event, None)
            monitoring.free_tool_id(tool)

        monitoring.use_tool_id(tool, "codeact")
        monitoring.register_callback(tool, events.PY_START, began)
        monitoring.register_callback(tool, events.LINE, reached)
        monitoring.set_events(tool, events.PY_START)
        monitoring.restart_events()
        return end

    def _settrace(self) -> Callable[[], None]:
        before, before_in_threads = sys.gettrace(), getattr(threading, "_trace_hook", None)

        def watch(frame: Any, event: str, _: Any) -> Any:  # noqa: ANN401 - the interpreter's signature
            self.left -= 1
            if self.left < 0:
                sys.settrace(None)
                return None
            if event != "call":
                return None
            code = frame.f_code
            if id(code) not in self.known:
                self.known[id(code)] = (code, self._watch_lines(code) if self._meet(code) else None)
            return self.known[id(code)][1]

        def end() -> None:
            sys.settrace(before)
            threading.settrace(before_in_threads)

        threading.settrace(watch)
        sys.settrace(watch)
        return end

    def _watch_lines(self, code: Any) -> Callable[[Any, str, Any], Any]:  # noqa: ANN401
        """A trace function for the frames of one code object, which ends when it has seen all of its lines."""
        hit = self.lines.setdefault(self.inside(code.co_filename), set())
        unseen = {line for _, line in dis.findlinestarts(code)} - {code.co_firstlineno}
        known = self.known

        def watch(frame: Any, event: str, _: Any) -> Any:  # noqa: ANN401
            if event == "line":
                self.left -= 1
                hit.add(frame.f_lineno)
                unseen.discard(frame.f_lineno)
                if self.left < 0 or not unseen:
                    frame.f_trace_lines = False
                    known[id(code)] = (code, None)
            return watch

        return watch

    def _meet(self, code: Any) -> bool:  # noqa: ANN401
        """Whether a code object is the workspace's; keep it as called if it is a function."""
        path = self.inside(code.co_filename)
        # In the place of a lambda or comprehension stands the function around it.
        is_function = code.co_flags & inspect.CO_OPTIMIZED and not code.co_name.startswith("<")
        if path and is_function and len(self.called) < MAX_CALLED:
            found = {"path": path, "line": code.co_firstlineno, "function": _name(code), "values": []}
            if found not in self.called:
                self.called.append(found)
        return bool(path)


def _name(code: Any) -> str:  # noqa: ANN401
    return str(getattr(code, "co_qualname", code.co_name))


def shared(item: Any, ran: dict[int, dict[str, set[int]]]) -> Iterator[dict[str, set[int]]]:  # noqa: ANN401 - an item
    """The lines that fixtures of a test ran before it, for tests before it as well."""
    fixtures = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", None) or {}
    for definitions in fixtures.values():
        for definition in definitions:
            if id(definition) in ran:
                yield ran[id(definition)]
