"""How many threads make sense here."""

import os
from pathlib import Path


def count_cores(machine: Path = Path("/sys")) -> int:
    """Physical cores that this process may use: more threads of a model than that only wait for each other.

    Args:
        machine: where Linux describes the processors and this process's share of them.
    """
    usable = os.sched_getaffinity(0)
    processors = machine / "devices/system/cpu"
    cores = {_read(processors / f"cpu{number}/topology/thread_siblings_list") or str(number) for number in usable}
    return max(1, min(len(cores), _read_quota(machine / "fs/cgroup") or len(cores)))


def _read_quota(cgroup: Path) -> int:
    """Whole processors that a container may use; 0 if it has no such limit."""
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    quota = quota or _read(cgroup / "cpu/cpu.cfs_quota_us")
    period = period or _read(cgroup / "cpu/cpu.cfs_period_us")
    try:
        return max(0, int(quota) // int(period))
    except (ValueError, ZeroDivisionError):
        return 0


def _read(file: Path) -> str:
    try:
        return file.read_text("ascii").strip()
    except OSError:
        return ""
