"""The helpers of actions change what they are told to, byte for byte, and say how to do better when they cannot."""

import inspect
from pathlib import Path

import pytest

from codeact_sandbox import helpers, interpreter

SOURCE = '''import os


def first(x):
    return x


class Cart:
    def total(self):
        """Sum."""
        return 1
'''
OLD, NEW = b"def f():\n    return 1\n", b"def f():\n    return 2\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    for path, text in {
        "shop/cart.py": SOURCE, "shop/__init__.py": "", "tests/test_cart.py": "def test_ok():\n    assert 1 == 1\n",
        "README.md": "# Shop\n", "__pycache__/x.py": "", ".git/config": "", "data/prices.csv": "a,1\n",
    }.items():  # fmt: skip
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/*.py", ["shop/__init__.py", "shop/cart.py", "tests/test_cart.py"]),
        ("*.md", ["README.md"]),
        ("cart.py", ["shop/cart.py"]),
        ("shop", ["shop/__init__.py", "shop/cart.py"]),
        ("./shop/*.py", ["shop/__init__.py", "shop/cart.py"]),
        ("shop/c[a-b]rt.?y", ["shop/cart.py"]),
        ("nothing/*", []),
    ],
)
def test_files_lists_what_matches_without_junk(pattern: str, expected: list[str]) -> None:
    """Patterns are globs, folders or plain names; caches and git's own files are never listed."""
    assert helpers.files(pattern) == expected


def test_files_and_search_do_not_follow_links_out(project: Path, tmp_path: Path) -> None:
    """A link that leads out of the project is not there."""
    (tmp_path / "secret.py").write_text("password = 1\n")
    (project / "link.py").symlink_to(tmp_path / "secret.py")
    assert "link.py" not in helpers.files()
    assert helpers.search("password") == "nothing matches"


def test_read_numbers_lines() -> None:
    """A part of a file is shown with the numbers that its lines have in the file."""
    assert helpers.read("shop/cart.py", 4, 5) == "    4 def first(x):\n    5     return x"
    assert helpers.read("shop/cart.py").count("\n") == SOURCE.count("\n") - 1
    assert helpers.read("shop/__init__.py") == ""
    with pytest.raises(ValueError, match="has only 11 lines"):
        helpers.read("shop/cart.py", 50)


@pytest.mark.parametrize(("path", "near"), [("cart.py", "shop/cart.py"), ("shop/crat.py", "shop/cart.py")])
def test_a_missing_file_is_answered_with_near_ones(path: str, near: str) -> None:
    """The message names files of that name elsewhere, or of a similar one."""
    with pytest.raises(FileNotFoundError, match=near):
        helpers.read(path)


def test_a_folder_is_no_file() -> None:
    """Reading a folder says how to list it."""
    with pytest.raises(IsADirectoryError, match=r"files\('shop'\)"):
        helpers.read("shop")


def test_search_shows_place_and_text() -> None:
    """Each match is one line, and too many are counted."""
    assert helpers.search(r"def \w+\(x") == "shop/cart.py:4: def first(x):"
    assert helpers.search("a", "**/*.csv") == "data/prices.csv:1: a,1"
    Path("many.py").write_text("word\n" * 150)
    assert helpers.search("word").endswith("... and 50 more")


def test_replace_changes_one_passage() -> None:
    """A passage that occurs once is replaced, the rest stays."""
    helpers.replace("shop/cart.py", "return x", "return x + 1")
    assert Path("shop/cart.py").read_text() == SOURCE.replace("return x", "return x + 1")


@pytest.mark.parametrize(
    ("old", "message"),
    [
        ("return", "occurs 2 times"),
        ("def first(x):\nreturn x", "with other whitespace. It is exactly:\ndef first"),
        ("def frist(x):\n    return x", "nearest is at line 4:\ndef first"),
        ("completely different", "does not occur"),
        ("  \n", "is empty"),
    ],
)
def test_a_passage_that_does_not_fit_changes_nothing(old: str, message: str) -> None:
    """The message shows what is there instead, exactly as it has to be given."""
    with pytest.raises(ValueError, match=r"(?s)" + message.replace("(", r"\(").replace(")", r"\)")):
        helpers.replace("shop/cart.py", old, "new")
    assert Path("shop/cart.py").read_text() == SOURCE


def test_define_replaces_functions_and_methods() -> None:
    """A bare function, and a method in its class, take the place of the old ones; an old docstring stays."""
    helpers.define(
        "shop/cart.py", "def first(x):\n    return 2 * x\n\nclass Cart:\n    def total(self):\n        return 5"
    )
    text = Path("shop/cart.py").read_text()
    assert text == SOURCE.replace("return x", "return 2 * x").replace("return 1", "return 5")


def test_define_leaves_the_file_when_code_is_broken() -> None:
    """What is not Python is refused before anything is written."""
    with pytest.raises(SyntaxError):
        helpers.define("shop/cart.py", "def first(x:\n    return")
    assert Path("shop/cart.py").read_text() == SOURCE


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("def first(x):", "def first(x)", "def first(x):\n    return x"),
        ("return x", "return (x", "def first(x):\n    return x"),
        ("return 1", "return 1)", 'def total(self):\n    """Sum."""\n    return 1'),
        (
            "def total(self):",
            "def total(self:",
            'class Cart:\n    def total(self):\n        """Sum."""\n        return 1',
        ),
        ("class Cart:", "class Cart", 'class Cart:\n    def total(self):\n        """Sum."""\n        return 1'),
    ],
)
def test_define_mends_a_file_that_does_not_parse(old: str, new: str, code: str) -> None:
    """Definitions are found by their first line; those around them stay, also the rest of a class."""
    rest = "\n    @property\n    def size(self):\n        return 0\n" if "class" not in old else ""
    Path("shop/cart.py").write_text(SOURCE.replace(old, new) + rest)
    helpers.define("shop/cart.py", code)
    assert Path("shop/cart.py").read_text() == SOURCE + rest


def test_a_file_that_does_not_parse_is_changed_for_the_better_only() -> None:
    """What is not in it, and what leaves it broken, is refused."""
    Path("shop/cart.py").write_text(SOURCE.replace("return x", "return (x"))
    for code, error in (("def other():\n    pass", ValueError), ("def total(self):\n    return 2", SyntaxError)):
        with pytest.raises(error):
            helpers.define("shop/cart.py", code)
    assert Path("shop/cart.py").read_text() == SOURCE.replace("return x", "return (x")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"\xef\xbb\xbfdef f():\n    return 1\n", b"\xef\xbb\xbfdef f():\n    return 2\n"),
        (b"# coding: latin-1\nx = '\xe9'\n" + OLD, b"# coding: latin-1\nx = '\xe9'\n" + NEW),
        (b"def f():\r\n    return 1\r\nx = 1\r\n", b"def f():\r\n    return 2\r\nx = 1\r\n"),
        (b"a = 1\r\nb = 2\nc = 3\n" + OLD + b"d = 4\r\n", b"a = 1\r\nb = 2\nc = 3\n" + NEW + b"d = 4\r\n"),
        ("é = 1\n".encode() + OLD[:-1], "é = 1\n".encode() + NEW),
    ],
)  # fmt: skip
@pytest.mark.parametrize("how", ["define", "replace"])
def test_encoding_mark_and_line_ends_stay(before: bytes, after: bytes, how: str) -> None:
    """Whatever bytes a file has around the change, it has afterwards."""
    Path("odd.py").write_bytes(before)
    if how == "define":
        helpers.define("odd.py", "def f():\n    return 2\n")
    else:
        helpers.replace("odd.py", "def f():\n    return 1", "def f():\n    return 2")
        after = after if before.endswith(b"\n") else after[:-1]
    assert Path("odd.py").read_bytes() == after


def test_a_character_that_an_encoding_lacks_is_refused() -> None:
    """A Latin-1 file cannot take a snowman, and is left alone."""
    Path("odd.py").write_bytes(b"# coding: latin-1\nx = '\xe9'\n")
    with pytest.raises(ValueError, match="iso-8859-1, which has no"):
        helpers.replace("odd.py", "x =", "y = '☃'; x =")
    assert Path("odd.py").read_bytes() == b"# coding: latin-1\nx = '\xe9'\n"


def test_bytes_that_are_no_text_survive() -> None:
    """A file that is not UTF-8 keeps the bytes that nobody asked to change."""
    Path("odd.txt").write_bytes(b"one \xff\xfe\ntwo\n")
    helpers.replace("odd.txt", "two", "three")
    assert Path("odd.txt").read_bytes() == b"one \xff\xfe\nthree\n"


@pytest.mark.parametrize("path", ["/etc/codeact-test", "../outside.py", "shop/../../outside.py", "out/new.py"])
def test_nothing_is_written_outside(path: str, project: Path, tmp_path: Path) -> None:
    """Absolute paths, steps upwards and links that lead out are refused."""
    (tmp_path / "elsewhere").mkdir()
    (project / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="outside the project"):
        helpers.write(path, "x")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not (tmp_path / "outside.py").exists()


def test_write_makes_folders_and_keeps_line_ends(project: Path) -> None:
    """A new file may be in a new folder, named from the root too; an old one keeps its line ends."""
    helpers.write(str(project / "new/deep/file.txt"), "text\n")
    assert Path("new/deep/file.txt").read_bytes() == b"text\n"
    Path("dos.txt").write_bytes(b"a\r\nb\r\n")
    helpers.write("dos.txt", "c\nd\n")
    assert Path("dos.txt").read_bytes() == b"c\r\nd\r\n"


def test_run_tests_tells_what_fails_and_ends_what_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The output is pytest's own, short, with a test that hangs as one that fails; nothing is written."""
    monkeypatch.setattr(helpers, "TEST_SECONDS", 0.5)
    assert "1 passed" in helpers.run_tests()
    Path("tests/test_cart.py").write_text(
        "def test_bad():\n    assert 1 == 2\ndef test_hang():\n    while True: pass\n"
    )
    output = helpers.run_tests("tests/test_cart.py")
    assert "assert 1 == 2" in output
    assert "did not end within 0.5 s" in output
    assert "2 failed" in output
    assert not Path(".pytest_cache").exists()


def test_run_tests_bounds_what_it_says_and_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Head and tail of a long output are kept; a suite that takes too long is ended."""
    Path("tests/test_cart.py").write_text("import time\nprint('x' * 9000)\ntime.sleep(60)\n")
    with monkeypatch.context() as patch:
        patch.setattr(helpers, "SUITE_SECONDS", 1)
        assert "did not end within 1 s" in helpers.run_tests()
    Path("tests/test_cart.py").write_text("def test_a():\n    print('x\\n' * 9000)\n    assert 0\n")
    assert len(helpers.run_tests("tests/test_cart.py")) < helpers.HEAD + helpers.TAIL + 100


def test_finish_passes_any_handler_of_exceptions() -> None:
    """`finish` ends an action through `except Exception`, and carries the answer."""
    assert not issubclass(helpers.Finished, Exception)
    with pytest.raises(helpers.Finished, match="done"):
        helpers.finish("done")


def test_every_helper_is_described_in_one_line() -> None:
    """The prompt's list is the namespace, each with its own signature."""
    lines = helpers.describe().splitlines()
    assert len(lines) == len(helpers.HELPERS)
    for line, (name, function) in zip(lines, helpers.HELPERS.items(), strict=True):
        assert callable(function)
        names = [part.replace("*", "") for part in inspect.signature(function).parameters]
        assert line.startswith(f"- {name}(")
        assert all(part in line.partition("):")[0] for part in names)


def test_the_interpreter_knows_the_names_of_all_helpers() -> None:
    """They are loaded when an action names one, so none may be missing."""
    assert set(interpreter.load_helpers()) == interpreter.NAMES
