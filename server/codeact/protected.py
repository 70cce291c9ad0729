"""Which files a proof takes from the snapshot, whatever the model made of them.

A test passes honestly only if the test, its configuration and its machinery are the developer's. What is listed here
is never part of a verified proposal.
"""

import sys
from collections.abc import Collection
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import PurePosixPath

CONFIGURATION = frozenset(
    {
        "conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg",
        "pyproject.toml", "noxfile.py", ".coveragerc",
    }
)  # fmt: skip
TEST_FILES = ("test_*.py", "*_test.py")  # pytest's default `python_files`
TEST_FOLDERS = frozenset({"tests", "test", "testing"})
STARTUP = frozenset({"sitecustomize", "usercustomize"})
MACHINERY = frozenset(
    {
        "pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "exceptiongroup", "tomli",
        "typing_extensions", "colorama", "py", "xdist", "execnet", "coverage", "hypothesis", "codeact_sandbox",
    }
)  # fmt: skip
IMPORTABLE = (".py", ".pyc", ".pyw", ".so", ".pyd")


def protected(path: str, collected: Collection[str], existing: Collection[str] = frozenset()) -> bool:
    """Whether a proof takes a file from the snapshot.

    Args:
        path: the file, relative to the workspace.
        collected: files in which pytest finds tests, before the run; best a frozenset. (Not those it only finds
            doctests in: they are product code.)
        existing: all files of the snapshot; a new module is judged by whether it hides one that was there.
    """
    file = PurePosixPath(path)
    return (
        path in collected
        or file.name in CONFIGURATION
        or any(fnmatchcase(file.name, pattern) for pattern in TEST_FILES)
        or _is_beside_tests(file, collected)
        or _runs_at_startup(file)
        or _hides_a_module(file, existing)
    )


def _is_beside_tests(file: PurePosixPath, collected: Collection[str]) -> bool:
    """Whether it lies in a folder for tests: by its name, and since tests are collected in it."""
    return not _test_folders(frozenset(collected)).isdisjoint(file.parents)


@lru_cache(maxsize=4)  # asked for each file of a snapshot
def _test_folders(collected: frozenset[str]) -> frozenset[PurePosixPath]:
    folders = {folder for test in collected for folder in PurePosixPath(test).parents}
    return frozenset(folder for folder in folders if folder.name in TEST_FOLDERS)


def _runs_at_startup(file: PurePosixPath) -> bool:
    # Bytecode is here because a planted `.pyc` runs in place of the source it claims to be made from.
    return file.suffix in (".pth", ".pyc") or file.name.split(".")[0] in STARTUP


def _hides_a_module(file: PurePosixPath, existing: Collection[str]) -> bool:
    """Whether a new file may be imported in place of the standard library, pytest, or what pytest needs.

    Any folder that is no package may be on `sys.path`; the part of the path below it is then a module's name.
    """
    if not file.name.endswith(IMPORTABLE):
        return False
    for folder in file.parents:
        if f"{folder}/__init__.py".removeprefix("./") in existing:
            continue
        part = file.relative_to(folder).parts[0]
        name = part.split(".")[0]
        module = str(folder / name)
        was_there = f"{module}.py" in existing or f"{module}/__init__.py" in existing
        if not was_there and (name in sys.stdlib_module_names or name in MACHINERY or name.startswith("pytest_")):
            return True
    return False
