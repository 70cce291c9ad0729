"""Building an environment with uv: keyed by what is in it, built once, complete or not there at all."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from codeact.environments.sources import Requirements
from codeact.environments.uv import run_uv
from codeact.errors import PrepareError
from codeact.settings import Settings

KIT = "the data kit"
MARK = ".codeact-complete"
NEEDED = 300 << 20  # bytes that must be free before a build begins
Listener = Callable[[str], None]


@dataclass(frozen=True)
class Environment:
    """A virtual environment that was prepared: its interpreter, and what it was made from."""

    python: Path
    source: str
    packages: int

    @property
    def packages_folder(self) -> Path:
        """Where its packages are."""
        return next((self.python.parent.parent / "lib").glob("python*/site-packages"))


def kit_requirements() -> Requirements:
    """What questions about data like to have, pinned."""
    text = files("codeact.environments").joinpath("kit.txt").read_text("utf-8")
    lines = [" ".join(entry.split()) for entry in re.sub(r"\\\n", " ", text).splitlines() if entry.strip()]
    return Requirements(KIT, tuple(line for line in lines if not line.startswith("#")))


def find_prepared(settings: Settings, requirements: Requirements, python: Path) -> Environment | None:
    """The environment for these requirements and this interpreter, if it has been prepared."""
    folder = _folder(settings, requirements, python)
    if not (folder / MARK).is_file():
        return None
    return _describe(folder, requirements)


def prepare(
    settings: Settings, requirements: Requirements, python: Path, on_progress: Listener = lambda _: None
) -> Environment:
    """Build the environment for these requirements, unless it is there.

    Only wheels are installed: building a package would run its code.

    Args:
        settings: where environments are kept.
        requirements: what goes in; pytest is added if it is not among them.
        python: the interpreter to build it for.
        on_progress: told what is being done.

    Raises:
        PrepareError: a pin, a wheel, the index or the disk stands against it; the message says which.
    """
    if found := find_prepared(settings, requirements, python):
        return found
    folder = _folder(settings, requirements, python)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder.parent).free < NEEDED:
        raise PrepareError(f"The disk of {folder.parent} is full: {NEEDED >> 20} MiB are needed.")
    shutil.rmtree(folder, ignore_errors=True)
    previous = os.umask(0o022)  # the sandbox runs as another user than root
    try:
        on_progress(f"making an environment for {requirements.source}")
        call_uv(["venv", "--quiet", "--no-python-downloads", "--python", str(python), str(folder)], requirements.source)
        wanted = folder / "requirements.txt"
        wanted.write_text("\n".join(requirements.lines) + "\n", "utf-8")
        on_progress(f"installing {len(requirements.lines)} packages")
        inside = str(folder / "bin" / "python")
        options = ["--quiet", "--python", inside, "--only-binary", ":all:", "--compile-bytecode", "--link-mode", "copy"]
        if requirements.lines:
            call_uv(["pip", "install", *options, "--requirement", str(wanted)], requirements.source)
        if not _has(folder, "pytest"):
            call_uv(["pip", "install", *options, "pytest"], requirements.source)
        open_up(folder)
        (folder / MARK).touch()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.umask(previous)
    return _describe(folder, requirements)


def _folder(settings: Settings, requirements: Requirements, python: Path) -> Path:
    content = "\n".join([str(python.resolve()), *requirements.lines])
    return settings.cache / "environments" / hashlib.sha256(content.encode()).hexdigest()[:24]


def _describe(folder: Path, requirements: Requirements) -> Environment:
    packages = sum(1 for _ in folder.glob("lib/python*/site-packages/*.dist-info"))
    return Environment(folder / "bin" / "python", requirements.source, packages)


def _has(folder: Path, name: str) -> bool:
    return any(folder.glob(f"lib/python*/site-packages/{name}-*.dist-info"))


def open_up(folder: Path) -> None:
    """Files that were cached under a stricter umask keep its modes."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444))


def call_uv(arguments: Sequence[str], source: str) -> None:
    """Call uv for what a source asks for.

    Raises:
        PrepareError: it failed; the message says what to do.
    """
    done = run_uv(arguments)
    if done.returncode:
        raise PrepareError(_explain(done.stderr, source))


def _explain(said: str, source: str) -> str:
    """What uv said, in one message that begins with what to do about it."""
    text = " ".join(re.sub("[\u00d7\u2500-\u257f\u25b6]", " ", said).split())
    if "has no wheels" in text or "no usable wheels" in text or "no matching wheels" in text:
        return (
            f"Something in {source} has no wheel for this Python and platform, and building it would run its code. "
            f"Make a .venv yourself, or change the pin. uv said: {text[-600:]}"
        )
    if "dns error" in text or "Failed to fetch" in text or "error sending request" in text or "Connection" in text:
        return f"The package index cannot be reached, so {source} was not prepared. uv said: {text[-400:]}"
    if "No space left" in text:
        return f"The disk is full, so {source} was not prepared. uv said: {text[-300:]}"
    if "No solution found" in text or "no version of" in text or "not found in the package registry" in text:
        return f"What {source} asks for cannot be had together. uv said: {text[-600:]}"
    return f"{source} could not be prepared. uv said: {text[-600:]}"
