"""Whether a fork would do what a new process does."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

LIBRARIES = ("/site-packages/", "/dist-packages/")
HELD = ("socket:", "pipe:", "anon_inode:")  # what several processes cannot share: connections, event loops


class Refused(Exception):
    """A fork would not do what a new process does."""


def check_loaded(root: str, known: set[str]) -> None:
    """What is the project's own, or runs threads or processes, or holds a connection, does not survive a fork.

    Args:
        root: the project's folder.
        known: connections that this process may have.

    Raises:
        Refused: it has loaded such a thing.
    """
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if file.startswith(root + "/") and not any(place in file for place in LIBRARIES):
            raise Refused(f"the plugin {name} belongs to the workspace")
    if len(os.listdir("/proc/self/task")) > 1:
        raise Refused("what is installed runs a thread")
    with contextlib.suppress(FileNotFoundError), open(f"/proc/self/task/{os.getpid()}/children", "rb") as children:
        if children.read():
            raise Refused("what is installed runs a process")
    if held() - known:
        raise Refused("what is installed holds a connection")


def is_sound(root: str, known: set[str]) -> bool:
    """Whether `check_loaded` finds nothing."""
    try:
        check_loaded(root, known)
    except Refused:
        return False
    return True


def held() -> set[str]:
    """The connections that this process has open."""
    found = set()
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/self/fd/{descriptor}"))
    return {target for target in found if target.startswith(HELD)}


def check_request(request: dict[str, Any], root: str) -> None:
    """What only a new interpreter can do, and files of the workspace that a new one would load instead.

    Raises:
        Refused: it is one of those.
    """
    if any(name.startswith(("PYTHON", "LD_")) for name in request["environ"]):
        raise Refused("variables that an interpreter reads at its start")
    loaded = {name.partition(".")[0] for name in sys.modules}
    for folder in (root, os.path.join(root, "src")):
        for entry in _entries(folder):
            name = entry.removesuffix(".py")
            if name in loaded and (entry != name or os.path.exists(os.path.join(folder, entry, "__init__.py"))):
                raise Refused(f"the workspace has its own {name}")


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
