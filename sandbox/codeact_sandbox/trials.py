"""Tries many versions of a file against a few tests, fast: pytest is loaded once, and each version runs in a fork.

Run inside the sandbox as a program of its own, `trials.py FILE`. The file is a JSON object:

- `trials`: what to try, each with `path`, `start`, `stop` and `text`, an edit of the file's bytes, and `wanted`, the
  places of the targets that it has to mend to be good;
- `targets`: node ids of failing tests. A trial whose first target does not pass is over;
- `first`: node ids of tests that run before them;
- `beside`: node ids that must pass too. A trial that breaks one of them is over;
- `seconds`: how much processor time one trial may take; `budget`: how much all of them; so a busy machine tries as
  many as an idle one. `enough`: after how many good ones to stop; `more`: how many to try at most after the first.

For each trial it writes to CODEACT_REPORT_FD a line such as `{"trial": 3, "mended": [0, 1], "broken": false}`, with the
places of the targets that passed. What passes here is only a candidate: it is run again, and proven cold in a fresh
sandbox.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import resource
import signal
import sys
from typing import Any, Iterator

import pytest

from codeact_sandbox.forkserver import preload
from codeact_sandbox.places import whole_id
from codeact_sandbox.pytest_plugin import settle
from codeact_sandbox.versions import OPTIONS, be_quiet, prepare, run, see, side_by_side

PATIENCE = 5  # times its processor time that a trial may take by the clock
MAX_VERDICT = 1 << 16


class Judge:
    """A pytest plugin that writes a verdict as soon as it is certain, and ends the process there.

    Nobody reads why a test fails, and finding the words would take longer than most tests.
    """

    def __init__(self, targets: list[str], sink: int) -> None:
        self.targets = targets
        self.sink = sink
        self.mended: list[int] = []
        self.failed = False
        self.config: Any = None

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> Iterator[None]:
        """As in any test run here, no option of the workspace hides results or starts other processes."""
        self.config = config
        settle(config.option)
        yield

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that does not load breaks its tests."""
        if report.failed:
            self._conclude(broken=True)

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """No traceback is made into text."""
        for item in items:
            item.repr_failure = item._repr_failure_py = _say_nothing  # noqa: SLF001 - that is where all kinds meet

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of a test; the last one decides."""
        if report.when == "setup":
            self.failed = False
        self.failed = self.failed or not report.passed
        if report.when != "teardown":
            return
        name = whole_id(self.config, report.nodeid, os.getcwd())
        if name not in self.targets:
            if self.failed and not report.skipped:
                self._conclude(broken=True)
        elif not self.failed:
            self.mended.append(self.targets.index(name))
        elif name == self.targets[0]:
            self._conclude()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """All tests have run."""
        self._conclude()

    def _conclude(self, *, broken: bool = False) -> None:
        os.write(self.sink, json.dumps({"mended": self.mended, "broken": broken}).encode())
        os._exit(0)


def main() -> None:
    """Run the trials of a file until enough are good."""
    with open(sys.argv[1], encoding="utf-8") as file:
        wanted = json.load(file)
    report = int(os.environ.pop("CODEACT_REPORT_FD"))
    os.set_inheritable(report, False)  # noqa: FBT003 - positional only
    sys.path.insert(0, os.getcwd())
    preload()
    good, after = 0, 0
    for number, verdict in _run_all(wanted):
        os.write(report, json.dumps({"trial": number, **verdict}).encode() + b"\n")
        good += not verdict["broken"] and {*wanted["trials"][number]["wanted"]} <= {*verdict["mended"]}
        after += bool(good)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        if good >= wanted["enough"] or after > wanted["more"] or used.ru_utime + used.ru_stime >= wanted["budget"]:
            break


def _run_all(wanted: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The trials' verdicts as they come, with one trial running for each processor."""
    config = prepare(_arguments(wanted))
    begins = [functools.partial(_start, trial, wanted, config) for trial in wanted["trials"]]
    for number, source in side_by_side(begins, PATIENCE * wanted["seconds"]):
        yield number, _read(source)


def _arguments(wanted: dict[str, Any]) -> list[str]:
    return [*OPTIONS, *wanted["first"], *wanted["targets"], *wanted["beside"]]


def _start(trial: dict[str, Any], wanted: dict[str, Any], config: Any) -> tuple[int, int]:  # noqa: ANN401
    """Begin a trial in a child that has its own session: its process id, and where its verdict comes from."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(source)
            os.setsid()
            signal.setitimer(signal.ITIMER_PROF, wanted["seconds"])  # its signal ends the process
            see(trial)
            be_quiet()
            judge = Judge(wanted["targets"], sink)
            run(config, _arguments(wanted), judge)
        finally:
            os._exit(0)
    os.close(sink)
    return child, source


def _read(source: int) -> dict[str, Any]:
    """The verdict of a trial that is over; one that has none, such as a trial that took too long, broke everything."""
    os.set_blocking(source, False)
    said = b""
    with contextlib.suppress(BlockingIOError):
        said = os.read(source, MAX_VERDICT)
    os.close(source)
    try:
        verdict = json.loads(said)
        return {"mended": list(map(int, verdict["mended"])), "broken": bool(verdict["broken"])}
    except (ValueError, TypeError, KeyError):
        return {"mended": [], "broken": True}


def _say_nothing(*_: Any, **__: Any) -> str:  # noqa: ANN401 - in place of a method of pytest's
    return ""


if __name__ == "__main__":
    main()
