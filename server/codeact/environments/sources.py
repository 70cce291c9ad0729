"""What a workspace needs, read from the file that says so most exactly. Nothing of the workspace runs."""

import json
import re
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeact.environments.uv import run_uv
from codeact.errors import PrepareError

FILES = (
    "requirements.txt", "requirements-dev.txt", "requirements-test.txt", "requirements-tests.txt",
    "dev-requirements.txt", "test-requirements.txt", "requirements_dev.txt", "requirements_test.txt",
    "requirements/dev.txt", "requirements/test.txt", "requirements/tests.txt",
)  # fmt: skip
GROUPS = frozenset({"dev", "test", "tests", "testing", "develop", "ci"})
LOCAL = re.compile(r"^\s*(?:-e\b|--editable\b|\.{0,2}/|\.\s*(?:\[|$)|file:)")
CONDA = ("environment.yml", "environment.yaml")


@dataclass(frozen=True)
class Requirements:
    """What to install: the file it was read from, lines as pip takes them, and which Pythons will do (PEP 440)."""

    source: str
    lines: tuple[str, ...]
    python: str = ""


def find_requirements(workspace: Path) -> Requirements | None:
    """What a workspace says that it needs; None if it says nothing.

    Locks come before ranges: uv.lock, poetry.lock, pdm.lock, Pipfile.lock, requirements files, pyproject.toml.

    Raises:
        PrepareError: the file cannot be read, or is of a kind that uv cannot install (conda's).
    """
    readers: tuple[tuple[str, Callable[[Path], list[str]]], ...] = (
        ("uv.lock", _read_uv),
        ("poetry.lock", _read_packages),
        ("pdm.lock", _read_packages),
        ("Pipfile.lock", _read_pipfile),
    )
    python = _python(workspace)
    for name, read in readers:
        if (workspace / name).is_file():
            return Requirements(name, tuple(_parsed(workspace / name, read)), python)
    if found := [name for name in FILES if (workspace / name).is_file()]:
        lines = [line for name in found for line in _read_requirements(workspace / name, set())]
        return Requirements(" and ".join(found), tuple(dict.fromkeys(lines)), python)
    if lines := _parsed(workspace / "pyproject.toml", _read_pyproject):
        return Requirements("pyproject.toml", tuple(lines), python)
    for name in CONDA:
        if (workspace / name).is_file():
            raise PrepareError(
                f"{name} is conda's, which CodeAct does not install. Make the environment with conda, then name its "
                "interpreter: --python PATH"
            )
    return None


def _parsed(file: Path, read: Callable[[Path], list[str]]) -> list[str]:
    try:
        return read(file) if file.is_file() else []
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PrepareError(f"{file.name} cannot be read: {error}. Mend it, or lock again.") from error


def _read_uv(file: Path) -> list[str]:
    """By uv itself, on a copy: its lock holds a graph for all platforms."""
    with tempfile.TemporaryDirectory(prefix="codeact-lock-") as folder:
        for name in ("uv.lock", "pyproject.toml"):
            (Path(folder) / name).write_bytes((file.parent / name).read_bytes())
        arguments = ["export", "--frozen", "--quiet", "--no-emit-workspace", "--all-extras", "--all-groups"]
        done = run_uv([*arguments, "--format", "requirements.txt"], cwd=Path(folder))
    if done.returncode != 0:
        raise ValueError(done.stderr.strip()[-400:])
    return _logical_lines(done.stdout)


def _read_packages(file: Path) -> list[str]:
    """Poetry's and PDM's locks: one table for each package."""
    lines = []
    for package in tomllib.loads(file.read_text("utf-8"))["package"]:
        source = package.get("source", {})
        if isinstance(source, Mapping) and source.get("type") in ("directory", "file", "git", "url"):
            raise ValueError(f"{package['name']} comes from {source.get('url')}, and only packages of an index can")
        if any(key in package for key in ("path", "git", "url")):
            continue  # the workspace itself, or something beside it
        marker = package.get("markers") or package.get("marker") or ""
        marker = marker if isinstance(marker, str) else marker.get("main", "")
        hashes = [f"--hash={one['hash']}" for one in package.get("files", ()) if "hash" in one]
        requirement = f"{package['name']}=={package['version']}" + (f" ; {marker}" if marker else "")
        lines.append(" ".join([requirement, *hashes]))
    return lines


def _read_pipfile(file: Path) -> list[str]:
    data = json.loads(file.read_text("utf-8"))
    lines = []
    for section in ("default", "develop"):
        for name, facts in data.get(section, {}).items():
            if "version" not in facts:
                continue  # the workspace itself, or something beside it
            marker = f" ; {facts['markers']}" if "markers" in facts else ""
            hashes = [f"--hash={digest}" for digest in facts.get("hashes", ())]
            lines.append(" ".join([f"{name}{facts['version']}{marker}", *hashes]))
    return lines


def _read_pyproject(file: Path) -> list[str]:
    data = tomllib.loads(file.read_text("utf-8"))
    project = data.get("project", {})
    lines: list[str] = list(project.get("dependencies", ()))
    for name, extra in project.get("optional-dependencies", {}).items():
        lines += extra if name.lower() in GROUPS else ()
    groups = data.get("dependency-groups", {})
    for name in groups:
        lines += _group(groups, name) if name.lower() in GROUPS else ()
    own = re.compile(rf"{re.escape(project['name'])}\s*(?:\[|$)", re.IGNORECASE) if "name" in project else None
    return [line for line in dict.fromkeys(lines) if not (own and own.match(line))]


def _group(groups: Mapping[str, Any], name: str, seen: frozenset[str] = frozenset()) -> Iterable[str]:
    for entry in groups.get(name, ()):
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, Mapping) and (other := entry.get("include-group")) and other not in seen:
            yield from _group(groups, other, seen | {name})


def _read_requirements(file: Path, seen: set[Path]) -> list[str]:
    """A requirements file with those that it includes; the workspace itself and what lies beside it left out."""
    if file in seen:
        return []
    seen.add(file)
    try:
        text = file.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise PrepareError(f"{file.name} cannot be read: {error}.") from error
    lines = []
    for line in _logical_lines(text):
        option, _, rest = line.partition(" ")
        if option in ("-r", "--requirement"):
            lines += _read_requirements(file.parent / rest.strip(), seen)
        elif option in ("-c", "--constraint", "-i", "--index-url", "--extra-index-url", "--find-links", "-f"):
            continue  # a workspace does not choose where packages come from
        elif not LOCAL.match(line):
            lines.append(line)
    return lines


def _logical_lines(text: str) -> list[str]:
    joined = re.sub(r"\\\r?\n\s*", " ", text)
    bare = (re.sub(r"(^|\s)#.*", "", line).strip() for line in joined.splitlines())
    return [" ".join(line.split()) for line in bare if line]


def _python(workspace: Path) -> str:
    """Which Pythons the workspace asks for, as a version or a range; empty if it does not say."""
    pinned = workspace / ".python-version"
    try:
        if pinned.is_file() and (match := re.match(r"\s*(\d+\.\d+)", pinned.read_text("utf-8"))):
            return f"=={match[1]}.*"
        data = tomllib.loads((workspace / "pyproject.toml").read_text("utf-8"))
        return str(data.get("project", {}).get("requires-python", ""))
    except (OSError, ValueError):
        return ""
