"""Tries single edits of the suspects, hundreds in a few seconds: the rung of the ladder that needs no model.

What passes is no fix yet. It becomes an action like any that a model writes, and has to pass the same check. And since
among hundreds of edits some pass by luck, one is trusted only if the tests have a say in it: it mends every failing
test that goes through the edited function, and where it mends only one, other tests fail if the same place is edited
otherwise. After what makes patches overfit (Smith et al., 2015) and mutation analysis.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from codeact.definitions import Definition
from codeact.facts import Facts
from codeact.lessons import MOST_GAIN, Index, Lesson, concerning, index
from codeact.sandboxes.base import Sandbox
from codeact.templates import Edit, propose_edits, words_of
from codeact.trajectory import FileState

MAX_TRIALS = 2500
MAX_SUSPECTS = 8
MAX_NEIGHBOURS = 12
ENOUGH = 4
MORE = 100  # trials after the first that is good: what comes later is ever less likely
FARTHER = 0.4  # what each place down the list of suspects adds to the cost of an edit
COLDER = 1.5  # what it adds that no failing test is known to run a line
CLOCK = 4  # times its processor time that all of a search may take by the clock
TRIALS = ".codeact-trials.json"


@dataclass(frozen=True)
class Tests:
    """What an edit is tried against.

    Attributes:
        targets: node ids of failing tests, the one to be mended first.
        beside: node ids of tests that pass and are to pass still.
        concerned: for a definition, by path and name, the failing tests that go through it.
        patience: seconds of processor time that one trial may take; one that takes longer has failed.
        first: node ids of tests that run before the targets, which fail after those only.
    """

    __test__ = False

    targets: tuple[str, ...]
    beside: tuple[str, ...]
    concerned: Callable[[Definition], frozenset[str]]
    patience: float
    first: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suspected:
    """An edit, and the definition that it is an edit of."""

    edit: Edit
    definition: Definition


@dataclass(frozen=True)
class Candidate:
    """An edit that made the tests pass; `held` is how many tests have a say in it."""

    edit: Edit
    held: int

    @property
    def trusted(self) -> bool:
        """Whether it is more than luck."""
        return self.held > 1


@dataclass(frozen=True)
class Search:
    """How many edits were tried, and which mend what they should, likeliest first."""

    tried: int = 0
    candidates: tuple[Candidate, ...] = ()


def rank_edits(facts: Facts, sources: Mapping[str, str], lessons: Sequence[Lesson] = ()) -> list[Suspected]:
    """The likeliest single edits of the suspects of a failing test.

    Args:
        facts: the suspects, and how hot each line is.
        sources: the text of each suspect's file, by path.
        lessons: what earlier fixes have taught.
    """
    hints, known = words_of(facts.test_source), index(lessons)
    ranked = [
        (
            edit.cost + rank * FARTHER + _cold(facts, edit) - _gain(known, edit, definition),
            Suspected(edit, definition),
        )
        for rank, definition in enumerate(facts.suspects[:MAX_SUSPECTS])
        for edit in propose_edits(definition.path, sources[definition.path], definition.line, hints)
    ]
    ranked.sort(key=lambda found: found[0])
    return [suspected for _, suspected in ranked[:MAX_TRIALS]]


def _cold(facts: Facts, edit: Edit) -> float:
    """What it costs that other lines are more suspicious; nothing where nothing is known."""
    return COLDER * (1 - facts.heat.get((edit.path, edit.line), 0.0)) if facts.heat else 0.0


def _gain(lessons: Index, edit: Edit, definition: Definition) -> float:
    """What lessons take off the cost of an edit."""
    return MOST_GAIN * sum(lesson.weight for lesson in concerning(lessons, edit.what, definition.path, definition.name))


def lessons_of(edits: Sequence[Suspected], lessons: Sequence[Lesson]) -> frozenset[str]:
    """The ids of the lessons that have to do with some edits."""
    known = index(lessons)
    return frozenset(
        lesson.id
        for one in edits
        for lesson in concerning(known, one.edit.what, one.definition.path, one.definition.name)
    )


async def try_edits(sandbox: Sandbox, edits: Sequence[Suspected], tests: Tests, *, seconds: float) -> Search:
    """Try edits, each alone, against some tests.

    Args:
        sandbox: its view must hold the files that the edits were made for.
        edits: likeliest first.
        tests: what to try them against.
        seconds: of processor time that all trials may take.
    """
    wanted = [_wanted(suspected.definition, tests) for suspected in edits]
    trial = [suspected.edit for suspected in edits]
    verdicts = await _try(sandbox, trial, wanted, tests.targets, tests, seconds=seconds)
    candidates = []
    for number, verdict in sorted(verdicts.items()):
        if not verdict.broken and wanted[number] <= verdict.mended:
            alone = len(verdict.mended) == 1
            held = 1 + await _count_broken(sandbox, edits[number], edits, tests) if alone else len(verdict.mended)
            candidates.append(Candidate(edits[number].edit, held))
    return Search(len(verdicts), tuple(candidates))


def _wanted(definition: Definition, tests: Tests) -> frozenset[int]:
    """The places of the targets that an edit of a definition has to mend: the first, and those that go through it."""
    names = tests.concerned(definition)
    return frozenset(place for place, name in enumerate(tests.targets) if not place or name in names)


@dataclass(frozen=True)
class _Verdict:
    """What one trial came to: the places of the targets that passed, and whether a test beside them failed."""

    mended: frozenset[int]
    broken: bool


async def _count_broken(sandbox: Sandbox, one: Suspected, edits: Sequence[Suspected], tests: Tests) -> int:
    """How many other edits of the same lines break a test that passes: 0 says that no test looks there."""
    near = [
        other.edit
        for other in edits
        if other.edit.path == one.edit.path and other.edit.line == one.edit.line and other is not one
    ]
    if not near or not tests.beside:
        return 0
    some = near[:: -(-len(near) // MAX_NEIGHBOURS)]
    nothing = [frozenset[int]()] * len(some)
    verdicts = await _try(sandbox, some, nothing, (), tests, seconds=MAX_NEIGHBOURS * tests.patience)
    return sum(verdict.broken for verdict in verdicts.values())


async def _try(
    sandbox: Sandbox,
    edits: Sequence[Edit],
    wanted: Sequence[frozenset[int]],
    targets: Sequence[str],
    tests: Tests,
    *,
    seconds: float,
) -> Mapping[int, _Verdict]:
    """Run trials in the sandbox; the verdicts of those that came to an end, by their place in `edits`."""
    trials = [{**asdict(edit), "wanted": sorted(needed)} for edit, needed in zip(edits, wanted, strict=True)]
    request = {
        "trials": trials,
        "targets": targets,
        "beside": tests.beside,
        "first": tests.first,
        "seconds": tests.patience,
    }
    enough = ENOUGH if targets else len(edits) + 1
    content = json.dumps({**request, "budget": seconds, "enough": enough, "more": MORE})
    await sandbox.write({TRIALS: FileState(content.encode("ascii"))})
    report = bytearray()
    program = [sandbox.python, "-B", "/run/codeact/lib/codeact_sandbox/trials.py", TRIALS]
    try:
        await sandbox.spawn(program, timeout=CLOCK * seconds, on_report=report.extend, warm=True)
    finally:
        await sandbox.write({TRIALS: None})
    return _read(bytes(report), len(edits))


def _read(report: bytes, most: int) -> Mapping[int, _Verdict]:
    """The trials' verdicts; lines that are none are passed over, since code under test may have written them."""
    verdicts = {}
    for line in report.splitlines():
        try:
            match json.loads(line):
                case {"trial": int(number), "mended": list(mended), "broken": bool(broken)} if 0 <= number < most:
                    verdicts[number] = _Verdict(frozenset(map(int, mended)), broken)
        except (ValueError, TypeError):
            continue
    return verdicts
