"""What a sandbox costs: its first action from nothing and from one that is ready, and each further action.

All backends that work here take turns, so that what else the machine does falls on all of them alike. Beside each first
action stands a bare interpreter's start, beside each further one a plain `exec`. Ratios last, milliseconds do not.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from codeact.pool import Order, Pool, order_for
from codeact.sandboxes import find_interpreter, open_sandbox, usable_backends
from codeact.sandboxes.base import Sandbox, SandboxSpec
from codeact.settings import Settings, load_settings
from codeact.snapshot import Snapshot, materialise, take_snapshot
from codeact.trajectory import Action

CODE = "n = 1 + 1"
EDITS = 3
PROMISED_COLD = {"bubblewrap": 0.060, "docker": 0.400}
PROMISED_WARM = {"bubblewrap": 0.005, "docker": 0.015}
PROMISED_FURTHER = {"bubblewrap": 0.0003, "docker": 0.0006}


@dataclass(frozen=True)
class Timing:
    """Seconds, each measured many times."""

    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    edited: list[float] = field(default_factory=list)
    further: list[float] = field(default_factory=list)
    end: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Plain:
    """Seconds that an interpreter's start takes with nothing around it, and the same code in one."""

    start: list[float] = field(default_factory=list)
    exec: list[float] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print; 1 if a promise is broken."""
    parser = argparse.ArgumentParser(prog="benchmarks/sandbox.py", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="sandboxes to open with each backend")
    parser.add_argument("--actions", type=int, default=100, help="further actions in each of them")
    options = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="codeact-bench-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        workspace = place / "work"
        workspace.mkdir()
        for number in range(EDITS):
            (workspace / f"module_{number}.py").write_text("value = 0\n", "utf-8")
        settings = load_settings(workspace, {"state": str(place / "state")})
        return show(*asyncio.run(measure(settings, options.rounds, options.actions)))


async def measure(settings: Settings, rounds: int, actions: int) -> tuple[dict[str, Timing], Plain]:
    """Timings by backend, and those of a plain interpreter in the same minutes."""
    timings = {name: Timing() for name in await asyncio.to_thread(usable_backends)}
    plain, python = Plain(), find_interpreter(settings).executable
    for number in range(rounds):
        for backend, timing in timings.items():
            chosen = load_settings(settings.workspace, {"state": str(settings.state), "sandbox": {"backend": backend}})
            order = order_for(chosen, find_interpreter(chosen))
            snapshot = take_snapshot(chosen)
            await measure_cold(order, snapshot, timing, actions)
            await measure_warm(order, snapshot, timing.warm)
            edit(chosen.workspace, f"{backend} {number}")
            await measure_warm(order, snapshot, timing.edited, take_snapshot(chosen))
        plain.start.append(time_start(python))
        plain.exec.extend(time_exec() for _ in range(actions))
    return timings, plain


async def measure_cold(order: Order, snapshot: Snapshot, timing: Timing, actions: int) -> None:
    """Open one sandbox over files that are there, run a first and further actions, end it."""
    with materialise(snapshot) as folder:
        spec = SandboxSpec(
            run="bench",
            snapshot=folder,
            workspace=order.workspace,
            interpreter=order.interpreter,
            limits=order.sandbox.limits,
            state=order.state,
        )
        started = time.perf_counter()
        async with open_sandbox(spec, order.sandbox.backend) as sandbox:
            await act(sandbox)
            timing.cold.append(time.perf_counter() - started)
            for _ in range(actions):
                before = time.perf_counter()
                await act(sandbox)
                timing.further.append(time.perf_counter() - before)
            started = time.perf_counter()
        timing.end.append(time.perf_counter() - started)


async def measure_warm(order: Order, ready: Snapshot, seconds: list[float], wanted: Snapshot | None = None) -> None:
    """Have one ready over a snapshot, then time a first action in it, perhaps on a newer one."""
    async with Pool() as pool:
        pool.prepare(order, ready, warm=True)
        await pool.warmed()
        await asyncio.sleep(1)  # what it loads beside is loaded
        started = time.perf_counter()
        async with pool.open(order, wanted or ready, "bench") as sandbox:
            await act(sandbox)
            seconds.append(time.perf_counter() - started)


async def act(sandbox: Sandbox) -> None:
    """Run an action."""
    await sandbox.execute(Action(CODE))


def edit(workspace: Path, text: str) -> None:
    """Change a few files, as a developer does between two runs."""
    for number in range(EDITS):
        (workspace / f"module_{number}.py").write_text(f"value = {text!r}\n", "utf-8")


def time_start(python: Path) -> float:
    """Seconds that a bare interpreter takes for the same code, from nothing to its end."""
    before = time.perf_counter()
    subprocess.run([python, "-I", "-S", "-c", CODE], check=True)
    return time.perf_counter() - before


def time_exec() -> float:
    """Seconds that the same code takes with nothing around it."""
    before = time.perf_counter()
    exec(compile(CODE, "<plain>", "exec"), {})  # noqa: S102 - this is what sandboxes are compared with
    return time.perf_counter() - before


def show(timings: dict[str, Timing], plain: Plain) -> int:
    """Print the medians beside what is promised."""
    start, once = statistics.median(plain.start), statistics.median(plain.exec)
    table = Table(box=None, pad_edge=False, caption=f"medians of one run; bare python {ms(start)}, exec {ms(once)}")
    for heading in ("backend", "", "median", "beside", "promised"):
        table.add_column(heading, justify="left" if heading in ("backend", "") else "right", header_style="dim")
    broken = False
    for backend, timing in timings.items():
        rows = (
            ("first action, cold", timing.cold, start, PROMISED_COLD[backend]),
            ("first action, one is ready", timing.warm, start, PROMISED_WARM[backend]),
            (f"the same after {EDITS} edits", timing.edited, start, PROMISED_WARM[backend]),
        )
        for name, seconds, beside, promised in rows:
            middle = statistics.median(seconds)
            broken |= middle > promised
            ratio = f"{middle / beside:.2f} x python"
            table.add_row(backend, name, ms(middle), ratio, f"< {ms(promised)}")
        over = statistics.median(timing.further) - once
        broken |= over > PROMISED_FURTHER[backend]
        table.add_row(backend, "next action, above exec", ms(over), "", f"< {ms(PROMISED_FURTHER[backend])}")
        table.add_row(backend, "its end", ms(statistics.median(timing.end)), "", "")
    Console(highlight=False).print(table)
    if not timings:
        print("No sandbox works here: codeact doctor tells why.")
    return 1 if broken or not timings else 0


def ms(seconds: float) -> str:
    """Milliseconds with as many digits as say something."""
    return f"{seconds * 1000:.{0 if seconds > 0.1 else 1 if seconds > 0.001 else 3}f} ms"  # noqa: PLR2004


if __name__ == "__main__":
    sys.exit(main())
