"""Ends a test that takes too long: first by an exception, then, if that does not help, with the process.

The exception comes from SIGALRM, so it strikes wherever Python code runs or waits in the main thread. Code that
swallows it, puts its own handler in place, or never comes back from C is met by `faulthandler`: its watchdog is C and
needs no interpreter lock, writes the stacks of all threads to the report, and ends the process. The host goes on from
there.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time
from typing import Any

GRACE = 3.0  # seconds that a test has to end after it was told to
SLACK = 1.0  # seconds for which the watchdog is not moved from test to test, since that takes milliseconds
NUDGE = 1.0  # seconds after which it is told again, in case that it swallowed the exception
LEAVING = 2.0  # seconds that the process has to end after the last test


class TimedOut(BaseException):
    """A test took too long. No Exception, so that `except Exception` in the code under test does not swallow it."""


class Clock:
    """Gives each test `seconds` for all its phases together; use as a context manager around each phase.

    Time functions are held as attributes, since tests that freeze time replace those of modules.
    """

    def __init__(self, seconds: float, descriptor: int) -> None:
        self.seconds = self.left = seconds
        self.descriptor = descriptor
        self.now = time.monotonic
        self.began = 0.0
        self.rung = False
        self.fires = 0.0  # when the watchdog does; 0 if there is none
        self.depth = 0
        self.theirs: Any = None
        if seconds:
            # Python warns of a fork in a process with threads, and a watchdog is one; tests may turn this into errors.
            os.register_at_fork(before=self._unwatch)

    def wind(self) -> None:
        """Begin a test: its time is full again."""
        self.left = self.seconds
        self.rung = False

    def __enter__(self) -> None:
        self.depth += 1
        if self.depth > 1 or not self.seconds or threading.current_thread() is not threading.main_thread():
            return
        self.began = self.now()
        seconds = max(self.left, GRACE if self.rung else 0.01)
        if self.rung or self.fires < self.began + seconds + GRACE:
            self._watch(seconds + GRACE + SLACK)
        remaining, interval = signal.getitimer(signal.ITIMER_REAL)
        if 0 < remaining <= seconds:  # a timer of pytest-timeout's, or the like, which is due before ours
            return
        self.theirs = (signal.signal(signal.SIGALRM, self._ring), remaining, interval)
        signal.setitimer(signal.ITIMER_REAL, seconds, NUDGE)

    def __exit__(self, *_: object) -> None:
        self.depth -= 1
        if self.depth or not self.seconds:
            return
        passed = self.now() - self.began
        self.left -= passed
        if self.theirs is not None:
            (handler, remaining, interval), self.theirs = self.theirs, None
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, handler if handler is not None else signal.SIG_DFL)
            if remaining:
                signal.setitimer(signal.ITIMER_REAL, max(remaining - passed, 0.001), interval)

    def stop(self) -> None:
        """Nothing is timed until the next test. Between one test and the next this is not needed."""
        self._unwatch()

    def leave(self) -> None:
        """The session is over: end the process soon, though threads that tests have left may still run."""
        if self.seconds:
            self._watch(LEAVING)

    def _ring(self, _: int, __: Any) -> None:  # noqa: ANN401 - the interpreter's signature
        if not self.rung:
            self.rung = True
            self._watch(GRACE)
        raise TimedOut(f"the test did not end within {self.seconds:g} s")

    def _watch(self, seconds: float) -> None:
        faulthandler.dump_traceback_later(seconds, exit=True, file=self.descriptor)
        self.fires = self.now() + seconds

    def _unwatch(self) -> None:
        if self.fires:
            faulthandler.cancel_dump_traceback_later()
            self.fires = 0.0
