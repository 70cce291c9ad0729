"""What it costs to validate one candidate: the test server in a sandbox, beside cold runs of the same tests.

Two projects of forty small tests, of which the second imports numpy and pandas. A candidate is one changed file: the
view is put back, the file is written, all tests run and their results are read. The cold runs are `pytest` on the bare
machine, and in a new container each. All take turns.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from codeact.environments import choose_interpreter
from codeact.pool import open_view, order_for
from codeact.sandboxes import base_image, layout, usable_backends
from codeact.sandboxes.base import Interpreter, Sandbox
from codeact.sandboxes.docker import connect
from codeact.settings import Settings, load_settings
from codeact.snapshot import Snapshot, take_snapshot
from codeact.testing import Selection, run_tests
from codeact.trajectory import FileState, Outcome
from codeact.verify import Bench
from codeact.views import open_views

TESTS = 40
LANES = 2
HEAVY = "import numpy\nimport pandas\n\n\ndef add(a, b):\n    return int(pandas.Series([a, b]).sum())\n"
LIGHT = "def add(a, b):\n    return a + b\n"
PROJECTS = {"40 tests": LIGHT, "40 tests, numpy and pandas": HEAVY}
PROMISED_RATIO = 10.0  # times faster than cold pytest, where imports dominate
PROMISED_FACTOR, PROMISED_EXTRA = 1.3, 0.020  # of and above the tests' own time


@dataclass(frozen=True)
class Timing:
    """Seconds by way: bare, a container each, and each backend's test server; the tests' own; candidates per second."""

    ways: dict[str, list[float]] = field(default_factory=dict)
    own: list[float] = field(default_factory=list)
    rates: dict[str, float] = field(default_factory=dict)

    def note(self, way: str, started: float) -> None:
        """Add a measurement that ends now."""
        self.ways.setdefault(way, []).append(time.perf_counter() - started)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print; 1 if a promise is broken."""
    parser = argparse.ArgumentParser(prog="benchmarks/validation.py", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--candidates", type=int, default=40, help="for candidates per second")
    options = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="codeact-bench-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        results = {}
        for number, (name, module) in enumerate(PROJECTS.items()):
            workspace = place / f"work{number}"
            write_project(workspace, module)
            settings = load_settings(workspace, {"state": str(place / "state"), "packages": "always"})
            interpreter = choose_interpreter(settings, print, data=True)
            measured = measure(settings, interpreter, options.rounds, options.candidates, module)
            results[name] = asyncio.run(measured)
    return show(results)


def write_project(workspace: Path, module: str) -> None:
    """Forty tests in four files, all of one module."""
    workspace.mkdir()
    (workspace / "shop.py").write_text(module, "utf-8")
    for number in range(4):
        tests = "".join(
            f"\n\ndef test_{place}():\n    assert add({place}, 1) == {place + 1}\n" for place in range(TESTS // 4)
        )
        (workspace / f"test_{number}.py").write_text(f"from shop import add\n{tests}", "utf-8")


async def measure(settings: Settings, interpreter: Interpreter, rounds: int, candidates: int, module: str) -> Timing:
    """Timings of one project."""
    timing = Timing()
    snapshot = await asyncio.to_thread(take_snapshot, settings)
    async with AsyncExitStack() as stack:
        servers = {}
        for name in await asyncio.to_thread(usable_backends):
            chosen = replace(settings, sandbox=replace(settings.sandbox, backend=name))
            view = open_view(order_for(chosen, interpreter), snapshot, "bench")
            servers[name] = await stack.enter_async_context(view)
            for _ in range(3):  # it learns what to load from the first runs
                await run_tests(servers[name], Selection(), settings.sandbox.limits, warm=True)
        cold = cold_ways(settings.workspace, interpreter)
        for number in range(rounds):
            for way, run in cold.items():
                started = time.perf_counter()
                await asyncio.to_thread(run)
                timing.note(way, started)
            for name, sandbox in servers.items():
                started = time.perf_counter()
                own = await validate(sandbox, settings, f"{module}# {number}\n")
                timing.note(f"test server, {name}", started)
                timing.own.append(own)
    for name in servers:
        chosen = replace(settings, sandbox=replace(settings.sandbox, backend=name))
        timing.rates[name] = await measure_rate(Bench(chosen, interpreter, "bench"), snapshot, candidates, module)
    return timing


async def validate(sandbox: Sandbox, settings: Settings, module: str) -> float:
    """One candidate, as a run does it; the seconds that the tests themselves took."""
    await sandbox.restore()
    await sandbox.write({"shop.py": FileState(module.encode())})
    report = await run_tests(sandbox, Selection(), settings.sandbox.limits, warm=True)
    assert [result.outcome for result in report.results] == [Outcome.PASSED] * TESTS, report.problem
    return sum(result.seconds for result in report.results)


async def measure_rate(bench: Bench, snapshot: Snapshot, count: int, module: str) -> float:
    """Candidates per second on several views at once, once those have loaded what they load."""
    files = [{"shop.py": FileState(f"{module}# {number}\n".encode())} for number in range(count)]
    async with open_views(bench, snapshot, LANES) as views:
        async for _ in views.try_changes(files[: 3 * LANES], Selection()):
            pass
        started = time.perf_counter()
        async for _, report in views.try_changes(files, Selection()):
            assert not report.failing
        return count / (time.perf_counter() - started)


def cold_ways(workspace: Path, interpreter: Interpreter) -> Mapping[str, Callable[[], None]]:
    """Ways to run the tests from nothing, by name."""
    command = [str(interpreter.executable), "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environ = {"PATH": os.environ["PATH"]}

    def bare() -> None:
        subprocess.run(command, cwd=workspace, env=environ, check=True, capture_output=True)

    def container() -> None:
        binds = [path for path, link in layout.system_folders() if not link]
        binds += ["/usr", "/etc/ld.so.cache", *map(str, interpreter.folders)]
        mounts = [part for path in binds for part in ("-v", f"{path}:{path}:ro")]
        docker = ["docker", "run", "--rm", "--network", "none", *mounts, "-v", f"{workspace}:{workspace}:ro"]
        docker += ["-w", str(workspace), base_image.tag(), *command]
        subprocess.run(docker, env=environ, check=True, capture_output=True)

    ways = {"pytest, bare machine": bare}
    if shutil.which("docker") and "docker" in usable_backends():
        base_image.ensure(connect())
        ways["docker run pytest"] = container
    return ways


def show(results: Mapping[str, Timing]) -> int:
    """Print the medians and ratios; 1 if a promise is broken."""
    table = Table(box=None, pad_edge=False, caption="medians of one run; the ratio is to pytest on the bare machine")
    for heading in ("project", "one candidate", "median", "times as fast", "promised"):
        is_figure = heading in ("median", "times as fast")
        table.add_column(heading, justify="right" if is_figure else "left", no_wrap=is_figure)
    broken = False
    for name, timing in results.items():
        bare = statistics.median(timing.ways["pytest, bare machine"])
        own = statistics.median(timing.own)
        table.add_row(name, "the tests' own time", f"{own * 1000:.0f} ms", "", "")
        for way, seconds in timing.ways.items():
            middle = statistics.median(seconds)
            limit = PROMISED_FACTOR * own + PROMISED_EXTRA
            heavy = PROJECTS[name] == HEAVY
            is_server = way.startswith("test server")
            broken |= is_server and (middle > limit or (heavy and bare / middle < PROMISED_RATIO))
            promised = f"< {limit * 1000:.0f} ms" + (f", > {PROMISED_RATIO:.0f} x" if heavy else "")
            table.add_row("", way, f"{middle * 1000:.0f} ms", f"{bare / middle:.1f} x", promised if is_server else "")
        for backend, rate in timing.rates.items():
            times = f"{rate * bare:.1f} x"
            table.add_row("", f"candidates per second, {LANES} views, {backend}", f"{rate:.1f}", times, "")
    Console(highlight=False).print(table)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
