"""Small workspaces with a fault, made in a temporary folder."""

import subprocess
from pathlib import Path

BROKEN = "def add(a, b):\n    return a - b\n\n\ndef double(a):\n    return a * 2\n"
MENDED = BROKEN.replace("a - b", "a + b")
TESTS = (
    "from calc import add, double\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\n\n"
    "def test_double():\n    assert double(4) == 8\n"
)
ANSWER = "It subtracts.\n\n```python\ndef add(a, b):\n    return a + b\n```\n"
WRONG = "It is something else.\n\n```python\ndef add(a, b):\n    return a * b\n```\n"


def make_workspace(folder: Path, files: dict[str, str] | None = None, *, git: bool = True) -> Path:
    """A workspace with one failing test and one that passes, or with the given files."""
    for path, text in (files or {"calc.py": BROKEN, "test_calc.py": TESTS}).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    if git:
        run_git(folder, "init", "-q")
        run_git(folder, "add", "-A")
        run_git(folder, "commit", "-qm", "first")
    return folder


def run_git(folder: Path, *arguments: str) -> str:
    """Run git as a developer would, with a name of its own."""
    who = ["-c", "user.name=Dev", "-c", "user.email=dev@example.org"]
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, `.git` included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
