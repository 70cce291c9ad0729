"""Historic fixes: a package as it was, with the tests that came with a fix in its next version.

A task names what it takes from which version; the text is fetched from the package index, none of it is kept here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from definitions import leave_out, take_over, texts
from packages import Package, unpack

CONFIGURATION = "[pytest]\npythonpath = {root}\n"


@dataclass(frozen=True)
class Upgrade:
    """One fix between two consecutive versions of a package.

    Attributes:
        package: its name in the index.
        old: the version with the bug.
        old_sha256: of its source distribution.
        new: the version with the fix.
        new_sha256: of its source distribution.
        code: folders and files of the old version that the workspace gets.
        test: the test file of the new version that the workspace gets, without tests that are new and no part of this.
        failing: the tests in it that came with the fix, by their names.
        fix: what the reference fix takes over from the new version, as `file::definition`.
        support: other files that the tests need, of the new version.
        omit: tests that fail in either version here.
        hidden: test files of the new version that judge a fix.
        deselect: tests in those that need more of the new version than this fix, or fail here, by node id.
    """

    package: str
    old: str
    old_sha256: str
    new: str
    new_sha256: str
    code: tuple[str, ...]
    test: str
    failing: tuple[str, ...]
    fix: tuple[str, ...]
    hidden: tuple[str, ...]
    support: tuple[str, ...] = ()
    omit: tuple[str, ...] = ()
    deselect: tuple[str, ...] = ()


def write_upgrade(upgrade: Upgrade, folder: Path, *, fixed: bool) -> None:
    """Put the old code and the new tests of the fix into an empty folder; with the reference fix, if wanted."""
    unpack(Package(upgrade.package, upgrade.old, upgrade.old_sha256, (*upgrade.code, upgrade.test)), folder)
    file = folder / upgrade.test
    before = file.read_text("utf-8") if file.exists() else ""
    for other in find_tests(folder):
        other.unlink()
    take_new(upgrade, folder, (upgrade.test, *upgrade.support))
    file.write_text(choose_tests(before, file.read_text("utf-8"), upgrade), "utf-8")
    root = "src" if upgrade.code[0].startswith("src/") else "."
    (folder / "pytest.ini").write_text(CONFIGURATION.format(root=root), "utf-8")
    if fixed:
        apply_fix(upgrade, folder)


def find_tests(folder: Path) -> list[Path]:
    """The test files of a folder."""
    return [file for file in folder.rglob("*.py") if is_test(file.name)]


def is_test(name: str) -> bool:
    """Whether pytest would look into a file of this name."""
    return name.startswith("test_") or name.endswith("_test.py")


def choose_tests(before: str, after: str, upgrade: Upgrade) -> str:
    """The new test file, without new and changed tests that did not come with this fix."""
    known = texts(before)
    chosen = {name for name in texts(after) if is_test_name(name) and known.get(name) != texts(after)[name]}
    return leave_out(after, (chosen - set(upgrade.failing)) | set(upgrade.omit))


def is_test_name(name: str) -> bool:
    """Whether a definition is a test."""
    return name.rpartition(".")[2].startswith("test")


def apply_fix(upgrade: Upgrade, folder: Path) -> None:
    """Take the definitions of the reference fix over from the new version."""
    files = list(dict.fromkeys(entry.partition("::")[0] for entry in upgrade.fix))
    olds = {path: (folder / path).read_text("utf-8") for path in files}
    take_new(upgrade, folder, files)
    for path in files:
        names = [entry.partition("::")[2] for entry in upgrade.fix if entry.startswith(f"{path}::")]
        (folder / path).write_text(take_over(olds[path], (folder / path).read_text("utf-8"), names), "utf-8")


def write_hidden(upgrade: Upgrade, folder: Path) -> list[str]:
    """Put the hidden tests into a workspace; how pytest is called to run them."""
    take_new(upgrade, folder, upgrade.hidden)
    return [*upgrade.hidden, *(f"--deselect={name}" for name in upgrade.deselect)]


def take_new(upgrade: Upgrade, folder: Path, paths: Sequence[str]) -> None:
    """Take files over from the new version."""
    unpack(Package(upgrade.package, upgrade.new, upgrade.new_sha256, tuple(paths)), folder)
