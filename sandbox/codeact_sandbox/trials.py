"""Tries many versions of a file against a few tests, fast: pytest is loaded once, and each version runs in a fork.

Run inside the sandbox as a program of its own. Reads trials from a file, one JSON object per line (`path`, and `start`,
`stop` and `text`: an edit of the file's bytes), runs the tests named as arguments once for each with the edit in place,
and writes to CODEACT_REPORT_FD one JSON object per trial: `{"trial": 3, "passed": true}`. Nothing of the project is
imported before a fork, and an edit is seen by the imports of its own fork only, so as many run side by side as there
are processors. What passes here is only a candidate: it is run again, and proven cold in a fresh sandbox.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import json
import os
import signal
import sys
import time
from typing import Any, Iterator

import pytest

from codeact_sandbox.forkserver import preload

POLL = 0.002


def main() -> None:
    """`trials.py FILE SECONDS_PER_TRIAL ENOUGH TEST...`: stop after ENOUGH versions have passed."""
    file, seconds, enough, *tests = sys.argv[1:]
    report = int(os.environ["CODEACT_REPORT_FD"])
    os.set_inheritable(report, False)  # noqa: FBT003 - positional only
    preload()
    passed = 0
    with open(file, encoding="utf-8") as lines:
        trials = [json.loads(line) for line in lines]
    for number, good in _run_all(trials, tests, float(seconds)):
        os.write(report, json.dumps({"trial": number, "passed": good}).encode() + b"\n")
        passed += good
        if passed >= int(enough):
            break


def _run_all(trials: list[dict[str, Any]], tests: list[str], seconds: float) -> Iterator[tuple[int, bool]]:
    """The trials' results as they come, with one running for each processor."""
    waiting = list(enumerate(trials))[::-1]
    running: dict[int, tuple[int, float]] = {}
    processors = len(os.sched_getaffinity(0))
    try:
        while waiting or running:
            while waiting and len(running) < processors:
                number, trial = waiting.pop()
                running[_start(trial, tests)] = (number, time.monotonic() + seconds)
            child, status = os.waitpid(-1, os.WNOHANG)
            if child in running:
                number, _ = running.pop(child)
                _kill_group(child)
                yield number, status == 0
            elif not child:
                time.sleep(POLL)
            for child in [child for child, (_, deadline) in running.items() if time.monotonic() >= deadline]:
                number, _ = running.pop(child)
                _kill_group(child)
                os.waitpid(child, 0)
                yield number, False
    finally:
        for child in running:
            _kill_group(child)


def _start(trial: dict[str, Any], tests: list[str]) -> int:
    """Begin a trial in a child that has its own session."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setsid()
            _see(trial)
            code = _run_tests(tests)
        finally:
            os._exit(code)
    return child


def _see(trial: dict[str, Any]) -> None:
    """Have imports of this process see the edit; the file stays as it is."""
    path = os.path.realpath(trial["path"])
    with open(path, "rb") as file:
        old = file.read()
    edited = old[: trial["start"]] + trial["text"].encode("utf-8", "surrogateescape") + old[trial["stop"] :]
    loader: Any = importlib.machinery.SourceFileLoader
    read, stat = loader.get_data, loader.path_stats

    def get_data(self: Any, wanted: str) -> bytes:  # noqa: ANN401
        return edited if os.path.realpath(wanted) == path else read(self, wanted)  # type: ignore[no-any-return]

    def path_stats(self: Any, wanted: str) -> Any:  # noqa: ANN401
        if os.path.realpath(wanted) == path:
            raise OSError("no compiled file is this version's")
        return stat(self, wanted)

    loader.get_data, loader.path_stats = get_data, path_stats


def _run_tests(tests: list[str]) -> int:
    """Run pytest quietly, and return its exit code."""
    sink = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(sink, descriptor)
    os.environ.pop("CODEACT_REPORT_FD", None)
    return int(pytest.main([*tests, "-x", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=no"]))


def _kill_group(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
