"""The Worker's package, compiled once for each Python."""

import os
import subprocess
import sys
import time
from pathlib import Path

from codeact.sandboxes.library import compiled_for, worker_package

PYTHON = Path(sys.executable)
IMPORT = """
import sys
sys.path.insert(0, {folder!r})
import codeact_sandbox.serving as serving
print(serving.__cached__ and __import__("os").path.exists(serving.__cached__))
"""


def test_a_python_finds_bytecode(tmp_path: Path) -> None:
    package = compiled_for(PYTHON, tmp_path)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "codeact_sandbox").symlink_to(package)
    code = IMPORT.format(folder=str(tmp_path / "lib"))
    done = subprocess.run([PYTHON, "-I", "-S", "-B", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
    assert {file.name for file in package.glob("*.py")} == {file.name for file in worker_package().glob("*.py")}


def test_it_is_compiled_once(tmp_path: Path) -> None:
    package = compiled_for(PYTHON, tmp_path)
    before = package.stat()
    assert compiled_for(PYTHON, tmp_path) == package
    assert package.stat() == before


def test_older_ones_of_the_same_python_go(tmp_path: Path) -> None:
    package = compiled_for(PYTHON, tmp_path)
    python, _, _ = package.name.partition("-")
    old, recent, other = (package.with_name(name) for name in (f"{python}-old", f"{python}-recent", "other-old"))
    for folder in (old, recent, other):
        folder.mkdir()
    week_ago = time.time() - 7 * 24 * 3600
    for folder in (old, other):
        os.utime(folder, (week_ago, week_ago))
    package.rename(package.with_name("away"))
    assert compiled_for(PYTHON, tmp_path) == package
    assert not old.exists()
    assert recent.exists()
    assert other.exists()


def test_without_a_place_for_it_the_package_serves_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    assert compiled_for(PYTHON, tmp_path / "cache") == worker_package()


def test_with_a_python_that_cannot_compile_too(tmp_path: Path) -> None:
    assert compiled_for(Path("/bin/false"), tmp_path) == worker_package()
    assert list((tmp_path / "library").iterdir()) == []
