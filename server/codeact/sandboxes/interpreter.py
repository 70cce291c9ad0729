"""Which Python runs the workspace's code, and which folders of the host it needs."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from codeact.errors import SandboxUnavailable, SettingsError
from codeact.sandboxes.base import Interpreter
from codeact.sandboxes.library import compiled_for
from codeact.settings import Settings

ENVIRONMENTS = (".venv", "venv", "env")
SYSTEM = (Path("/usr"), Path("/bin"), Path("/lib"), Path("/lib64"), Path("/sbin"))
QUESTION = """
import importlib.util, json, os, site, sys, sysconfig
paths = [path for path in sys.path if path]
print(json.dumps({
    "version": list(sys.version_info[:2]),
    "prefixes": [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix],
    "paths": paths,
    "pytest": importlib.util.find_spec("pytest") is not None,
}))
"""


def find_interpreter(settings: Settings) -> Interpreter:
    """The Python for a workspace: the one that the settings name, else the workspace's own, else one that has pytest.

    Raises:
        SettingsError: the one that the settings name does not work.
        SandboxUnavailable: there is none.
    """
    if found := find_own(settings):
        return found
    others = [(executable, facts) for executable in _others() if (facts := _ask(executable, settings.cache))]
    others.sort(key=lambda pair: not pair[1]["pytest"])
    if not others:
        raise SandboxUnavailable(
            "No Python was found for the workspace. Make a .venv in it, or name one: --python PATH"
        )
    return _interpreter(*others[0], settings)


def find_own(settings: Settings) -> Interpreter | None:
    """The interpreter that the settings name, or that of the workspace's own virtual environment.

    Raises:
        SettingsError: the one that the settings name does not work.
    """
    if settings.sandbox.python:
        return describe_interpreter(Path(settings.sandbox.python).expanduser().absolute(), settings)
    for executable in _own(settings.workspace):
        if facts := _ask(executable, settings.cache):
            return _interpreter(executable, facts, settings)
    return None


def describe_interpreter(executable: Path, settings: Settings) -> Interpreter:
    """An interpreter, and the folders it needs.

    Raises:
        SettingsError: it does not run.
    """
    facts = _ask(executable, settings.cache)
    if facts is None:
        raise SettingsError(f"The interpreter {executable} does not run. Name another one: --python PATH")
    return _interpreter(executable, facts, settings)


def _own(workspace: Path) -> Iterator[Path]:
    """The workspace's virtual environment: in it, or the one that the terminal has activated."""
    for name in ENVIRONMENTS:
        if (workspace / name / "pyvenv.cfg").is_file():
            yield workspace / name / "bin" / "python"
    active = os.environ.get("VIRTUAL_ENV")
    if active and Path(active) != Path(sys.prefix):
        yield Path(active) / "bin" / "python"


def _others() -> Iterator[Path]:
    for name in ("python3", "python"):
        if found := shutil.which(name):
            yield Path(found)
    yield Path(sys.executable)


def _ask(executable: Path, cache: Path) -> dict[str, Any] | None:
    """What an interpreter says of itself; None if it does not run. Kept until it, or what it has, changes."""
    file = cache / "interpreters.json"
    known = _read(file)
    if (kept := known.get(str(executable))) and kept.get("stamp") == _stamp(executable, kept.get("facts", {})):
        kept_facts: dict[str, Any] = kept["facts"]
        return kept_facts
    try:
        answer = subprocess.run(
            [executable, "-I", "-c", QUESTION], capture_output=True, timeout=20, check=True, stdin=subprocess.DEVNULL
        )
        facts: dict[str, Any] = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps({**known, str(executable): {"facts": facts, "stamp": _stamp(executable, facts)}}))
        partial.replace(file)
    return facts


def _read(file: Path) -> dict[str, Any]:
    try:
        known = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _stamp(executable: Path, facts: Mapping[str, Any]) -> list[list[object]]:
    """When the interpreter, its configuration and its folders of packages were changed."""
    places = [
        executable,
        executable.resolve(),
        executable.parent.parent / "pyvenv.cfg",
        *map(Path, facts.get("paths", ())),
    ]
    return [[str(place), place.stat().st_mtime_ns if place.exists() else 0] for place in places]


def _interpreter(executable: Path, facts: dict[str, Any], settings: Settings) -> Interpreter:
    workspace = settings.workspace
    real = _without_shim(executable, facts)
    folders = _folders(real, facts, workspace)
    home = Path.home()
    if any(home == folder or folder in home.parents for folder in folders):
        raise SettingsError(
            f"The interpreter {real} lives in a folder that holds your home folder, which a sandbox must not show. "
            "Make a .venv in the workspace, or name another one: --python PATH"
        )
    version = (facts["version"][0], facts["version"][1])
    return Interpreter(
        executable=real,
        version=version,
        folders=folders,
        sources=_sources(facts, workspace),
        library=compiled_for(real, settings.cache),
    )


def _sources(facts: dict[str, Any], workspace: Path) -> tuple[Path, ...]:
    """The workspace's `src` folder if it holds packages that the interpreter does not have, installed or editable."""
    source = workspace / "src"
    packages = {file.parent.name for file in source.glob("*/__init__.py")} | {file.stem for file in source.glob("*.py")}
    places = [Path(path) for path in facts["paths"]]
    if not packages or source in places or (source / "__init__.py").exists():
        return ()
    known = any((place / name).exists() or (place / f"{name}.py").exists() for place in places for name in packages)
    return () if known else (source,)


def _without_shim(executable: Path, facts: dict[str, Any]) -> Path:
    """The interpreter itself where a version manager put a script in its place (pyenv, asdf)."""
    bin_folder = Path(facts["prefixes"][0]) / "bin"
    if executable.parent == bin_folder:
        return executable
    version = f"python{facts['version'][0]}.{facts['version'][1]}"
    for name in ("python3", "python", version):
        if (bin_folder / name).exists():
            return bin_folder / name
    return executable


def _folders(executable: Path, facts: dict[str, Any], workspace: Path) -> tuple[Path, ...]:
    """The folders to show: prefixes, module search path, and the chain of links behind the executable."""
    wanted = [Path(prefix) for prefix in facts["prefixes"]]
    wanted += [Path(path) for path in facts["paths"] if Path(path).is_dir()]
    link = executable
    while link.is_symlink():
        link = link.parent / link.readlink()
        wanted.append(link.parent.parent)
    wanted += [folder.resolve() for folder in wanted]
    chosen: list[Path] = []
    for folder in sorted({Path(os.path.normpath(folder)) for folder in wanted}, key=lambda path: len(path.parts)):
        below_system = any(folder == root or root in folder.parents for root in SYSTEM)
        covered = any(known == folder or known in folder.parents for known in chosen)
        outside = folder == workspace or (workspace in folder.parents and not (folder / "pyvenv.cfg").exists())
        if not (below_system or covered or outside) and len(folder.parts) > 1 and folder.exists():
            chosen.append(folder)
    return tuple(chosen)
