"""What edits do beside what tests check, in a real sandbox: recorded calls, inputs made of them, and odd code."""

from collections.abc import Callable, Sequence
from typing import Any

from codeact.behaviour import Comparison, Origin, compare_edits
from codeact.preference import rank, tell
from codeact.sandboxes.base import Sandbox
from codeact.search import Candidate, Tests
from codeact.templates import Edit
from codeact.trajectory import FileState

CLAMP = "def clamp(value, low, high):\n    return min(low, max(value, high))\n"
TEST_CLAMP = (
    "from code import clamp\n\n\ndef test_bad():\n    assert clamp(5, 1, 10) == 5\n\n\n"
    "def test_good():\n    assert clamp(1, 1, 1) == 1\n"
)


def against(*beside: str, target: str = "test_bad", patience: float = 1.0) -> Tests:
    names = tuple(f"test_it.py::{name}" for name in beside or ("test_good",))
    return Tests((f"test_it.py::{target}",), names, lambda _: frozenset(), patience)


def edit(source: str, old: str, new: str, cost: float = 1.0) -> Edit:
    assert source.count(old) == 1
    start = len(source[: source.index(old)].encode())
    line = source[: source.index(old)].count("\n") + 1
    what = f"`{old}` becomes `{new}`"
    return Edit(path="it.py", line=line, what=what, start=start, stop=start + len(old), text=new, cost=cost)


async def compare(
    sandbox: Sandbox, source: str, tests: str, changes: Sequence[tuple[str, str]], against: Tests
) -> Comparison | None:
    """Compare edits of `it.py` with what the tests in `test_it.py` call."""
    files = {"it.py": source, "test_it.py": tests.replace("from code import", "from it import")}
    await sandbox.write({path: FileState(text.encode()) for path, text in files.items()})
    edits = [edit(source, old, new) for old, new in changes]
    return await compare_edits(sandbox, edits, {"it.py": source}, against)


def shown(comparison: Comparison, origin: Origin) -> list[str]:
    return [found.shown for found in comparison.inputs.values() if found.origin is origin]


def deeds(comparison: Comparison, version: int, call: str) -> str:
    number = next(number for number, found in comparison.inputs.items() if found.shown == call)
    return str((comparison.before, *comparison.after)[version].get(number, "left out"))


async def test_versions_are_called_as_tests_call_and_a_little_otherwise(open_one: Callable[..., Any]) -> None:
    """Calls of failing and passing tests are told apart, inputs are made of both, and each version does its own."""
    changes = [("min(low, max(value, high))", "max(low, min(value, high))"), ("min(low, max(value, high))", "value")]
    async with open_one() as sandbox:
        found = await compare(sandbox, CLAMP, TEST_CLAMP, changes, against())
        again = await compare(sandbox, CLAMP, TEST_CLAMP, changes, against())
        left = (await sandbox.changes()).files
    assert found
    assert shown(found, Origin.TARGET) == ["clamp(5, 1, 10)"]
    assert shown(found, Origin.BESIDE) == ["clamp(1, 1, 1)"]
    assert 20 <= len(shown(found, Origin.MADE)) <= 64
    assert [deeds(found, version, "clamp(5, 1, 10)") for version in range(3)] == [
        "returns `1`",
        "returns `5`",
        "returns `5`",
    ]
    assert [deeds(found, version, "clamp(0, 1, 1)") for version in (1, 2)] == ["returns `1`", "returns `0`"]
    assert found == again, "nothing is left to chance"
    assert set(left) == {"it.py", "test_it.py"}


async def test_calls_of_tests_are_told_from_calls_further_inside(open_one: Callable[..., Any]) -> None:
    """What a passing test calls itself, and what is called on its way, are inputs of different kinds."""
    source = CLAMP + "\n\ndef scale(value, ends):\n    return clamp(value, ends.low, ends.high)\n"
    tests = TEST_CLAMP.replace("import clamp", "import clamp, scale").replace(
        "(1, 1, 1) == 1", "(1, 1, 1) == 1\n    assert scale(3, Ends()) == 2\n\n\nclass Ends:\n    low, high = 2, 4"
    )
    changes = [("min(low, max(value, high))", "max(low, min(value, high))"), ("ends.low, ends.high", "2, 4")]
    async with open_one() as sandbox:
        found = await compare(sandbox, source, tests, changes, against())
    assert found
    assert shown(found, Origin.BESIDE) == ["clamp(1, 1, 1)", "scale(3, Ends())"]
    assert shown(found, Origin.INNER) == ["clamp(3, 2, 4)"]


async def test_what_never_ends_is_an_outcome_like_any_other(open_one: Callable[..., Any]) -> None:
    """A loop without an end, a killed process and an exit each end their own input; what comes after is still called."""
    source = "import os\n\n\ndef half(n):\n    if n < 3: return n\n    return 1\n"
    tests = (
        "from it import half\n\n\ndef test_bad():\n    assert half(10) == 5\n\n\n"
        "def test_good():\n    assert half(2) == 2\n    assert half(4) == 1\n"
    )
    changes = [
        ("return 1\n", "return n // 2 if n != 11 else [0 for _ in iter(int, 1)]\n"),
        ("return 1\n", "return n // 2 if n != 11 else os.kill(os.getpid(), 9)\n"),
        ("return 1\n", "return n // 2 if n != 11 else os._exit(0)\n"),
        ("return 1\n", "return n // 2 if n != 11 else 10 ** 10 ** 9\n"),
        ("return 1\n", "return n // 2 if n != 11 else exit()\n"),
    ]
    async with open_one() as sandbox:
        found = await compare(sandbox, source, tests, changes, against())
    assert found
    assert [deeds(found, version, "half(11)") for version in range(6)] == [
        "returns `1`",
        "does not end",
        "ends the process",
        "ends the process",
        "does not end",
        "raises `SystemExit`",
    ]
    assert [deeds(found, version, "half(20)") for version in range(1, 6)] == ["returns `10`"] * 5


async def test_methods_generators_and_changed_arguments_are_observed(open_one: Callable[..., Any]) -> None:
    """A method is called on copies of its object, iterators are drained, and what a call leaves behind counts."""
    source = (
        "class Box:\n    def __init__(self, items):\n        self.items = items\n\n"
        "    def put(self, item, seen):\n        self.items.append(item)\n        seen += [0]\n\n"
        "    @property\n    def pairs(self):\n        for item in self.items:\n            yield item, 1\n\n"
        "    @staticmethod\n    def twice(text):\n        return text\n\n"
        "    @classmethod\n    async def make(cls, *items, **more):\n        return cls(list(items))\n"
    )
    tests = (
        "import asyncio\nfrom it import Box\n\n\ndef test_bad():\n    box = Box([1])\n    box.put(2, [])\n"
        "    assert list(box.pairs) == [(1, 2), (2, 2)]\n\n\n"
        "def test_good():\n    assert Box.twice('ab')\n    assert asyncio.run(Box.make(1, 2, x=3)).items\n"
    )
    changes = [
        ("append(item)", "insert(0, item)"),
        ("seen += [0]", "seen = seen + [0]"),
        ("item, 1", "item, 2"),
        ("return text", "return text * 2"),
        ("list(items)", "list(items)[1:]"),
    ]
    async with open_one() as sandbox:
        found = await compare(sandbox, source, tests, changes, against())
    assert found
    put = "Box(items=[1]).put(2, [])"
    assert deeds(found, 0, put) == "returns `None` and leaves `Box(items=[1, 2]), 2, [0]`"
    assert deeds(found, 1, put) == "returns `None` and leaves `Box(items=[2, 1]), 2, [0]`"
    assert deeds(found, 2, put) == "returns `None` and leaves `Box(items=[1, 2]), 2, []`"
    assert deeds(found, 3, "Box(items=[1, 2]).pairs()") == "returns `[(1, 2), (2, 2)]`"
    assert deeds(found, 4, "Box.twice('ab')") == "returns `'abab'`"
    assert deeds(found, 5, "Box.make(1, 2, x=3)") == "returns `Box(items=[2])`"


async def test_what_cannot_be_compared_is_left_out(open_one: Callable[..., Any]) -> None:
    """Arguments that cannot be copied are counted; what comes out otherwise each time, or is opaque, is not told."""
    source = (
        "import random\nimport time\n\n\ndef call(function, kind):\n    if kind == 'time': return time.time_ns()\n"
        "    if kind == 'random': return random.random()\n    if kind == 'opaque': return object()\n"
        "    return 2\n"
    )
    tests = (
        "from it import call\n\n\ndef test_bad():\n    assert call(None, 'plain') == 3\n\n\ndef test_good():\n"
        "    for kind in ('time', 'random', 'opaque', 'plain'):\n        call(len, kind)\n    call(lambda: 1, 'plain')\n"
    )
    async with open_one() as sandbox:
        found = await compare(
            sandbox, source, tests, [("return 2", "return 3"), ("return 2", "return 1 + 2")], against()
        )
    assert found
    assert found.skipped == 1
    calls = [f"call(<built-in function len>, '{kind}')" for kind in ("time", "random", "opaque", "plain")]
    assert [deeds(found, 0, call) for call in calls] == ["left out", "left out", "left out", "returns `2`"]


async def test_a_target_that_never_ends_is_recorded_until_its_time_is_over(open_one: Callable[..., Any]) -> None:
    """What a failing test called before it hung still counts, and the code as it is may hang with it."""
    source = "def count(n):\n    i = 0\n    while i != n:\n        i += 2\n    return i\n"
    tests = "from it import count\n\n\ndef test_bad():\n    assert count(3) == 3\n\n\ndef test_good():\n    assert count(4)\n"
    async with open_one() as sandbox:
        found = await compare(sandbox, source, tests, [("+= 2", "+= 1"), ("!= n", "< n - 1")], against(patience=0.3))
    assert found
    assert deeds(found, 0, "count(3)") == "does not end"
    assert deeds(found, 1, "count(3)") == "returns `3`"
    assert deeds(found, 2, "count(4)") == "returns `4`"


async def test_a_hostile_version_can_lie_about_itself_only(open_one: Callable[..., Any]) -> None:
    """Code that writes into every descriptor that it finds neither ends the comparison nor speaks for others."""
    flood = (
        '[__import__(\'os\').write(n, b\'{"version": 0, "input": 0, "did": "crashed"}\\n\' * 9) for n in range(3, 30)'
        " if __import__('os').path.exists(f'/proc/self/fd/{n}')] and value"
    )
    changes = [("min(low, max(value, high))", "max(low, min(value, high))"), ("min(low, max(value, high))", flood)]
    async with open_one() as sandbox:
        found = await compare(sandbox, CLAMP, TEST_CLAMP, changes, against())
    assert found
    assert deeds(found, 0, "clamp(5, 1, 10)") == "returns `1`"
    assert deeds(found, 1, "clamp(5, 1, 10)") == "returns `5`"


async def test_without_calls_there_is_no_comparison(open_one: Callable[..., Any]) -> None:
    """Where tests call no edited function, or cannot be collected, nothing is said."""
    unused = CLAMP + "\n\ndef other():\n    return 1\n"
    changes = [("return 1\n", "return 2\n"), ("return 1\n", "return 3\n")]
    async with open_one() as sandbox:
        assert await compare(sandbox, unused, TEST_CLAMP, changes, against()) is None
        broken = TEST_CLAMP.replace("import clamp", "import clamp, nothing")
        assert await compare(sandbox, CLAMP, broken, [("min(low", "max(low")], against()) is None


async def test_a_constant_is_compared_by_what_uses_it(open_one: Callable[..., Any]) -> None:
    """An edit of a module's constant shows in the functions that read it."""
    source = "RATE = 2\n\n\ndef cost(n):\n    return n * RATE\n"
    tests = "from it import cost\n\n\ndef test_bad():\n    assert cost(2) == 6\n\n\ndef test_good():\n    assert cost(0) == 0\n"
    async with open_one() as sandbox:
        found = await compare(sandbox, source, tests, [("RATE = 2", "RATE = 3"), ("n * RATE", "n + 4")], against())
    assert found
    assert [deeds(found, version, "cost(0)") for version in range(3)] == ["returns `0`", "returns `0`", "returns `4`"]


async def test_behaviour_decides_which_edit_is_offered(open_one: Callable[..., Any]) -> None:
    """What passing tests call is kept, what the same edit says in other words is one, and an input shows the rest."""
    source = "def fit(value, high):\n    return value\n"
    tests = (
        "from it import fit\n\n\ndef test_bad():\n    assert fit(7, 5) == 5\n\n\n"
        "def test_good():\n    assert fit(3, 5) > 0\n"
    )
    new = [
        "high",
        "min(high, value)",
        "high if value > high else value",
        "value % 6 + 4",
        "high if value > 6 else value",
    ]
    changes = [("return value", f"return {text}") for text in new]
    async with open_one() as sandbox:
        found = await compare(sandbox, source, tests, changes, against())
    candidates = [Candidate(edit(source, old, text), 2) for old, text in changes]
    assert found
    order = [[candidate.edit.text.partition(" ")[2] for candidate in tier] for tier in rank(candidates, found)]
    assert order[0] == ["min(high, value)", "high if value > 6 else value"]
    assert order[-1] == ["high if value > high else value"]
    told = tell(candidates[1], candidates, found)
    assert told.startswith(f"5 edits pass, compared on 2 recorded and {len(shown(found, Origin.MADE))} made inputs.")
    assert "also changes what a passing test gets: `fit(3, 5)` returns `3`, with that it returns `5`." in told
    assert "`return value` becomes `return high if value > high else value` does the same." in told
    assert rank(candidates, None) == [candidates]
    runner_up = "`return value` becomes `return high if value > 6 else value`"
    assert f"Undecided: `fit(5, 3)` returns `3`; with the runner-up ({runner_up}) it returns `5`." in told
