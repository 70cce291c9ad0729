"""How near the first suspects of `codeact fix` are to where the fault is, for each bug of the corpus.

Each bug's tests run in a sandbox as in a run, and the suspects of the first failing test are ranked; no model is asked.
For comparison, the order that needs no coverage: the traceback from the inside out, then what the test called.
"""

import argparse
import asyncio
import difflib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import bugs
from rich.console import Console
from rich.table import Table
from trial import make_workspace

from codeact.definitions import find_definition, list_definitions
from codeact.facts import Facts
from codeact.fixing import Repair
from codeact.settings import Settings, load_settings
from codeact.snapshot import take_snapshot
from codeact.testing import Selection, run_tests
from codeact.trajectory import Task, TaskKind
from codeact.verify import find_bench, open_bench

NEVER = 999
LINES = (1, 3, 5)
DEFINITIONS = (1, 3)

Place = tuple[str, int]


@dataclass(frozen=True)
class Ranks:
    """At which place, from 1 on, the faulty definition and the faulty line come."""

    definition: int
    line: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="benchmarks/localise.py", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="bugs or kinds of bugs (default: all)")
    options = parser.parse_args(arguments)
    console = Console(highlight=False)
    found: list[tuple[Ranks, Ranks]] = []
    for bug in bugs.load_bugs(tuple(options.only)):
        if bug.faults:
            ranks = try_bug(bug)
            console.print(f"{bug.name}: {describe(ranks[0])}; without coverage {describe(ranks[1])}", markup=False)
            found.append(ranks)
    show(console, found)
    return 0


def try_bug(bug: bugs.Bug) -> tuple[Ranks, Ranks]:
    """The ranks of one bug's fault: with all that is known, and without coverage."""
    with TemporaryDirectory(prefix="codeact-localise-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        workspace = make_workspace(bug, folder)
        settings = load_settings(workspace, {"state": str(folder / "state")}, {})
        repair, facts = asyncio.run(collect(settings))
        sources = {path: (workspace / path).read_text("utf-8") for path in repair.sources(facts)}
        return judge(facts, sources, find_fault(bug, workspace), repair)


async def collect(settings: Settings) -> tuple[Repair, Facts]:
    """What a run knows of the first failing test before anything is tried."""
    snapshot = take_snapshot(settings, {})
    bench = await find_bench(settings, "localise")
    async with open_bench(bench, snapshot) as sandbox:
        before = await run_tests(sandbox, Selection(), settings.sandbox.limits)
        repair = Repair(Task(kind=TaskKind.FIX), snapshot, sandbox, settings.sandbox.limits, before)
        return repair, await repair.facts(repair.targets()[0])


def find_fault(bug: bugs.Bug, workspace: Path) -> frozenset[Place]:
    """The lines that the reference fix changes; those around it where it only adds some."""
    found: set[Place] = set()
    for fault in bug.faults:
        wrong = (workspace / fault.file).read_text("utf-8")
        right = wrong.replace(fault.wrong, fault.right) if fault.wrong else wrong
        matcher = difflib.SequenceMatcher(None, wrong.split("\n"), right.split("\n"), autojunk=False)
        for kind, start, stop, _, _ in matcher.get_opcodes():
            if kind != "equal":
                found.update((fault.file, line) for line in (range(start + 1, stop + 1) or (start, start + 1)))
    return frozenset(found)


def judge(facts: Facts, sources: Mapping[str, str], fault: frozenset[Place], repair: Repair) -> tuple[Ranks, Ranks]:
    """The place of the fault among the suspects, ours and the plain ones."""
    suspects = [(suspect.path, suspect.name) for suspect in facts.suspects]
    order = {suspect: number for number, suspect in enumerate(suspects)}
    places = sorted(
        facts.heat, key=lambda place: (-round(facts.heat[place], 3), order.get(_at(sources, place), NEVER), place)
    )
    target = facts.target
    frames = [*reversed(target.frames), *target.called]
    plain = dict.fromkeys(
        _at(sources, (frame.path, frame.line)) for frame in frames if not repair.is_protected(frame.path)
    )
    lines = [
        (path, line)
        for path, name in plain
        for definition in list_definitions(path, sources.get(path, ""))
        if definition.name == name
        for line in range(definition.line, definition.last + 1)
        if (path, line) in facts.heat
    ]
    faulty = {_at(sources, place) for place in fault}
    ours = Ranks(_rank(suspects, faulty), _rank(places, fault))
    return ours, Ranks(_rank(list(plain), faulty), _rank(lines, fault))


def describe(ranks: Ranks) -> str:
    """Both ranks in words."""
    definition, line = (str(rank) if rank < NEVER else "none" for rank in (ranks.definition, ranks.line))
    return f"definition {definition}, line {line}"


def show(console: Console, found: Sequence[tuple[Ranks, Ranks]]) -> None:
    """How many faults are among the first."""
    table = Table("", "ranked", "without coverage")
    for most in DEFINITIONS:
        table.add_row(
            f"definition in the first {most}", *(str(sum(r[way].definition <= most for r in found)) for way in (0, 1))
        )
    for most in LINES:
        table.add_row(f"line in the first {most}", *(str(sum(r[way].line <= most for r in found)) for way in (0, 1)))
    console.print(table)
    console.print(f"of {len(found)} bugs")


def _at(sources: Mapping[str, str], place: Place) -> tuple[str, str]:
    definition = find_definition(place[0], sources.get(place[0], ""), place[1])
    return place[0], definition.name if definition else ""


def _rank(found: Sequence[object], wanted: frozenset[Place] | set[tuple[str, str]]) -> int:
    return next((number for number, one in enumerate(found, 1) if one in wanted), NEVER)


if __name__ == "__main__":
    sys.exit(main())
