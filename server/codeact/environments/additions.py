"""Packages that a run turned out to miss: each in a folder of its own beside the environment, pinned, never changed."""

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from codeact.environments.build import MARK, Listener, call_uv, open_up
from codeact.environments.uv import run_uv
from codeact.sandboxes.base import Interpreter
from codeact.settings import Settings


@dataclass(frozen=True)
class Addition:
    """A package and what it needs: its folder, and exactly which versions are in it."""

    folder: Path
    pins: tuple[str, ...]


def find_addition(settings: Settings, requirement: str, interpreter: Interpreter) -> Addition | None:
    """A package that was fetched earlier for this interpreter, asked for as it was then, or by its pin."""
    folder = _folder(settings, requirement, interpreter)
    if not (folder / MARK).is_file():
        return None
    return Addition(folder.resolve(), tuple((folder / MARK).read_text("utf-8").split()))


def add_package(
    settings: Settings, requirement: str, interpreter: Interpreter, on_progress: Listener = lambda _: None
) -> Addition:
    """Fetch a package, wheels only, in versions that go with what the interpreter has.

    Raises:
        PrepareError: a pin, a wheel, the index or the disk stands against it; the message says which.
    """
    if found := find_addition(settings, requirement, interpreter):
        return found
    folder = _folder(settings, requirement, interpreter)
    partial = folder.with_name(f"{folder.name}.{os.getpid()}")
    previous = os.umask(0o022)  # the sandbox runs as another user than root
    try:
        partial.mkdir(parents=True)
        installed = partial / "installed.txt"
        installed.write_text(_installed(interpreter), "utf-8")
        on_progress(f"fetching {requirement}")
        options = ["--quiet", "--python", str(interpreter.executable), "--only-binary", ":all:", "--link-mode", "copy"]
        target = ["--target", str(partial), "--constraint", str(installed)]
        call_uv(["pip", "install", *options, *target, "--", requirement], requirement)
        installed.unlink()
        pins = _pins(partial, requirement)
        open_up(partial)
        (partial / MARK).write_text("\n".join(pins) + "\n", "utf-8")
        if folder.is_symlink() or not folder.exists():
            partial.replace(folder)
    finally:
        os.umask(previous)
        shutil.rmtree(partial, ignore_errors=True)
    by_pin = _folder(settings, pins[0], interpreter)
    if not by_pin.exists():
        by_pin.symlink_to(folder.name)
    return Addition(folder, pins)


def with_additions(interpreter: Interpreter, additions: Sequence[Addition]) -> Interpreter:
    """An interpreter that finds these packages too."""
    folders = tuple(addition.folder for addition in additions)
    return replace(interpreter, folders=(*interpreter.folders, *folders), additions=(*interpreter.additions, *folders))


def _folder(settings: Settings, requirement: str, interpreter: Interpreter) -> Path:
    content = "\n".join([str(interpreter.executable), *map(str, interpreter.version), requirement])
    return settings.cache / "additions" / hashlib.sha256(content.encode()).hexdigest()[:24]


def _installed(interpreter: Interpreter) -> str:
    """What the interpreter has, as constraints; nothing if it cannot be told."""
    done = run_uv(["pip", "freeze", "--quiet", "--python", str(interpreter.executable)])
    lines = done.stdout.splitlines() if done.returncode == 0 else []
    return "\n".join(line for line in lines if re.fullmatch(r"[\w.-]+==\S+", line)) + "\n"


def _pins(folder: Path, requirement: str) -> tuple[str, ...]:
    """What is in a folder, the package that was asked for first."""
    found = [info.name.removesuffix(".dist-info").partition("-") for info in folder.glob("*.dist-info")]
    pins = sorted(f"{name.replace('_', '-')}=={version}" for name, _, version in found)
    wanted = re.sub(r"[-_.]+", "-", re.split(r"[=<>!~ ]", requirement)[0]).lower()
    return tuple(sorted(pins, key=lambda pin: re.sub(r"[-_.]+", "-", pin.split("==")[0]).lower() != wanted))
