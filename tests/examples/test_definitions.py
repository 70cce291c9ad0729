"""What a historic fix takes over from the next version of a file is just the definitions that it names."""

import definitions
import pytest

OLD = '''"""A module."""

import os

LIMIT = 3


class Shelf:
    """A class."""

    size = 1

    @property
    def name(self):
        return "old"

    def gone(self):
        return 1


def last():
    return LIMIT
'''
NEW = '''"""A module, newer."""

import os
import re

LIMIT = 4


class Shelf:
    """A class."""

    size = 2

    @property
    def name(self):
        return "new"

    def added(self):
        return 2


def helper():
    return 0


def last():
    return helper() + LIMIT
'''


def test_names() -> None:
    """Constants, imports, functions and what is in classes have names; decorators belong to what they decorate."""
    assert list(definitions.find_spans(NEW)) == [
        "import os",
        "import re",
        "LIMIT",
        "Shelf.size",
        "Shelf.name",
        "Shelf.added",
        "helper",
        "last",
    ]
    assert definitions.texts(NEW)["Shelf.name"].startswith("    @property\n")


def test_one_definition_changes_and_nothing_else() -> None:
    """Only the named one is as in the new version."""
    assert definitions.take_over(OLD, NEW, ["LIMIT"]) == OLD.replace("LIMIT = 3", "LIMIT = 4")
    assert definitions.take_over(OLD, NEW, ["Shelf.name"]) == OLD.replace('"old"', '"new"')


def test_definitions_come_and_go() -> None:
    """A new one is put behind its forerunner, in its class; one that the new version has not is left out."""
    text = definitions.take_over(OLD, NEW, ["Shelf.added", "Shelf.gone", "helper", "last", "import re"])
    space: dict[str, object] = {}
    exec(compile(text, "shelf.py", "exec"), space)
    assert space["last"]() == 3  # type: ignore[operator]
    assert space["Shelf"]().added() == 2  # type: ignore[operator]
    assert "gone" not in text
    assert "import re\n" in text


def test_all_of_them_make_the_new_version() -> None:
    """Taking everything over gives what the new version defines."""
    names = dict.fromkeys([*definitions.find_spans(OLD), *definitions.find_spans(NEW)])
    text = definitions.take_over(OLD, NEW, names)
    assert definitions.texts(text) == definitions.texts(NEW)


def test_what_neither_has_is_an_error() -> None:
    """A task that names something else is wrong."""
    with pytest.raises(ValueError, match="neither version defines nothing"):
        definitions.take_over(OLD, NEW, ["nothing"])


def test_tests_are_left_out() -> None:
    """A class of which no test is left goes too, one with others stays."""
    text = "class TestOne:\n    def test_a(self):\n        pass\n\n\nclass TestTwo:\n    x = 1\n\n    def test_a(self):\n        pass\n"
    left = definitions.leave_out(text, {"TestOne.test_a", "TestTwo.test_a"})
    assert list(definitions.find_spans(left)) == ["TestTwo.x"]
    assert "TestOne" not in left
