"""Single edits are tried in forks, in a real sandbox: which mend, which break, which never end."""

from collections.abc import Callable
from typing import Any

from codeact.definitions import Definition
from codeact.facts import Facts
from codeact.search import Suspected, Tests, rank_edits, try_edits
from codeact.templates import Edit
from codeact.trajectory import FileState, Outcome, TestResult

SOURCE = "def total(items):\n    result = 1\n    for item in items:\n        result += item\n    return result\n"
TESTS = (
    "from calc import total\n\n\ndef test_some():\n    assert total([1, 2]) == 3\n\n\n"
    "def test_none():\n    assert total([]) == 0\n\n\ndef test_kind():\n    assert isinstance(total([1]), int)\n"
)
TOTAL = Definition("calc.py", "total", 1, SOURCE.rstrip("\n"))
FILES = {"calc.py": FileState(SOURCE.encode()), "test_calc.py": FileState(TESTS.encode())}
BOTH = ("test_calc.py::test_some", "test_calc.py::test_none")
KIND = ("test_calc.py::test_kind",)


def against(targets: tuple[str, ...] = BOTH, beside: tuple[str, ...] = KIND, patience: float = 1.0) -> Tests:
    return Tests(targets, beside, lambda _: frozenset(targets), patience)


def edit(old: str, new: str) -> Suspected:
    start = SOURCE.index(old)
    found = Edit(
        path="calc.py",
        line=SOURCE[:start].count("\n") + 1,
        what=new,
        start=start,
        stop=start + len(old),
        text=new,
        cost=1,
    )
    return Suspected(found, TOTAL)


async def test_what_mends_all_is_found_among_what_does_not(open_one: Callable[..., Any]) -> None:
    """The one edit that makes both failing tests pass is a candidate that both have a say in."""
    edits = [edit("= 1", "= 2"), edit("+=", "-="), edit("= 1", "= 0"), edit("return result", "return 3")]
    async with open_one() as sandbox:
        await sandbox.write(FILES)
        found = await try_edits(sandbox, edits, against(), seconds=30)
        changed = (await sandbox.changes()).files
    assert [candidate.edit.text for candidate in found.candidates] == ["= 0"]
    assert found.candidates[0].held == 2
    assert found.tried == 4
    assert changed == FILES, "edits are seen by their own forks only"


async def test_what_breaks_a_test_beside_is_none(open_one: Callable[..., Any]) -> None:
    """A test that passed and fails with the edit rules it out; one that mends only half does not do either."""
    broken = edit("return result", "return str(result) if len(items) == 1 else result - 1")
    half = edit("= 1", "= 0 if items else 1")
    async with open_one() as sandbox:
        await sandbox.write(FILES)
        found = await try_edits(sandbox, [broken, half], against(), seconds=30)
    assert found.candidates == ()


async def test_what_never_ends_costs_its_own_time_only(open_one: Callable[..., Any]) -> None:
    """An endless loop is ended after its patience, and what comes after it is still tried."""
    endless = edit("return result", "while True: pass")
    async with open_one() as sandbox:
        await sandbox.write(FILES)
        found = await try_edits(sandbox, [endless, endless, edit("= 1", "= 0")], against(patience=0.3), seconds=30)
    assert [candidate.edit.text for candidate in found.candidates] == ["= 0"]


async def test_luck_is_not_trusted(open_one: Callable[..., Any]) -> None:
    """An edit that mends one test, on a line where no other test would notice anything, passes by luck."""
    lucky = edit("return result", "return result - (not items)")
    edits = [lucky, edit("return result", "return result + 0"), edit("return result", "return int(result)")]
    async with open_one() as sandbox:
        await sandbox.write(FILES)
        found = await try_edits(sandbox, edits, against(BOTH[1:]), seconds=30)
    assert [candidate.trusted for candidate in found.candidates] == [False]


async def test_edits_come_by_likelihood_and_heat(open_one: Callable[..., Any]) -> None:
    """Ranked edits begin with the cheap ones of hot lines, and the right one is found among them in a sandbox."""
    target = TestResult(node_id=BOTH[0], outcome=Outcome.FAILED)
    facts = Facts(target, TESTS, "", (), (TOTAL,), heat={("calc.py", 2): 1.0, ("calc.py", 4): 0.2})
    edits = rank_edits(facts, {"calc.py": SOURCE})
    assert edits[0].edit.line == 2
    async with open_one() as sandbox:
        await sandbox.write(FILES)
        found = await try_edits(sandbox, edits, against(), seconds=30)
    assert found.candidates[0].edit.apply(SOURCE) == SOURCE.replace("= 1", "= 0")
