"""A fix is cut down to what its tests need, and its layout stays."""

import pytest

from codeact.minimise import Files, minimise
from codeact.trajectory import FileChange, FileState

BEFORE = b'''def total(prices,
          rate):
    """The sum."""
    result = 0
    for price in prices:
        result -= price   # sum up
    return result * rate


def name( n ):
    return n.upper( )
'''


class Needs:
    """Stands for the tests: all given texts must be in the file."""

    def __init__(self, *needed: bytes) -> None:
        self.needed = needed
        self.asked: list[Files] = []

    async def __call__(self, files: Files) -> bool:
        self.asked.append(files)
        return all(any(state and text in state.content for state in files.values()) for text in self.needed)


def change(after: bytes, path: str = "a.py", before: bytes | None = BEFORE) -> FileChange:
    return FileChange(path, FileState(before) if before is not None else None, FileState(after))


async def minimised(after: bytes, tests: Needs) -> bytes:
    assert await tests({"a.py": FileState(after)})
    tests.asked.clear()
    found = (await minimise([change(after)], tests, seconds=60)).files["a.py"]
    assert found
    return found.content


async def test_a_hunk_that_no_test_needs_is_put_back() -> None:
    """Of two changed places the one that mends stays."""
    after = BEFORE.replace(b"result -= price", b"result += price").replace(b"n.upper( )", b"n.lower()")
    found = await minimised(after, Needs(b"+= price"))
    assert found == BEFORE.replace(b"result -= price", b"result += price")


async def test_lines_of_a_rewritten_function_are_put_back() -> None:
    """A function written anew is cut down to the one line that mends it, with its odd layout as it was."""
    after = BEFORE.replace(
        b'''          rate):
    """The sum."""
    result = 0
    for price in prices:
        result -= price   # sum up
    return result * rate
''',
        b'''           rate):
    """The whole sum."""
    result = 0.0
    for  price in prices:
        result += price
    return rate * result
''',
    )
    found = await minimised(after, Needs(b"+= price"))
    assert found == BEFORE.replace(b"result -= price   # sum up", b"result += price")


async def test_layout_and_comments_cost_no_test_run() -> None:
    """What does not change the program goes without a trial."""
    after = BEFORE.replace(b"-= price", b"+= price").replace(b"def name( n )", b"# names\ndef name(n)")
    tests = Needs(b"+= price")
    assert await minimised(after, tests) == BEFORE.replace(b"-= price", b"+= price")
    assert len(tests.asked) <= 1


async def test_lines_that_belong_together_stay() -> None:
    """An inserted block is not left without its end."""
    block = b"    if not prices:\n        return 0\n"
    after = BEFORE.replace(b"    result = 0\n", block + b"    result = 0\n")
    assert await minimised(after, Needs(b"return 0\n")) == after


async def test_a_file_that_is_not_needed_goes() -> None:
    """A new file, and a binary one, is kept or left out as a whole."""
    mended = BEFORE.replace(b"-= price", b"+= price")
    changes = [change(mended), change(b"x = 1\n", "new.py", None), change(b"\0\1", "data.bin", b"\0")]
    found = await minimise(changes, Needs(b"+= price"), seconds=60)
    assert list(found.files) == ["a.py"]
    assert found.put_back == 2


@pytest.mark.parametrize("seconds", [-1.0, 60.0])
async def test_trials_are_bounded(seconds: float) -> None:
    """There are only so many, and none when the time is over; the fix then stays as it is."""
    before = b"".join(b"a%d = %d\n\n" % (i, i) for i in range(100))
    after = before.replace(b"= ", b"= 1")
    tests = Needs(after)
    found = await minimise([change(after, before=before)], tests, seconds=seconds)
    assert found.files["a.py"] == FileState(after)
    assert len(tests.asked) == found.trials <= (24 if seconds > 0 else 0)


async def test_a_single_change_costs_nothing() -> None:
    """With one changed line there is nothing to try."""
    tests = Needs(b"+= price")
    await minimised(BEFORE.replace(b"-= price", b"+= price"), tests)
    assert tests.asked == []
