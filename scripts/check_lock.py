"""Checks that requirements/*.txt are what `make lock` would keep: every dependency pinned, fitting and hashed.

Works without a network: it compares pyproject.toml with the pins and with the notes that name who asked for them.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)(.*(?:\n[ \t].*)*)", re.MULTILINE)
DIRECT = "codeact (pyproject.toml"


def main() -> int:
    """Print what is wrong, one line each; 1 if anything is."""
    wanted = read_wanted(Path("pyproject.toml"))
    problems = [problem for name, needs in wanted.items() for problem in find_problems(Path(name), needs)]
    for problem in problems:
        print(problem)
    if problems:
        print("Run `make lock` and commit requirements/.")
    return 1 if problems else 0


def read_wanted(pyproject: Path) -> dict[str, list[Requirement]]:
    """The direct dependencies that each file of pins must hold."""
    data = tomllib.loads(pyproject.read_text("utf-8"))
    runtime = [*data["project"]["dependencies"], *data["project"]["optional-dependencies"]["local"]]
    development = data["dependency-groups"]["dev"]
    return {
        "requirements/runtime.txt": [Requirement(text) for text in runtime],
        "requirements/dev.txt": [Requirement(text) for text in [*runtime, *development]],
        "requirements/bootstrap.txt": [Requirement(text) for text in development if text.startswith("uv")],
    }


def find_problems(file: Path, needs: list[Requirement]) -> Iterator[str]:
    """What is missing from a file of pins, does not fit, has no hash, or is no longer asked for."""
    pins = {canonicalize_name(name): (version, rest) for name, version, rest in PIN.findall(file.read_text("utf-8"))}
    for need in needs:
        version, _ = pins.get(canonicalize_name(need.name), ("", ""))
        if not version:
            yield f"{file}: {need.name} is not pinned."
        elif not need.specifier.contains(version, prereleases=True):
            yield f"{file}: {need.name} {version} does not fit {need}."
    names = {canonicalize_name(need.name) for need in needs}
    for name, (_, rest) in pins.items():
        if "--hash=sha256:" not in rest:
            yield f"{file}: {name} has no hash."
        if DIRECT in rest and name not in names:
            yield f"{file}: {name} is pinned for pyproject.toml, which does not ask for it."


if __name__ == "__main__":
    sys.exit(main())
