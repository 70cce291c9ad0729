"""What a sandbox costs: its first action from nothing, and each further action beside a plain `exec`.

All backends that work here take turns, so that what else the machine does falls on all of them alike.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from codeact.runs import new_run_id
from codeact.sandboxes import find_interpreter, open_sandbox, probe
from codeact.sandboxes.base import SandboxSpec
from codeact.settings import Settings, load_settings
from codeact.trajectory import Action

CODE = "n = 1 + 1"
PROMISED_FIRST = {"bubblewrap": 0.1, "docker": 0.5}
PROMISED_FURTHER = 0.002


@dataclass(frozen=True)
class Timing:
    """Seconds, each measured many times."""

    first: list[float] = field(default_factory=list)
    further: list[float] = field(default_factory=list)
    end: list[float] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print; 1 if a promise is broken."""
    parser = argparse.ArgumentParser(prog="benchmarks/sandbox.py", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="sandboxes to open with each backend")
    parser.add_argument("--actions", type=int, default=100, help="further actions in each of them")
    options = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="codeact-bench-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        settings = load_settings(place, {"state": place / "state"})
        return show(*asyncio.run(measure(settings, options.rounds, options.actions)))


async def measure(settings: Settings, rounds: int, actions: int) -> tuple[dict[str, Timing], float]:
    """Timings by backend, and the median of a plain `exec` in the same minutes."""
    statuses = await asyncio.to_thread(probe)
    backends = [status.name for status in statuses if status.usable]
    for status in statuses:
        if not status.usable:
            print(f"{status.name} does not work here: {status.detail}")
    timings = {backend: Timing() for backend in backends}
    plain = []
    for _ in range(rounds):
        for backend, timing in timings.items():
            await measure_once(settings, backend, timing, actions)
        plain += [time_exec() for _ in range(actions)]
    return timings, statistics.median(plain)


async def measure_once(settings: Settings, backend: str, timing: Timing, actions: int) -> None:
    """Open one sandbox, run a first and further actions, end it."""
    spec = make_spec(settings)
    started = time.perf_counter()
    async with open_sandbox(spec, backend) as sandbox:
        await sandbox.execute(Action(CODE))
        timing.first.append(time.perf_counter() - started)
        for _ in range(actions):
            before = time.perf_counter()
            await sandbox.execute(Action(CODE))
            timing.further.append(time.perf_counter() - before)
        started = time.perf_counter()
    timing.end.append(time.perf_counter() - started)


def make_spec(settings: Settings) -> SandboxSpec:
    """A sandbox over a snapshot of one file."""
    snapshot = settings.workspace / "snapshot"
    snapshot.mkdir(exist_ok=True)
    (snapshot / "readme.txt").write_text("one file\n", "utf-8")
    state = settings.state / "sandboxes"
    state.mkdir(parents=True, exist_ok=True)
    return SandboxSpec(
        run=new_run_id(),
        snapshot=snapshot,
        workspace=settings.workspace,
        interpreter=find_interpreter(settings),
        limits=settings.sandbox.limits,
        state=state,
    )


def time_exec() -> float:
    """Seconds that the same code takes with nothing around it."""
    before = time.perf_counter()
    exec(compile(CODE, "<plain>", "exec"), {})  # noqa: S102 - this is what sandboxes are compared with
    return time.perf_counter() - before


def show(timings: dict[str, Timing], plain: float) -> int:
    """Print the medians beside what is promised."""
    table = Table(box=None, pad_edge=False, caption=f"medians; a plain exec takes {plain * 1000:.3f} ms")
    for heading in ("backend", "first action", "promised", "further action", "over exec", "promised", "end"):
        table.add_column(heading, justify="left" if heading == "backend" else "right", header_style="dim")
    broken = False
    for backend, timing in timings.items():
        first, further = statistics.median(timing.first), statistics.median(timing.further)
        broken |= first > PROMISED_FIRST[backend] or further - plain > PROMISED_FURTHER
        end = statistics.median(timing.end)
        cells = (first, PROMISED_FIRST[backend], further, further - plain, PROMISED_FURTHER, end)
        formats = ("{:.0f} ms", "< {:.0f} ms", "{:.2f} ms", "{:.2f} ms", "< {:.0f} ms", "{:.0f} ms")
        table.add_row(backend, *(text.format(cell * 1000) for text, cell in zip(formats, cells, strict=True)))
    Console(highlight=False).print(table)
    if not timings:
        print("No sandbox works here: codeact doctor tells why.")
    return 1 if broken or not timings else 0


if __name__ == "__main__":
    sys.exit(main())
