"""What a snapshot costs: the first, one of an unchanged workspace, and one after three edits; with its files beside it.

Each figure stands beside what git itself needs in the same minute: `git add -A` into an empty index for a first
snapshot, `git status` for a further one. Seconds depend on the machine, ratios much less.
"""

import argparse
import os
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
PROMISED = {50_000: 0.5}
BODY = "def function_{number}(value):\n    return value + {number}\n\n\n" * 8


@dataclass(frozen=True)
class Timing:
    """Seconds, each measured a few times; what is done once has one."""

    files: int
    first: list[float] = field(default_factory=list)
    add: list[float] = field(default_factory=list)
    unchanged: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    status: list[float] = field(default_factory=list)
    shown_first: list[float] = field(default_factory=list)
    shown_again: list[float] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print; 1 if a promise is broken."""
    parser = argparse.ArgumentParser(prog="benchmarks/snapshots.py", description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[1_000, 50_000], metavar="N", help="workspaces' sizes")
    parser.add_argument("--rounds", type=int, default=7, help="further snapshots of each")
    options = parser.parse_args(arguments)
    return show([measure(files, options.rounds) for files in options.files])


def measure(files: int, rounds: int) -> Timing:
    """Timings of a generated git repository with so many files."""
    timing = Timing(files)
    with TemporaryDirectory(prefix="codeact-bench-") as folder:
        place = Path(folder)
        workspace = generate(place / "workspace", files)
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
        promised = PROMISED.get(timing.files)
        broken |= promised is not None and statistics.median(timing.again) > promised
        limit = f"< {promised * 1000:.0f} ms" if promised else ""
        table.add_row(
            f"{timing.files:,}", "first, git add -A", *cells(timing.first, timing.add, "", timing.shown_first)
        )
        table.add_row("", "unchanged, git status", *cells(timing.unchanged, timing.status, "", []))
        table.add_row("", f"{EDITS} edits, git status", *cells(timing.again, timing.status, limit, timing.shown_again))
    Console(highlight=False).print(table)
    return 1 if broken else 0


def cells(ours: Sequence[float], theirs: Sequence[float], promised: str, shown: Sequence[float]) -> tuple[str, ...]:
    """One row's figures."""
    mine, other = statistics.median(ours), statistics.median(theirs)
    files = f"{statistics.median(shown) * 1000:,.0f} ms" if shown else ""
    return f"{mine * 1000:,.0f} ms", f"{other * 1000:,.0f} ms", f"{mine / other:.1f}", promised, files


if __name__ == "__main__":
    sys.exit(main())
