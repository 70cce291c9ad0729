"""Calls functions with recorded inputs, and tells what can be observed of that."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import inspect
import json
import mmap
import os
import random
import signal
import sys
import tempfile
import time
from typing import Any, Callable, Iterator, Sequence

import pytest

from codeact_sandbox.likeness import Unlike, describe, drain, is_iterator, show_value
from codeact_sandbox.pytest_plugin import settle
from codeact_sandbox.recording import Call, read_arguments

ENDED = ("hung", "crashed")
TURN_SECONDS = 0.3  # of processor time, after which the inputs that are left are not tried
WAIT = 2.0  # seconds by the clock that one input may take
MAX_ENDED = 3  # inputs of a turn that hang or crash, after which the others are not tried
DONE = 255  # more than there are inputs
DIGEST = 16  # hexadecimal digits
WRAPS = ("__func__", "fget", "fset", "fdel", "func", "__wrapped__")  # where decorators keep what they decorate


class Performer:
    """A pytest plugin that performs calls once all tests are collected, and ends the process there.

    So the project is imported as its tests import it.

    Args:
        functions: each with its dotted `name`.
        calls: what to call them with.
        seconds: of processor time that one call may take.
        sink: where a JSON line for each call goes.
    """

    def __init__(self, functions: list[dict[str, Any]], calls: list[Call], seconds: float, sink: int) -> None:
        self.functions = functions
        self.calls = calls
        self.seconds = seconds
        self.sink = sink
        self.at = mmap.mmap(-1, 1)  # the number of the call that is made, for a parent whose child died of it
        self.found: dict[tuple[int, str], Callable[..., Any]] = {}

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> Iterator[None]:
        """As in any test run here, no option of the workspace starts other processes."""
        settle(config.option)
        yield

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self) -> None:
        """The project is imported: take two turns, with other random numbers, and tell what comes out the same."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        once = self._take_turn(range(len(self.calls)), seed=1)
        again = self._take_turn([number for number, deed in once.items() if deed["did"] not in ENDED], seed=2)
        for number, deed in once.items():
            if deed["did"] in ENDED or again.get(number) == deed:
                os.write(self.sink, json.dumps({"input": number, **deed}).encode("ascii") + b"\n")
        os._exit(0)

    def _take_turn(self, numbers: Sequence[int], seed: int) -> dict[int, dict[str, str]]:
        """What some calls do, all in one child as long as none ends it."""
        found: dict[int, dict[str, str]] = {}
        ended = 0
        while numbers and ended < MAX_ENDED:
            with tempfile.TemporaryFile() as sink:
                child = os.fork()
                if child == 0:
                    try:
                        self._go_on(numbers, seed, sink.fileno())
                    finally:
                        os._exit(1)
                _, status = os.waitpid(child, 0)
                sink.seek(0)
                for line in sink:
                    deed = json.loads(line)
                    found[deed.pop("input")] = deed
            if self.at[0] == DONE:
                break
            numbers, ended = [number for number in numbers if number > self.at[0]], ended + 1
            late = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGPROF, signal.SIGALRM)
            found[self.at[0]] = _deed("hung" if late else "crashed")
        return found

    def _go_on(self, numbers: Sequence[int], seed: int, sink: int) -> None:
        """Make some calls in this process, until one ends it."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        random.seed(seed)
        for number in numbers:
            if time.process_time() > TURN_SECONDS:
                break
            self.at[0] = number
            signal.setitimer(signal.ITIMER_PROF, self.seconds)
            signal.setitimer(signal.ITIMER_REAL, WAIT)
            deed = self._perform(self.calls[number])
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.setitimer(signal.ITIMER_PROF, 0)
            if deed:
                os.write(sink, json.dumps({"input": number, **deed}).encode("ascii") + b"\n")
        self.at[0] = DONE

    def _perform(self, call: Call) -> dict[str, str]:
        """What a call does; nothing if it cannot be made or told."""
        try:
            function = self._find(call)
            before = _liken(read_arguments(call))
            arguments = read_arguments(call)
        except Exception:  # noqa: BLE001 - a version may lack what was recorded
            return {}
        try:
            did, said, like = _observe(function, arguments)
        except Unlike:
            return {}
        except BaseException as error:  # noqa: BLE001 - also SystemExit
            name = type(error).__name__
            did, said, like = "raised", name, f"{type(error).__module__}.{type(error).__qualname__}"
        shown = [*arguments[0], *arguments[1].values()]
        after = _liken(arguments)
        left = ", ".join(map(show_value, shown)) if after != before else ""
        return _deed(did, said, left, f"{like} {after}")

    def _find(self, call: Call) -> Callable[..., Any]:
        """The function to call, without its decorators.

        Raises:
            LookupError: there is none with these parameters.
        """
        key = (call.function, call.module)
        if key not in self.found:
            value: Any = sys.modules.get(call.module) or importlib.import_module(call.module)
            for name in self.functions[call.function]["name"].split("."):
                value = inspect.getattr_static(value, name)
            fitting = [function for function in _unwrap(value) if _parameters(function) == call.names]
            if not fitting:
                raise LookupError(call.function)
            self.found[key] = fitting[0]
        return self.found[key]


def _observe(function: Callable[..., Any], arguments: tuple[list[Any], dict[str, Any]]) -> tuple[str, str, str]:
    """What came of a call: what it did, what it said for people, and what that is like."""
    positional, named = arguments
    value = function(*positional, **named)
    if inspect.iscoroutine(value):
        value = asyncio.run(value)
    if not is_iterator(value):
        return "returned", show_value(value), describe(value)
    elements, error = drain(value)
    said = f"{show_value(elements)}{f' and then {error}' if error else ''}"
    return "returned", said, f"{type(value).__name__} {describe(elements)} {error}"


def _unwrap(value: Any) -> Iterator[Any]:  # noqa: ANN401 - a function or what a decorator made of it
    """The functions inside of decorators."""
    if inspect.isfunction(value) and not hasattr(value, "__wrapped__"):
        yield value
        return
    for name in WRAPS:
        inner = getattr(value, name, None)
        if inner is not None:
            yield from _unwrap(inner)


def _parameters(function: Any) -> tuple[str, ...]:  # noqa: ANN401
    code = function.__code__
    return tuple(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def _liken(value: object) -> str:
    """What arguments are like; the same for all that cannot be told."""
    try:
        return describe(value)
    except Exception:  # noqa: BLE001 - also what their own methods raise
        return ""


def _deed(did: str, said: str = "", left: str = "", like: str = "") -> dict[str, str]:
    digest = hashlib.sha1(f"{did} {like}".encode("utf-8", "replace")).hexdigest()  # noqa: S324 - no secret
    return {"did": did, "said": said, "left": left, "like": digest[:DIGEST]}
