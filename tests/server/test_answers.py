"""From a model's words to actions: what it writes, nearly right or not, becomes the edit that it meant."""

import pytest

from codeact.answers import interpret, parse_answer
from codeact.definitions import Definition, find_definition
from codeact_sandbox.definitions import define

SOURCE = '''"""A shop."""

import os

RATE = 3


class Cart:
    """A cart."""

    @property
    def total(self):
        """Sum of all."""
        return sum(self.items) - 1

    def other(self):
        return 2


def price(a,
          b):
    return a - b
'''
KNOWN = (
    Definition("shop.py", "Cart.total", 11, ""),
    Definition("shop.py", "price", 20, "", ("RATE = 3",)),
    Definition("util.py", "helper", 1, ""),
)


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("Words.\n```python\nx = 1\n```\nMore.", ("x = 1\n",)),
        ("```py\nx\n```\n~~~\ny\n~~~", ("x\n", "y\n")),
        ("1. Do:\n   ```python\n   def f():\n       return 1\n   ```", ("def f():\n    return 1\n",)),
        ("```json\n{}\n```", ()),
        ("```python\nx = 1\ny = (2", ("x = 1\n",)),
        ("def f():\n    return 1", ("def f():\n    return 1",)),
        (">>> no fence, no code", ()),
        ("```python\n>>> f(1)\n2\n>>> g(2)\n```", ("f(1)\ng(2)\n",)),
        ("", ()),
    ],
)
def test_blocks_are_found(text: str, blocks: tuple[str, ...]) -> None:
    """Fences of all kinds, indented, never closed, or left out altogether."""
    assert parse_answer(text).blocks == blocks


def test_definitions_become_edits_of_their_files() -> None:
    """Each goes to the file that has it; imports and new helpers go with the first."""
    code = "import math\n\ndef price(a, b):\n    return a + b\n\ndef helper():\n    return 1\n"
    action = interpret(code, KNOWN, ("read",))
    edits: dict[str, str] = {}
    exec(action, {"define": edits.__setitem__})
    assert edits["util.py"] == "def helper():\n    return 1\n"
    assert edits["shop.py"].startswith("import math\n\ndef price")


@pytest.mark.parametrize(
    "code",
    [
        "print(read('shop.py'))",
        "def unknown():\n    pass",
        "x = 1",
        "def price(a, b):\n    return 1\nread('x')",
        "def (",
    ],
)
def test_other_code_is_run_as_it_is(code: str) -> None:
    """What defines nothing known, calls a helper, or does not parse."""
    assert interpret(code, KNOWN, ("read",)) == code


def test_define_replaces_by_name_and_leaves_the_rest() -> None:
    """A function, a constant, a bare method; decorators and docstrings that were left out stay."""
    merged = define(
        SOURCE, "RATE = 4\n\ndef price(a, b):\n    return a + b\n\ndef total(self):\n    return sum(self.items)\n"
    )
    assert merged == SOURCE.replace("RATE = 3", "RATE = 4").replace("sum(self.items) - 1", "sum(self.items)").replace(
        "def price(a,\n          b):\n    return a - b", "def price(a, b):\n    return a + b"
    )


def test_define_merges_classes_and_adds_what_is_new() -> None:
    """A class is merged member by member; unused imports are not added, used ones are."""
    merged = define(
        SOURCE,
        "import re\nimport math\n\nclass Cart:\n    def other(self):\n        return math.pi\n\n    def more(self):\n        return 3\n",
    )
    assert "import math\n" in merged
    assert "import re" not in merged
    assert "return sum(self.items) - 1" in merged
    assert "    def more(self):\n        return 3\n" in merged


@pytest.mark.parametrize("code", ["", "print(1)", "def price(a,\n          b):\n    return a - b\n"])
def test_define_tells_when_nothing_changes(code: str) -> None:
    """A copy of what is there is no fix."""
    with pytest.raises(ValueError, match="Nothing changed"):
        define(SOURCE, code)


def test_strings_of_several_lines_are_not_shifted() -> None:
    """Moving a function into a class leaves the inside of its strings alone."""
    merged = define(SOURCE, 'def other(self):\n    return """a\n  b"""\n')
    assert '    def other(self):\n        return """a\n  b"""\n' in merged


def test_the_outermost_definition_is_found() -> None:
    """Methods by their class, with the constants they use."""
    found = find_definition("shop.py", SOURCE + "    # end\n\ndef rate():\n    return RATE\n", 14)
    assert found
    assert (found.name, found.line) == ("Cart.total", 11)
    rate = find_definition("shop.py", SOURCE + "\n\ndef rate():\n    return RATE\n", 26)
    assert rate
    assert rate.constants == ("RATE = 3",)
