"""Records which functions of the workspace a test calls: where to look for a fault that no traceback goes through."""

from __future__ import annotations

import inspect
import sys
import threading
from typing import Any, Callable

MAX_CALLED = 60
MAX_EVENTS = 300_000  # of a profile function, after which a test goes on at full speed
TOOLS = (3, 4, 2)  # ids of sys.monitoring that debuggers and coverage leave alone first


class Calls:
    """The functions called between `start` and `stop`, in order of first call."""

    def __init__(self, inside: Callable[[str], str]) -> None:
        self.inside = inside
        self.found: list[dict[str, Any]] = []
        self.seen: dict[int, Any] = {}  # holds the code objects, so that no id is used twice
        self.end: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to record."""
        self.found, self.seen = [], {}
        self.end = self._monitor() or self._profile()

    def stop(self) -> None:
        """Put everything back as it was."""
        if self.end is not None:
            self.end()
            self.end = None

    def _monitor(self) -> Callable[[], None] | None:
        """With Python 3.12 and newer: each code object costs once."""
        monitoring = getattr(sys, "monitoring", None)
        free = [number for number in TOOLS if monitoring is not None and monitoring.get_tool(number) is None]
        if monitoring is None or not free:
            return None
        tool, event = free[0], monitoring.events.PY_START

        def began(code: Any, _: int) -> object:  # noqa: ANN401 - a code object
            self._note(code)
            return monitoring.DISABLE

        def end() -> None:
            monitoring.set_events(tool, 0)
            monitoring.register_callback(tool, event, None)
            monitoring.free_tool_id(tool)

        monitoring.use_tool_id(tool, "codeact")
        monitoring.register_callback(tool, event, began)
        monitoring.set_events(tool, event)
        monitoring.restart_events()
        return end

    def _profile(self) -> Callable[[], None]:
        before, before_in_threads = sys.getprofile(), getattr(threading, "_profile_hook", None)
        seen, note = self.seen, self._note
        left = MAX_EVENTS

        def watch(frame: Any, event: str, _: Any) -> None:  # noqa: ANN401 - the interpreter's signature
            nonlocal left
            if event == "call" and id(frame.f_code) not in seen:
                note(frame.f_code)
            left -= 1
            if left < 0:
                sys.setprofile(None)

        def end() -> None:
            sys.setprofile(before)
            threading.setprofile(before_in_threads)

        threading.setprofile(watch)
        sys.setprofile(watch)
        return end

    def _note(self, code: Any) -> None:  # noqa: ANN401 - a code object
        """Keep a function; not a lambda or comprehension, in whose place the function around it stands, nor a body."""
        self.seen[id(code)] = code
        is_function = code.co_flags & inspect.CO_OPTIMIZED and not code.co_name.startswith("<")
        path = self.inside(code.co_filename) if is_function and len(self.found) < MAX_CALLED else ""
        if path:
            name = getattr(code, "co_qualname", code.co_name)
            self.found.append({"path": path, "line": code.co_firstlineno, "function": name, "values": []})
