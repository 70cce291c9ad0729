"""Names for processes that no later process shares."""

import os
from pathlib import Path


def process_identity(pid: int) -> str:
    """Names a live process such that no other one ever has the same name; empty if there is none."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return "" if Path("/proc/self/stat").exists() or not _answers(pid) else str(pid)
    return f"{pid} {stat.rpartition(')')[2].split()[19]} {boot}"  # 20th after the name: start time since boot


def is_alive(identity: str) -> bool:
    """Whether the process that had this name still runs."""
    pid = identity.partition(" ")[0]
    return pid.isdigit() and process_identity(int(pid)) == identity


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
