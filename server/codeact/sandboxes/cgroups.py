"""A control group of its own for each sandbox, where the server may make one (as root); else other walls must do."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from codeact.sandboxes.base import SandboxSpec

ROOT = Path("/sys/fs/cgroup")
PREFIX = "codeact-"
PERIOD = 100_000  # microseconds


@contextlib.contextmanager
def limited(spec: SandboxSpec) -> Iterator[tuple[Path, ...]]:
    """Make the control groups for a sandbox, and remove them; none if this machine or user has none to give."""
    made: list[Path] = []
    try:
        for folder, settings in _wanted(spec):
            with contextlib.suppress(OSError):
                folder.mkdir()
                made.append(folder)
                for file, value in settings.items():
                    (folder / file).write_text(value, "ascii")
        yield tuple(made)
    finally:
        for folder in made:
            _remove(folder)


def sweep() -> None:
    """Remove the empty groups of servers that are gone."""
    for parent in (ROOT, ROOT / "pids", ROOT / "memory", ROOT / "cpu"):
        for folder in parent.glob(f"{PREFIX}*"):
            pid = folder.name.rpartition("-")[2]
            if not Path(f"/proc/{pid}").exists():
                _remove(folder)


def _wanted(spec: SandboxSpec) -> list[tuple[Path, dict[str, str]]]:
    if os.getuid() != 0:
        return []
    limits = spec.limits
    name = f"{PREFIX}{os.urandom(4).hex()}-{os.getpid()}"
    quota = int(limits.cpus * PERIOD)
    if (ROOT / "cgroup.controllers").exists():
        settings = {
            "pids.max": str(limits.processes),
            "memory.max": str(limits.memory_bytes),
            "cpu.max": f"{quota} {PERIOD}",
        }
        return [(ROOT / name, settings)]
    return [
        (ROOT / "pids" / name, {"pids.max": str(limits.processes)}),
        (ROOT / "memory" / name, {"memory.limit_in_bytes": str(limits.memory_bytes)}),
        (ROOT / "cpu" / name, {"cpu.cfs_period_us": str(PERIOD), "cpu.cfs_quota_us": str(quota)}),
    ]


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
