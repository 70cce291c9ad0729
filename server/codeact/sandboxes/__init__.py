"""Adapters to sandbox backends, one file each, behind one Protocol; and the choice between them."""

from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from codeact.errors import SandboxUnavailable, SettingsError
from codeact.sandboxes import bubblewrap, cgroups
from codeact.sandboxes.base import Sandbox, SandboxSpec
from codeact.sandboxes.interpreter import find_interpreter
from codeact.settings import Settings

__all__ = ["BackendStatus", "find_interpreter", "open_sandbox", "probe", "sweep"]

BACKENDS = ("auto", "bubblewrap")


@dataclass(frozen=True)
class BackendStatus:
    """Whether a backend works here; if not, why, and the one command that mends it."""

    name: str
    usable: bool
    detail: str
    remedy: str = ""


def open_sandbox(spec: SandboxSpec, backend: str) -> AbstractAsyncContextManager[Sandbox]:
    """Start a sandbox of a backend, or with `auto` of the first that works.

    Raises:
        SandboxUnavailable: the backend does not work here, or none does.
        SettingsError: there is no such backend.
    """
    if backend == "docker":
        raise SandboxUnavailable("This version has no Docker sandbox yet. Use bubblewrap: --sandbox bubblewrap")
    if backend not in BACKENDS:
        raise SettingsError(f"There is no sandbox named {backend!r}. There are: {', '.join(BACKENDS)}.")
    return bubblewrap.open_bubblewrap(spec)


def probe() -> tuple[BackendStatus, ...]:
    """Try each backend."""
    reason = bubblewrap.probe()
    return (BackendStatus("bubblewrap", not reason, reason or "works", bubblewrap.REMEDY),)


def sweep(settings: Settings) -> None:
    """Remove what servers that were killed have left: empty folders and control groups. Sandboxes end by themselves."""
    cgroups.sweep()
    for folder in (settings.state / "sandboxes").glob("*-*-*"):
        pid = folder.name.split("-")[-2]
        if not Path(f"/proc/{pid}").exists():
            with suppress(OSError):
                folder.rmdir()
