"""Records what functions are called with while tests run, and makes more inputs of that."""

from __future__ import annotations

import base64
import inspect
import itertools
import json
import os
import pickle
import sys
from dataclasses import dataclass
from typing import Any, Iterator, NamedTuple

import pytest

from codeact_sandbox.inputs import take_turns, vary
from codeact_sandbox.likeness import show_value
from codeact_sandbox.places import whole_id
from codeact_sandbox.pytest_plugin import settle

MAX_RECORDED = 24  # distinct calls of one origin
MAX_OF_TEST = 6  # of which one test may bring for one function
MAX_LOOKED = 100  # calls of one test that are looked at, for one function
MAX_SOURCES = 8  # of which more inputs are made
MAX_MADE = 64
MAX_TRIED = 400  # to make so many
MAX_BYTES = 8192  # of the pickled arguments of a call
MAX_CALL = 160  # characters
RESUMED = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
# Where an input is from: a failing test, a passing test itself, code that passing tests go through, nowhere.
TARGET, BESIDE, INNER, MADE = "target", "beside", "inner", "made"


class Call(NamedTuple):
    """One call of a function: `arguments` are pickled, positional ones as a list and the others as a dictionary."""

    function: int
    module: str
    arguments: bytes
    names: tuple[str, ...]  # of the parameters


@dataclass
class Input:
    """What versions are to be called with, where it is from, and how it reads."""

    call: Call
    origin: str
    shown: str


class TooLong(Exception):
    """The arguments of a call take too many bytes."""


class Recorder:
    """A pytest plugin that keeps the calls of some functions, and ends the process with inputs made of them.

    Args:
        functions: each with its `path`, its dotted `name` and the `line` that it begins at.
        targets: node ids of tests that fail; what passing ones call functions with is told apart.
        sink: where the inputs go, a JSON line each.
    """

    def __init__(self, functions: list[dict[str, Any]], targets: list[str], sink: int) -> None:
        self.functions = functions
        self.wanted = {(os.path.realpath(found["path"]), found["line"]): n for n, found in enumerate(functions)}
        self.names = {found["name"].rpartition(".")[2] for found in functions}
        self.targets = targets
        self.sink = sink
        self.config: Any = None
        self.kept: dict[str, dict[Call, None]] = {TARGET: {}, BESIDE: {}, INNER: {}}
        self.fresh: dict[Call, bool] = {}  # whether the test itself made the call
        self.is_target = False
        self.test_file = ""
        self.looked: dict[int, int] = {}
        self.known: dict[int, tuple[Any, int | None]] = {}  # holds the code objects, so that no id is used twice
        self.resumed: dict[int, Any] = {}  # frames that are entered again for each element
        self.skipped = 0
        self.failed = False

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> Iterator[None]:
        """As in any test run here, no option of the workspace hides results or starts other processes."""
        self.config = config
        settle(config.option)
        yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Record the calls of one test; those of a test that should pass and does not are no use."""
        self.is_target = whole_id(self.config, item.nodeid, os.getcwd()) in self.targets
        self.test_file = str(getattr(item, "path", None) or item.fspath)
        self.fresh, self.looked, self.resumed, self.failed = {}, {}, {}, False
        sys.setprofile(self._watch)
        yield
        sys.setprofile(None)
        if self.is_target or not self.failed:
            self._keep()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of a test."""
        self.failed = self.failed or not report.passed

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """All tests have run."""
        self.finish()

    def give_up(self, *_: object) -> None:
        """The time is over: what a test that fails has called until now still counts."""
        sys.setprofile(None)
        if self.is_target:
            self._keep()
        self.finish()

    def finish(self) -> None:
        """Write the inputs, and end."""
        inputs = self._inputs()
        with os.fdopen(self.sink, "w", encoding="ascii") as file:
            for found in inputs:
                arguments = base64.b64encode(found.call.arguments).decode()
                call = found.call._replace(arguments=b"")._asdict()
                line = {**call, "arguments": arguments, "origin": found.origin, "shown": found.shown}
                file.write(json.dumps(line) + "\n")
            file.write(json.dumps({"skipped": self.skipped}) + "\n")
        os._exit(0)

    def _watch(self, frame: Any, event: str, _: object) -> None:  # noqa: ANN401 - the interpreter's signature
        code = frame.f_code
        if event != "call" or code.co_name not in self.names:
            return
        if id(code) not in self.known:
            self.known[id(code)] = (code, self.wanted.get((os.path.realpath(code.co_filename), code.co_firstlineno)))
        function = self.known[id(code)][1]
        if function is None or id(frame) in self.resumed:
            return
        self.looked[function] = self.looked.get(function, 0) + 1
        if self.looked[function] > MAX_LOOKED or sum(call.function == function for call in self.fresh) >= MAX_OF_TEST:
            return
        if code.co_flags & RESUMED:
            self.resumed[id(frame)] = frame
        try:
            call = _read_call(function, frame)
            direct = frame.f_back is not None and frame.f_back.f_code.co_filename == self.test_file
            self.fresh[call] = direct or self.fresh.get(call, False)
        except Exception:  # noqa: BLE001 - whatever their own way to be pickled does
            self.skipped += 1

    def _keep(self) -> None:
        for call, direct in self.fresh.items():
            kept = self.kept[TARGET if self.is_target else BESIDE if direct else INNER]
            if len(kept) < MAX_RECORDED:
                kept[call] = None

    def _inputs(self) -> Iterator[Input]:
        """The recorded inputs and some made of them. What a failing test asks for may change, whoever else asks."""
        calls = {call: origin for origin in (INNER, BESIDE, TARGET) for call in self.kept[origin]}
        for call, origin in calls.items():
            yield Input(call, origin, _show(self.functions[call.function]["name"], call))
        both = take_turns([self.kept[TARGET], self.kept[BESIDE], self.kept[INNER]])
        sources = sorted(itertools.islice(dict.fromkeys(both), 3 * MAX_SOURCES), key=lambda call: len(call.arguments))
        made = take_turns([_vary(call) for call in sources[:MAX_SOURCES]])
        fresh = dict.fromkeys(call for call in itertools.islice(made, MAX_TRIED) if call and call not in calls)
        for call in itertools.islice(fresh, MAX_MADE):
            yield Input(call, MADE, _show(self.functions[call.function]["name"], call))


def read_arguments(call: Call) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a call, made anew."""
    positional, named = pickle.loads(call.arguments)  # noqa: S301 - pickled here, where any code may run
    return positional, named


def _read_call(function: int, frame: Any) -> Call:  # noqa: ANN401
    """The call that a frame begins.

    Raises:
        Exception: its arguments cannot be pickled, or take too many bytes.
    """
    code, values = frame.f_code, frame.f_locals
    count = code.co_argcount + code.co_kwonlyargcount
    names = code.co_varnames[:count]
    rest = list(code.co_varnames[count:])
    positional = [values[name] for name in names[: code.co_argcount]]
    named = {name: values[name] for name in names[code.co_argcount :]}
    if code.co_flags & inspect.CO_VARARGS:
        positional += values[rest.pop(0)]
    if code.co_flags & inspect.CO_VARKEYWORDS:
        named.update(values[rest.pop(0)])
    return Call(function, str(frame.f_globals["__name__"]), _pickle(positional, named), names)


def _pickle(positional: list[Any], named: dict[str, Any]) -> bytes:
    sink = _Bounded()
    pickle.Pickler(sink, protocol=4).dump((positional, named))  # the newest of Python 3.8's that says the same again
    return bytes(sink.content)


class _Bounded:
    """A file that takes MAX_BYTES."""

    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, data: bytes) -> int:
        """Take some more."""
        self.content += data
        if len(self.content) > MAX_BYTES:
            raise TooLong
        return len(data)


def _vary(call: Call) -> Iterator[Call | None]:
    """Calls with one change each; None for one that cannot be pickled."""
    positional, named = read_arguments(call)
    names = list(named)
    try:
        for varied in vary([*positional, *named.values()]):
            try:
                yield call._replace(
                    arguments=_pickle(varied[: len(positional)], dict(zip(names, varied[len(positional) :])))  # noqa: B905 - Python 3.8 has no strict
                )
            except Exception:  # noqa: BLE001 - as above
                yield None
    except Exception:  # noqa: BLE001 - arguments may do anything when they are compared or copied
        return


def _show(name: str, call: Call) -> str:
    """A call for people, in one line."""
    positional, named = read_arguments(call)
    owner, _, method = name.rpartition(".")
    if owner and call.names[:1] == ("self",):
        name, positional = f"{show_value(positional[0])}.{method}", positional[1:]
    elif owner and call.names[:1] == ("cls",):
        positional = positional[1:]
    shown = [*map(show_value, positional), *(f"{key}={show_value(value)}" for key, value in named.items())]
    text = f"{name}({', '.join(shown)})"
    return text if len(text) <= MAX_CALL else text[: MAX_CALL - 3] + "..."
