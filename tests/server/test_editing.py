"""Scripts that change files one by one: when an instruction asks for one, and what becomes of the files."""

import subprocess
import sys
from pathlib import Path

import pytest

from codeact.editing import complete, files_to_change, opening
from codeact.framing import frame
from codeact.kits import add_kit

PATHS = ["HEADER.txt", "README.md", "data/a.csv", "data/b.csv", "src/a.py", "src/b/c.py"]


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        (
            "Write a script that adds HEADER.txt to the top of all Python files in src/.",
            'sorted(Path("src").rglob("*.py"))',
        ),
        ("a script to replace tabs in the .py files", 'sorted(Path(".").rglob("*.py"))'),
        ("Write a script that puts all CSV files of data/ into build/shop.db", ""),
        ("Write a script that puts all CSV files of data/ into one list", ""),
        ("Write a script that counts the lines of all Python files", ""),
        ("Write a script that removes the first line of README.md", ""),
    ],
)
def test_an_instruction_tells_whether_files_are_changed_one_by_one(instruction: str, expected: str) -> None:
    """By its verb, and by what it does not name: a file to write, or one thing to make of all."""
    assert files_to_change(instruction, PATHS) == expected


def test_what_stays_as_it_is_comes_first() -> None:
    """Where some files are to be passed over by what is in them, a model goes on with that; folders are left out before."""
    told = "Adds HEADER.txt to all Python files. Skip generated ones"
    assert opening(f"{told}.", PATHS).endswith("    # First, what stays as it is.\n    if")
    assert opening(f"{told}, they aren't ours and don't count.", PATHS).endswith("    if")
    assert opening(f"{told} ('DO NOT EDIT').", PATHS).endswith("    if any('DO NOT EDIT' in line for line in lines")
    assert "add_header(lines, header)" in opening("Adds HEADER.txt to all Python files, except src/b/.", PATHS)


def test_files_keep_what_was_not_changed(tmp_path: Path) -> None:
    """Line ends, and whether there is one at the end; files that need nothing, and what is no text, are left alone."""
    begun = opening("Adds HEADER.txt to all Python files.", PATHS).removeprefix("```python\n")
    assert "    header = read_lines('HEADER.txt')\n" in begun
    tried = (
        "\n\nfor path in sorted(x) if path.suffix in y:\n    change(path)\n"  # what a model writes after its function
    )
    code = f"{begun}    if lines[:1] == header:\n        return lines\n    return header + lines\n{tried}"
    (tmp_path / "src").mkdir()
    before = {
        "HEADER.txt": b"# mine\n",
        "src/a.py": b"x = 1\n\n\n",
        "src/b.py": b"x = 1\r\ny = 2\r\n",
        "src/c.py": b"x = '\x85'",
        "src/d.py": b"# mine\nx\n",
        "src/e.py": b"",
        "src/f.py": b"\xff\xfe",
    }
    for path, content in before.items():
        (tmp_path / path).write_bytes(content)
    script = frame(add_kit(complete(code, 'sorted(Path("src").rglob("*.py"))')), "x")
    (tmp_path / "job.py").write_text(script)
    done = subprocess.run([sys.executable, "-I", "job.py"], cwd=tmp_path, check=True, capture_output=True, text=True)
    after = {path: (tmp_path / path).read_bytes() for path in before}
    assert after == {
        **before,
        "src/a.py": b"# mine\nx = 1\n\n\n",
        "src/b.py": b"# mine\r\nx = 1\r\ny = 2\r\n",
        "src/e.py": b"# mine\n",
    }
    assert done.stdout.splitlines() == ["changed src/a.py", "changed src/b.py", "changed src/e.py"]


@pytest.mark.parametrize("name", ["class.txt", "2024.txt", "lines.txt", "a b-c.txt"])
def test_a_text_of_any_name_is_read(name: str) -> None:
    """What a file is called need not be a variable's name."""
    begun = opening(f"Adds {name} to all Python files.", [name, *PATHS]).removeprefix("```python\n")
    compile(f"{begun}    return lines\n", "x", "exec")
    assert f"read_lines({name!r})" in begun


def test_what_does_not_define_the_change_stays_as_it_is() -> None:
    """A model may write a whole script after all."""
    for code in ("def work():\n    pass\n", "def change(a, b, c):\n    pass\n", "def change(:\n"):
        assert complete(code, "FILES") == code
