"""Tells what versions of some functions do, called with what tests call them with and with inputs made of that.

Run inside the sandbox as a program of its own, `behaviour.py FILE`. The file is a JSON object:

- `functions`: whose calls to record, each with its `path`, its dotted `name` and the `line` that it begins at;
- `versions`: edits of a file's bytes with `path`, `start`, `stop` and `text`; the version 0 is the code as it is;
- `targets`: node ids of failing tests; `first`: those that run before them; `beside`: those that pass;
- `seconds`: how much processor time recording may take; `budget`: how much everything.

To CODEACT_REPORT_FD it writes lines such as `{"input": 3, "origin": "made", "shown": "clamp(5, 1, 5)"}`, and for each
version `{"version": 1, "input": 3, "did": "returned", "said": "5", "left": "", "like": "0beec7b5"}`: what was returned,
the arguments where the call changed them, and a digest of all that can be observed. `did` may also be `raised`, `hung`
or `crashed`. What differs when it is done again, and what cannot be described, is left out. The last line is
`{"skipped": 2}`, with the number of calls whose arguments could not be recorded; without it nothing is complete.

Each version runs in a fork of its own, as in `trials`, and its inputs one after another in a fork of that, which is
made anew when an input has ended it.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import resource
import signal
import sys
import tempfile
from typing import IO, Any, Callable, Iterator, Sequence

from codeact_sandbox.forkserver import preload
from codeact_sandbox.performing import Performer
from codeact_sandbox.recording import Call, Recorder
from codeact_sandbox.versions import OPTIONS, be_quiet, prepare, run, see, side_by_side

PATIENCE = 5  # times its processor time that a stage may take by the clock
CALL_SECONDS = 0.1  # of processor time that one call may take; of the code as it is, half of that
STAGE_SECONDS = 5.0  # by the clock that the calls of one version may take
MAX_SAID = 1 << 20  # bytes that one fork may write

Stage = Callable[[int], None]  # writes JSON lines to a descriptor, and ends the process


def main() -> None:
    """Record, then have each version do the same."""
    with open(sys.argv[1], encoding="utf-8") as file:
        wanted = json.load(file)
    report = int(os.environ.pop("CODEACT_REPORT_FD"))
    sys.path.insert(0, os.getcwd())
    preload()
    bench = Bench(wanted, report)
    _, lines = next(bench.run_all([bench.record], PATIENCE * wanted["seconds"]))
    inputs = [line for line in lines if "origin" in line]
    if not inputs or "skipped" not in lines[-1]:
        return
    for number, line in enumerate(inputs):
        bench.tell(input=number, origin=line["origin"], shown=line["shown"])
    calls = [_read_call(line) for line in inputs]
    stages = [functools.partial(bench.perform, edit, calls) for edit in (None, *wanted["versions"])]
    for version, deeds in bench.run_all(stages, STAGE_SECONDS):
        for deed in deeds:
            bench.tell(**{**deed, "version": version})
        if not version and not deeds:  # there is nothing to compare with
            return
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        if used.ru_utime + used.ru_stime >= wanted["budget"]:
            return
    bench.tell(**lines[-1])


class Bench:
    """Runs stages in forks, none of which has imported anything of the project before."""

    def __init__(self, wanted: dict[str, Any], report: int) -> None:
        self.wanted = wanted
        self.report = report
        self.arguments = [*OPTIONS, *wanted["beside"], *wanted["first"], *wanted["targets"]]
        self.config = prepare(self.arguments)

    def tell(self, **fields: Any) -> None:  # noqa: ANN401 - JSON
        """Report a line."""
        os.write(self.report, json.dumps(fields).encode("ascii") + b"\n")

    def record(self, sink: int) -> None:
        """Record the calls of all tests, and make more inputs of them."""
        recorder = Recorder(self.wanted["functions"], self.wanted["targets"], sink)
        signal.signal(signal.SIGPROF, recorder.give_up)
        signal.setitimer(signal.ITIMER_PROF, self.wanted["seconds"])
        signal.setitimer(signal.ITIMER_VIRTUAL, 2 * self.wanted["seconds"])  # where it does not come to give up
        run(self.config, self.arguments, recorder)

    def perform(self, edit: dict[str, Any] | None, calls: list[Call], sink: int) -> None:
        """Make all calls of a version: of the code as it is, without an edit."""
        signal.setitimer(signal.ITIMER_PROF, self.wanted["seconds"])
        if edit:
            see(edit)
        seconds = CALL_SECONDS if edit else CALL_SECONDS / 2
        run(self.config, self.arguments, Performer(self.wanted["functions"], calls, seconds, sink))

    def run_all(self, stages: Sequence[Stage], seconds: float) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """What the stages write, as they end, with one running for each processor."""
        begins = [functools.partial(self._start, stage) for stage in stages]
        for number, file in side_by_side(begins, seconds):
            yield number, _read(file)

    def _start(self, stage: Stage) -> tuple[int, IO[bytes]]:
        """Begin a stage in a child that has its own session: its process id, and what it writes to."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it was read
        child = os.fork()
        if child == 0:
            try:
                os.close(self.report)
                os.setsid()
                be_quiet()
                stage(file.fileno())
            finally:
                os._exit(1)
        return child, file


def _read(file: IO[bytes]) -> list[dict[str, Any]]:
    """The lines that a stage wrote."""
    with file:
        file.seek(0)
        said = file.read(MAX_SAID)
    try:
        lines = [json.loads(line) for line in said.splitlines()]
    except ValueError:
        return []
    return [line for line in lines if isinstance(line, dict)]


def _read_call(line: dict[str, Any]) -> Call:
    arguments = base64.b64decode(line["arguments"])
    return Call(line["function"], line["module"], arguments, tuple(line["names"]))


if __name__ == "__main__":
    main()
