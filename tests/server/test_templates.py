"""Single edits without a model: the classic mistakes are undone, and what is proposed is always another program."""

import ast

import pytest

from codeact.templates import propose_edits, words_of

MISTAKES = [
    ("def f(a, b):\n    return a < b\n", "a <= b"),
    ("def f(a, b):\n    return a - b\n", "a + b"),
    ("def f(n):\n    return list(range(n))\n", "range(n + 1)"),
    ("def f(a):\n    return a[0]\n", "a[-1]"),
    ("def f(a, b):\n    return g(a, b)\n", "g(b, a)"),
    ("def f(a, b, c):\n    return f(a, b, c)\n", "f(c, b, a)"),
    ("def f(x=[]):\n    x.append(1)\n    return x\n", "x=None):\n    if x is None:\n        x = []"),
    ("def f(a):\n    for x in a:\n        y = x\n        return y\n", "        y = x\n    return y"),
    ("import re\ndef f(t):\n    return re.findall(r'\\d', t)\n", "r'\\d+'"),
    ("def f(c, p):\n    return c * p // 100\n", "round(c * p / 100)"),
    ("def f(a):\n    'ü'; return a == 1 and a\n", "a == 1 or a"),
    ("def f(n):\n    return -1 ** n\n", "(-1) ** n"),
    ("def f(a, b, c):\n    return a + b * c\n", "(a + b) * c"),
    ("def f(n, k):\n    return n * 2 // k\n", "n * 2 // (k + 1)"),
    ("def f(r, c, p):\n    return r - c == p[0] - p[1]\n", "r + c == p[0] + p[1]"),
    ("def f(i, j, k, a):\n    a[i], a[j] = a[j], a[i]\n", "a[k], a[j] = a[j], a[k]"),
    ("def f(a, b):\n    return a, a - b\n", "b, b - a"),
    ("import bisect\ndef f(a, x):\n    return bisect.bisect_right(a, x)\n", "bisect.bisect_left(a, x)"),
    ("def f(a):\n    for i in range(2, len(a)):\n        pass\n", "reversed(range(2, len(a)))"),
    ("def f(a):\n    return a is not None\ndef g(a):\n    return a.last\n", "a is not None and a.last"),
    ("def f(m):\n    count = 0\n    for c in m:\n        count = int(c)\n    return count\n", "count * 10 + int(c)"),
    ("def f(rows):\n    return max(rows[0] - 1, 0)\n", "max(rows) - 1"),
    ("def f(d, i, j):\n    return d[i - 1, j]\n", "d[i - 1, j - 1]"),
    ("def f(a, n):\n    return f'{a:<{n}} {a:*>8}'\n", "f'{a:<{n}} {a:*^8}'"),
    ("def f(a, n):\n    return f'{a:<{n}} {a:*>8}'\n", "f'{a:>{n}} {a:*>8}'"),
    ("def f(a):\n    return 'about {:.1f}'.format(a)\n", "{:.2f}"),
]
MISSING = [
    ("def f(a, seen):\n    seen.append(a)\n    go(seen)\n", "go(seen)\n    seen.pop()"),
    ("def f(t):\n    n = ''\n    for c in t:\n        n += c\n        done(n)\n", "done(n)\n        n = ''"),
    (
        "def f(left, a):\n    for x in a:\n        if left[x] == 0:\n            go(x)\n",
        "left[x] -= 1\n        if left[x] == 0",
    ),
    ("def f(a, b, p):\n    go(p)\n    return p\n", "if a == b:\n        return p\n    go(p)"),
    ("def f(a):\n    seen = []\n    for x in a:\n        go(x)\n    return seen\n", "seen.append(x)\n"),
]


@pytest.mark.parametrize(("before", "after"), MISTAKES + MISSING)
def test_the_classic_mistakes_are_undone(before: str, after: str) -> None:
    """Each undoes one mistake, parses, and leaves the rest of the file byte for byte; cheap ones come first."""
    line = before[: before.index("def")].count("\n") + 1
    edits = propose_edits("m.py", before, line)
    assert any(after in edit.apply(before) for edit in edits), [edit.what for edit in edits]
    assert [edit.cost for edit in edits] == sorted(edit.cost for edit in edits)


@pytest.mark.parametrize("before", [before for before, _ in MISTAKES + MISSING])
def test_every_edit_is_another_program(before: str) -> None:
    """None is a program that does not parse, the same program, or one that another edit makes too."""
    line = before[: before.index("def")].count("\n") + 1
    programs = [ast.dump(ast.parse(edit.apply(before))) for edit in propose_edits("m.py", before, line)]
    assert ast.dump(ast.parse(before)) not in programs
    assert len(programs) - len(set(programs)) <= 2  # two places can come to the same


def test_tables_of_modules_and_classes_are_edited() -> None:
    """An assignment outside of functions is a suspect like any other."""
    source = "import operator\nOPS = {\n    '/': operator.floordiv,\n}\n\n\nclass A:\n    SIZE = 10\n"
    assert any("operator.truediv" in edit.apply(source) for edit in propose_edits("m.py", source, 2))
    assert any("SIZE = 11" in edit.apply(source) for edit in propose_edits("m.py", source, 8))


def test_words_of_the_test_may_be_meant() -> None:
    """A word that only the failing test says is tried where the code says another."""
    source = "def f(a):\n    return ('in', a)\n"
    hints = words_of("def test_f():\n    assert f(1) == ('out', 1)\n")
    assert hints == ("out",)
    assert any("('out', a)" in edit.apply(source) for edit in propose_edits("m.py", source, 1, hints))


@pytest.mark.parametrize("source", ["def f(:\n", "", "x = 1\n", "\0"])
def test_what_is_no_function_has_no_edits(source: str) -> None:
    """Nothing is proposed for what does not parse or is not there."""
    assert propose_edits("m.py", source, 2) == ()
