"""Tries many versions of a file against a few tests, fast: pytest is loaded once, and each version runs in a fork.

Run inside the sandbox as a program of its own. Reads trials from a file, one JSON object per line (`path`, and `start`,
`stop` and `text`: an edit of the file's bytes), runs the tests named as arguments once for each with the edit in place,
and writes to CODEACT_REPORT_FD one JSON object per trial: `{"trial": 3, "passed": true}`. Nothing of the project is
imported before a fork, so each trial sees its own version and nothing of another. What passes here is only a candidate:
it is run again cold, and proven in a fresh sandbox.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from typing import Any

import pytest

from codeact_sandbox.forkserver import preload


def main() -> None:
    """`trials.py FILE SECONDS_PER_TRIAL ENOUGH TEST...`: stop after ENOUGH versions have passed."""
    file, seconds, enough, *tests = sys.argv[1:]
    report = int(os.environ["CODEACT_REPORT_FD"])
    os.set_inheritable(report, False)  # noqa: FBT003 - positional only
    preload()
    passed = 0
    with open(file, encoding="utf-8") as lines:
        trials = [json.loads(line) for line in lines]
    for number, trial in enumerate(trials):
        good = _try(trial, tests, float(seconds))
        os.write(report, json.dumps({"trial": number, "passed": good}).encode() + b"\n")
        passed += good
        if passed >= int(enough):
            break


def _try(trial: dict[str, Any], tests: list[str], seconds: float) -> bool:
    """Put a version in place, run the tests in a fork, and put the old version back."""
    path = trial["path"]
    with open(path, "rb") as old_file:
        old = old_file.read()
    text = trial["text"].encode("utf-8", "surrogateescape")
    _replace(path, old[: trial["start"]] + text + old[trial["stop"] :])
    try:
        return _run_forked(tests, seconds)
    finally:
        _replace(path, old)


def _replace(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


def _run_forked(tests: list[str], seconds: float) -> bool:
    """Whether pytest passes in a child that has its own session, and `seconds` of time."""
    child = os.fork()
    if child == 0:
        _run_tests(tests)
    deadline = time.monotonic() + seconds
    watch = os.pidfd_open(child) if hasattr(os, "pidfd_open") else None
    if watch is not None:
        select.select([watch], [], [], seconds)
        os.close(watch)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            _kill_group(child)
            return status == 0
        if time.monotonic() >= deadline:
            _kill_group(child)
            os.waitpid(child, 0)
            return False
        time.sleep(0.002)


def _run_tests(tests: list[str]) -> None:
    """In the child: run pytest quietly and leave with its exit code, whatever the tests did to the interpreter."""
    code = 1
    try:
        os.setsid()
        sink = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(sink, descriptor)
        os.environ.pop("CODEACT_REPORT_FD", None)
        code = int(pytest.main([*tests, "-x", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=no"]))
    finally:
        os._exit(code)


def _kill_group(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
