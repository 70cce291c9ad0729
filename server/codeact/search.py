"""The rung of the ladder that needs no model: try single edits of the suspects, hundreds in a few seconds.

What passes is no fix yet. It becomes an action like any that a model writes, and has to pass the same check. And since
among hundreds of edits some pass by luck, one is trusted only if the tests have a say in it: it mends every failing
test that goes through the edited function, and where it mends only one, other tests fail if the same place is edited
otherwise. After what makes patches overfit (Smith et al., 2015) and mutation analysis.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from codeact.definitions import Definition, find_definition
from codeact.sandboxes.base import Sandbox
from codeact.templates import Edit, propose_edits
from codeact.trajectory import FileState

MAX_TRIALS = 1200
MAX_SUSPECTS = 8
MAX_NEIGHBOURS = 12
ENOUGH = 4
FARTHER = 0.4  # what each place down the list of suspects adds to the cost of an edit
TRIALS = ".codeact-trials.json"


@dataclass(frozen=True)
class Tests:
    """What an edit is tried against.

    Attributes:
        targets: node ids of failing tests, the one to be mended first.
        beside: node ids of tests that pass and are to pass still.
        concerned: for a definition, by path and name, the failing tests that go through it.
        patience: seconds that one trial may take; one that takes longer has failed.
        first: node ids of tests that run before the targets, which fail after those only.
    """

    targets: tuple[str, ...]
    beside: tuple[str, ...]
    concerned: Callable[[Definition], frozenset[str]]
    patience: float
    first: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """An edit that made the tests pass, and the definition as it is with it; how many tests have a say in it."""

    edit: Edit
    definition: Definition
    held: int

    @property
    def trusted(self) -> bool:
        """Whether it is more than luck."""
        return self.held > 1


@dataclass(frozen=True)
class Search:
    """How many edits were tried, and which mend what they should, likeliest first."""

    tried: int
    candidates: tuple[Candidate, ...]


async def search_edits(
    sandbox: Sandbox, suspects: Sequence[tuple[Definition, str]], tests: Tests, *, seconds: float
) -> Search:
    """Try single edits of some definitions against some tests.

    Args:
        sandbox: its view must hold the files as they are in `suspects`.
        suspects: definitions, likeliest first, each with the text of its file.
        tests: what to try them against.
        seconds: how long all trials may take.
    """
    edits, wanted = _edits(suspects, tests)
    verdicts = await _try(sandbox, edits, wanted, tests.targets, tests, seconds=seconds)
    sources = {definition.path: source for definition, source in suspects}
    candidates = []
    for number, verdict in sorted(verdicts.items()):
        edit = edits[number]
        definition = find_definition(edit.path, edit.apply(sources[edit.path]), edit.line)
        if definition and not verdict.broken and wanted[number] <= verdict.mended:
            alone = len(verdict.mended) == 1
            held = 1 + await _count_broken(sandbox, edit, edits, tests) if alone else len(verdict.mended)
            candidates.append(Candidate(edit, definition, held))
    return Search(len(verdicts), tuple(candidates))


@dataclass(frozen=True)
class _Verdict:
    """What one trial came to: the places of the targets that passed, and whether a test beside them failed."""

    mended: frozenset[int]
    broken: bool


async def _count_broken(sandbox: Sandbox, edit: Edit, edits: Sequence[Edit], tests: Tests) -> int:
    """How many other edits of the same lines break a test that passes: 0 says that no test looks there."""
    near = [other for other in edits if other.path == edit.path and other.line == edit.line and other is not edit]
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
    content = json.dumps({**request, "enough": enough})
    await sandbox.write({TRIALS: FileState(content.encode("ascii"))})
    report = bytearray()
    program = [sandbox.python, "-B", "/run/codeact/lib/codeact_sandbox/trials.py", TRIALS]
    try:
        await sandbox.spawn(program, timeout=seconds, on_report=report.extend, warm=True)
    finally:
        await sandbox.write({TRIALS: None})
    return _read(bytes(report), len(edits))


def _edits(suspects: Sequence[tuple[Definition, str]], tests: Tests) -> tuple[list[Edit], list[frozenset[int]]]:
    """The likeliest edits of all suspects, and for each the places of the targets that it has to mend."""
    ranked = [
        (edit.cost + rank * FARTHER, edit, definition)
        for rank, (definition, source) in enumerate(suspects[:MAX_SUSPECTS])
        for edit in propose_edits(definition.path, source, definition.line)
    ]
    ranked.sort(key=lambda found: found[0])
    concerned = {definition: tests.concerned(definition) for definition, _ in suspects[:MAX_SUSPECTS]}
    wanted = {
        definition: frozenset(place for place, name in enumerate(tests.targets) if not place or name in names)
        for definition, names in concerned.items()
    }
    chosen = ranked[:MAX_TRIALS]
    return [edit for _, edit, _ in chosen], [wanted[definition] for _, _, definition in chosen]


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
