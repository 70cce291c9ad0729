"""Adapters to sandbox backends, one file each, behind one Protocol; and the choice between them."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from codeact.errors import SandboxUnavailable, SettingsError
from codeact.sandboxes import bubblewrap, cgroups, engine, layout
from codeact.sandboxes.base import Sandbox, SandboxSpec
from codeact.sandboxes.interpreter import describe_interpreter, find_interpreter, find_own
from codeact.settings import Settings

__all__ = [
    "BackendStatus",
    "check_settings",
    "describe_interpreter",
    "find_interpreter",
    "find_own",
    "open_sandbox",
    "probe",
    "sweep",
]

BACKENDS = ("auto", "docker", "bubblewrap")


@dataclass(frozen=True)
class BackendStatus:
    """Whether a backend works here; if not, why, and the one command that mends it."""

    name: str
    usable: bool
    detail: str
    remedy: str = ""


def check_settings(settings: Settings) -> None:
    """Find out before anything is done whether no sandbox can be opened with these settings.

    Raises:
        SandboxUnavailable: the workspace is a folder that a sandbox cannot show.
        SettingsError: there is no such backend.
    """
    _check_backend(settings.sandbox.backend)
    layout.check_workspace(settings.workspace)


def open_sandbox(spec: SandboxSpec, backend: str) -> AbstractAsyncContextManager[Sandbox]:
    """Start a sandbox of a backend; `auto` is Docker where an engine answers, and else bubblewrap.

    Raises:
        SandboxUnavailable: the backend does not work here, or none does.
        SettingsError: there is no such backend.
    """
    _check_backend(backend)
    if backend == "docker" or (backend == "auto" and (spec.image or not _docker_trouble())):
        if reason := engine.trouble():
            raise SandboxUnavailable(f"{reason} Or use the other sandbox: --sandbox bubblewrap")
        opened: AbstractAsyncContextManager[Sandbox] = _docker().open_docker(spec)
        return opened
    return bubblewrap.open_bubblewrap(spec)


def probe() -> tuple[BackendStatus, ...]:
    """Try each backend."""
    no_docker, no_bubblewrap = _docker_trouble(), bubblewrap.probe()
    install = bubblewrap.REMEDY if no_bubblewrap == bubblewrap.MISSING else ""
    return (
        BackendStatus("docker", not no_docker, no_docker or f"works, at {engine.address()}", engine.START),
        BackendStatus("bubblewrap", not no_bubblewrap, no_bubblewrap or "works", install),
    )


def sweep(settings: Settings) -> None:
    """Remove what servers that were killed have left: containers, folders and control groups."""
    cgroups.sweep()
    if not engine.trouble():
        _docker().sweep()
    for folder in (settings.state / "sandboxes").glob("*-*-*"):
        pid = folder.name.split("-")[-2]
        if not Path(f"/proc/{pid}").exists():
            layout.discard(folder)


def _check_backend(backend: str) -> None:
    if backend not in BACKENDS:
        raise SettingsError(f"There is no sandbox named {backend!r}. There are: {', '.join(BACKENDS)}.")


def _docker_trouble() -> str:
    return engine.trouble() or _docker().probe()


def _docker() -> ModuleType:
    """The adapter, with the package that it needs."""
    from codeact.sandboxes import docker  # noqa: PLC0415 - see engine

    return docker
