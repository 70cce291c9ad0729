"""Calling uv, which installs packages without running code of the workspace and without its variables."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from codeact.errors import PrepareError

KEPT = (
    "PATH", "HOME", "LANG", "TMPDIR", "XDG_", "UV_", "PIP_", "SSL_", "HTTP", "http", "NO_PROXY", "no_proxy",
)  # fmt: skip
SECONDS = 900.0


def run_uv(arguments: Sequence[str], cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run uv with the developer's own index settings and none of the workspace's.

    Raises:
        PrepareError: uv is not there, or does not end.
    """
    environ = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
    environ = {**_index_of_pip(environ), **environ}
    try:
        return subprocess.run(
            [_find_uv(), *arguments],
            cwd=cwd or Path.home(),
            env=environ,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise PrepareError(f"uv did not end within {SECONDS:.0f} s. Is the package index reachable?") from None


def _find_uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        raise PrepareError("Preparing environments needs uv. Install it: python -m pip install uv")
    return found


def _index_of_pip(environ: dict[str, str]) -> dict[str, str]:
    """Where pip would look, for a uv that nobody has told."""
    places = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_EXTRA_INDEX_URL": "UV_INDEX", "PIP_FIND_LINKS": "UV_FIND_LINKS"}
    return {theirs: environ[ours] for ours, theirs in places.items() if environ.get(ours)}
