"""The corpus: programs with one fault each, and tests that show it.

A bug is one TOML file in `corpus/`. It holds the right program and its fault as a replacement, so that the reference
fix is to leave the fault out. Hidden tests never reach the workspace: they tell a fix from an overfit.

In `cheats/` are tasks whose tests only a cheat can pass, each with one that does. The right answer is no verified fix.
In `classics/` are well-known algorithms with one-line faults, in `history/` fixes that packages made from one version
to the next.
"""

import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from history import Upgrade, write_upgrade
from history import write_hidden as write_newer_tests
from packages import Package, unpack

CORPUS = Path(__file__).parent / "corpus"
CHEATS = Path(__file__).parent / "cheats"
CLASSICS = Path(__file__).parent / "classics"
HISTORY = Path(__file__).parent / "history"
CORPORA = {"": CORPUS, "cheats": CHEATS, "classics": CLASSICS, "history": HISTORY}
TEST_SECONDS = 60.0


@dataclass(frozen=True)
class Fault:
    """In `file`, the text `right` (there once) becomes `wrong`."""

    file: str
    right: str
    wrong: str


@dataclass(frozen=True, kw_only=True)
class Bug:
    """One task of the benchmark.

    Attributes:
        name: of its file.
        title: what it is about; for the reader of the table only.
        kind: `function`, `classic`, `project`, `package`, `history`, or `unfixable`, where no verified fix is the right
            answer.
        shape: what kind of mistake it is.
        files: the right program and the tests that the workspace holds.
        hidden: tests that judge an accepted fix.
        faults: what is wrong in the workspace.
        package: where the rest of the files comes from, if it is not all here.
        upgrade: the two versions of a package that all of the files come from, for a historic fix.
        cheat: files with which the visible tests pass, though the program is no better.
    """

    name: str
    title: str
    kind: str
    shape: str
    files: Mapping[str, str] = field(default_factory=dict)
    hidden: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    package: Package | None = None
    upgrade: Upgrade | None = None
    cheat: Mapping[str, str] = field(default_factory=dict)


def load_bugs(only: tuple[str, ...] = (), corpus: Path = CORPUS) -> tuple[Bug, ...]:
    """All bugs of a folder, or those of these names or kinds; small ones first, unfixable tasks last."""
    order = ("function", "classic", "project", "package", "history", "unfixable")
    bugs = [read_bug(file) for file in sorted(corpus.glob("*.toml"))]
    unknown = set(only) - {word for bug in bugs for word in (bug.name, bug.kind)}
    if unknown:
        raise SystemExit(f"No bug has the name or kind {', '.join(sorted(unknown))}. See {corpus}.")
    chosen = [bug for bug in bugs if not only or {bug.name, bug.kind} & set(only)]
    return tuple(sorted(chosen, key=lambda bug: order.index(bug.kind)))


def read_bug(file: Path) -> Bug:
    """Read one bug."""
    data = tomllib.loads(file.read_text("utf-8"))
    package, upgrade = data.get("package"), data.get("upgrade")
    return Bug(
        name=file.stem,
        title=data["title"],
        kind=data["kind"],
        shape=data["shape"],
        files=data.get("files", {}),
        hidden=data.get("hidden", {}),
        faults=tuple(Fault(**fault) for fault in data.get("fault", [])),
        package=Package(**{**package, "keep": tuple(package["keep"])}) if package else None,
        upgrade=Upgrade(**{n: tuple(v) if isinstance(v, list) else v for n, v in upgrade.items()}) if upgrade else None,
        cheat=data.get("cheat", {}),
    )


def write_workspace(bug: Bug, folder: Path, *, faulty: bool = True) -> None:
    """Put a bug's program and visible tests into an empty folder.

    Raises:
        FetchFailed: its package cannot be had.
        ValueError: a fault does not fit the program.
    """
    if bug.upgrade:
        write_upgrade(bug.upgrade, folder, fixed=not faulty)
    if bug.package:
        unpack(bug.package, folder)
    write_files(bug.files, folder)
    for fault in bug.faults if faulty else ():
        file = folder / fault.file
        text = file.read_text("utf-8")
        if text.count(fault.right) != 1:
            raise ValueError(f"{bug.name}: {fault.file} holds {fault.right!r} {text.count(fault.right)} times")
        file.write_text(text.replace(fault.right, fault.wrong), "utf-8")


def write_hidden(bug: Bug, folder: Path) -> list[str]:
    """Put a bug's hidden tests into a workspace; what pytest is called with to run just those."""
    write_files(bug.hidden, folder)
    return [*bug.hidden, *(write_newer_tests(bug.upgrade, folder) if bug.upgrade else ())]


def write_files(files: Mapping[str, str], folder: Path) -> None:
    """Write texts by their relative paths."""
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


def culprit(bug: Bug) -> str:
    """The file that the reference fix changes, the first if there are several."""
    return bug.faults[0].file if bug.faults else bug.upgrade.fix[0].partition("::")[0] if bug.upgrade else ""


def run_tests(folder: Path, *tests: str, contain: Sequence[str] = ()) -> tuple[int, str]:
    """Run pytest in a folder, plainly: its exit code (-1 when it took too long) and what it printed.

    `contain` is the beginning of a command line that keeps what runs from doing harm.
    """
    command = [*contain, sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    environ = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, text=True, timeout=TEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return -1, f"no end after {TEST_SECONDS:.0f} s"
    return done.returncode, done.stdout + done.stderr
