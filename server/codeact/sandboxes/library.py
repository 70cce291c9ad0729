"""The Worker's own code as the sandbox sees it, compiled once for each Python: nothing inside may write bytecode."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import codeact_sandbox

COMPILE_SECONDS = 60
KEPT_SECONDS = 24 * 3600  # that an older CodeAct's may still be in use


def worker_package() -> Path:
    """The host's folder that holds the package `codeact_sandbox`."""
    return Path(codeact_sandbox.__file__).parent


def compiled_for(executable: Path, folder: Path) -> Path:
    """The package with bytecode for a Python, in the cache; as it is where that cannot be made.

    Args:
        executable: the Python.
        folder: the cache's root.
    """
    python = hashlib.sha256(os.fsencode(executable.resolve())).hexdigest()[:12]
    package = folder / "library" / f"{python}-{_fingerprint()}"
    if not package.is_dir():
        try:
            _compile(executable, package)
        except (OSError, subprocess.SubprocessError):
            return worker_package()
    return package


@cache
def _fingerprint() -> str:
    content = hashlib.sha256()
    for file in sorted(worker_package().glob("*.py")):
        content.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return content.hexdigest()[:12]


def _compile(executable: Path, package: Path) -> None:
    package.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f"{package.name}-", dir=package.parent) as place:
        copy = shutil.copytree(
            worker_package(), Path(place) / package.name, ignore=shutil.ignore_patterns("__pycache__")
        )
        command = [str(executable), "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(copy)]
        subprocess.run(command, capture_output=True, timeout=COMPILE_SECONDS, check=True, stdin=subprocess.DEVNULL)
        with contextlib.suppress(OSError):  # another process was faster
            copy.rename(package)
    outdated = time.time() - KEPT_SECONDS
    for other in package.parent.glob(f"{package.name.partition('-')[0]}-*"):
        if other != package and other.stat().st_mtime < outdated:
            shutil.rmtree(other, ignore_errors=True)
