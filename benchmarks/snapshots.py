"""What a snapshot costs: the first, one of an unchanged workspace, and one after three edits; with its files beside it.

Each figure stands beside what git itself needs in the same minute: `git add -A` into an empty index for a first
snapshot, `git status` for a further one. Seconds depend on the machine, ratios much less.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from codeact.settings import Settings
from codeact.snapshot import Snapshot, materialise, take_snapshot

EDITS = 3
LARGE = 50_000
PROMISED_RATIO = 2.0  # to git's own command, for a first snapshot and for one after edits
BODY = "def function_{number}(value):\n    return value + {number}\n\n\n" * 8


@dataclass
class Timing:
    """Seconds, each measured a few times; what is done once has one. `memory`: the most that one process held, MiB."""

    files: int
    first: list[float] = field(default_factory=list)
    add: list[float] = field(default_factory=list)
    unchanged: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    status: list[float] = field(default_factory=list)
    shown_first: list[float] = field(default_factory=list)
    shown_again: list[float] = field(default_factory=list)
    note: str = ""
    memory: float = 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print; 1 if a promise is broken."""
    parser = argparse.ArgumentParser(prog="benchmarks/snapshots.py", description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[1_000, 50_000], metavar="N", help="workspaces' sizes")
    parser.add_argument("--rounds", type=int, default=7, help="further snapshots of each")
    parser.add_argument(
        "--mib", type=int, default=1024, help="how much the largest holds beside, in data files of 4 MiB"
    )
    options = parser.parse_args(arguments)
    largest = max(options.files)
    return show([measure(files, options.rounds, options.mib if files == largest else 0) for files in options.files])


def measure(files: int, rounds: int, mib: int) -> Timing:
    """Timings of a generated git repository with so many files, and so much data beside."""
    timing = Timing(files, note=f" and {mib:,} MiB" if mib else "")
    with TemporaryDirectory(prefix="codeact-bench-") as folder:
        place = Path(folder)
        workspace = generate(place / "workspace", files)
        add_data(workspace, mib)
        settings = Settings(workspace=workspace, state=place / "state", cache=place / "cache")
        take_snapshot(Settings(workspace=generate(place / "small", 1), state=place / "state", cache=place / "cache"))
        with timed(timing.add):
            git(workspace, "add", "-A")
        git(workspace, "commit", "-q", "-m", "all")
        with timed(timing.first):
            snapshot = take_snapshot(settings)
        timed_show(snapshot, timing.shown_first)
        for number in range(rounds):
            edit(workspace, files, number)
            # In turns, so that neither always finds the caches warmed by the other.
            in_turns(number, lambda: status(workspace, timing), lambda: again(settings, timing))
            with timed(timing.unchanged):
                take_snapshot(settings)
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    timing.memory = max(resource.getrusage(one).ru_maxrss for one in who) / 1024
    return timing


def generate(workspace: Path, files: int) -> Path:
    """A git repository with folders of fifty modules each."""
    for number in range(files):
        folder = workspace / f"package_{number // 1000}" / f"part_{number // 50 % 20}"
        if number % 50 == 0:
            folder.mkdir(parents=True)
        (folder / f"module_{number}.py").write_text(BODY.format(number=number), "utf-8")
    git(workspace, "init", "-q")
    (workspace / ".gitignore").write_text("__pycache__/\n*.log\n/build/\n.venv/\n", "utf-8")
    return workspace


def add_data(workspace: Path, mib: int) -> None:
    """Files that cannot be compressed."""
    for number in range(mib // 4):
        file = workspace / "data" / f"part_{number}.bin"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(os.urandom(4 << 20))


def edit(workspace: Path, files: int, number: int) -> None:
    """Change a few modules."""
    for chosen in range(EDITS):
        module = (number * EDITS + chosen) * 7919 % files
        folder = workspace / f"package_{module // 1000}" / f"part_{module // 50 % 20}"
        (folder / f"module_{module}.py").write_text(f"edited = {number}\n", "utf-8")


def status(workspace: Path, timing: Timing) -> None:
    """Time `git status` as an editor runs it, which notes nothing in the index."""
    with timed(timing.status):
        git(workspace, "--no-optional-locks", "status", "--porcelain")


def again(settings: Settings, timing: Timing) -> None:
    """Time a further snapshot."""
    with timed(timing.again):
        snapshot = take_snapshot(settings)
    timed_show(snapshot, timing.shown_again)


def timed_show(snapshot: Snapshot, seconds: list[float]) -> None:
    """Time until a snapshot's files are there to be read."""
    started = time.perf_counter()
    with materialise(snapshot):
        seconds.append(time.perf_counter() - started)


@contextmanager
def timed(seconds: list[float]) -> Iterator[None]:
    """Note how long the block takes."""
    started = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - started)


def in_turns(number: int, one: Callable[[], None], other: Callable[[], None]) -> None:
    """Do both, each first every other time."""
    for act in (one, other) if number % 2 else (other, one):
        act()


def git(folder: Path, *arguments: str) -> None:
    """Run git with nobody's configuration."""
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "gc.auto=0")
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *identity, *arguments], cwd=folder, env=environ, check=True, capture_output=True)  # noqa: S607


def show(timings: Sequence[Timing]) -> int:
    """Print the medians beside git's own and what is promised."""
    table = Table(box=None, pad_edge=False, caption="medians of one run; ratios are to git's own command beside them")
    for heading in ("files", "", "snapshot", "git", "ratio", "promised", "its files"):
        table.add_column(heading, justify="right" if heading else "left", header_style="dim", no_wrap=True)
    broken = False
    for timing in timings:
        rows = (
            ("first, git add -A", timing.first, timing.add, timing.shown_first),
            ("unchanged, git status", timing.unchanged, timing.status, []),
            (f"{EDITS} edits, git status", timing.again, timing.status, timing.shown_again),
        )
        for name, ours, theirs, shown in rows:
            mine, other = statistics.median(ours), statistics.median(theirs)
            promised = ours is not timing.unchanged and timing.files >= LARGE
            broken |= promised and mine / other > PROMISED_RATIO
            limit = f"< {PROMISED_RATIO:g}" if promised else ""
            files = f"{statistics.median(shown) * 1000:,.0f} ms" if shown else ""
            size = f"{timing.files:,}{timing.note}" if ours is timing.first else ""
            table.add_row(
                size, name, f"{mine * 1000:,.0f} ms", f"{other * 1000:,.0f} ms", f"{mine / other:.2f}", limit, files
            )
        table.add_row("", "memory", f"{timing.memory:,.0f} MiB", "", "", "", "")
    Console(highlight=False).print(table)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
