"""Which tests a change is likely to break: those that were seen to go through what it touches."""

import pytest

from codeact.affected import affected
from codeact.trajectory import FileChange, FileState, Frame

SOURCE = """LIMIT = 3


def one(x):
    return x + 1


class Shop:
    def two(self):
        return one(2)

    def three(self):
        return 3
"""


def frame(function: str, path: str = "shop.py") -> Frame:
    return Frame(path=path, line=1, function=function)


WAYS = {
    "t::one": (frame("one"),),
    "t::two": (frame("Shop.two"), frame("one")),
    "t::three": (frame("Shop.three"),),
    "t::other": (frame("one", "other.py"),),
}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("x + 1", "x + 2", ["t::one", "t::two"]),
        ("return 3", "return 4", ["t::three"]),
        ("one(2)", "one(3)", ["t::two"]),
        ("LIMIT = 3", "LIMIT = 4", ["t::one", "t::two", "t::three"]),
        ("LIMIT", "import (", ["t::one", "t::two", "t::three"]),
        ("    return x + 1\n", "    y = 1\n    return x + y\n", ["t::one", "t::two"]),
    ],
)
def test_functions_that_are_touched_are_looked_for(old: str, new: str, expected: list[str]) -> None:
    """What lies in no function may concern all that goes through the file; other files are not concerned."""
    after = SOURCE.replace(old, new)
    change = FileChange("shop.py", FileState(SOURCE.encode()), FileState(after.encode()))
    assert affected(WAYS, [change]) == expected
    assert affected(WAYS, [FileChange("shop.py", None, FileState(b""))]) == []
