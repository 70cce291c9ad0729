"""Adapters to sandbox backends, one file each, behind one Protocol; and the choice between them."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from codeact.errors import SandboxUnavailable, SettingsError
from codeact.sandboxes import bubblewrap, cgroups, diagnosis, engine, layout
from codeact.sandboxes.base import Sandbox, SandboxSpec
from codeact.sandboxes.diagnosis import Advice
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
    "usable_backends",
]

BACKENDS = ("auto", "docker", "bubblewrap")


@dataclass(frozen=True)
class BackendStatus:
    """Whether a backend, or what it stands on, works here; if not, why, and the one command that mends it."""

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
    if backend == "docker" or (backend == "auto" and (spec.image or spec.runtime or _docker_serves(spec))):
        if reason := engine.trouble():
            raise SandboxUnavailable(f"{reason} Or use the other sandbox: --sandbox bubblewrap")
        opened: AbstractAsyncContextManager[Sandbox] = _docker().open_docker(spec)
        return opened
    return bubblewrap.open_bubblewrap(spec)


def usable_backends() -> tuple[str, ...]:
    """The names of the backends that work here."""
    troubles = {"docker": _docker_trouble(), "bubblewrap": bubblewrap.probe()}
    return tuple(name for name, reason in troubles.items() if not reason)


def probe(settings: Settings) -> tuple[BackendStatus, ...]:
    """Try each backend, and tell what is to be known of each."""
    return (*_probe_docker(settings), *_probe_bubblewrap())


def _probe_docker(settings: Settings) -> Iterator[BackendStatus]:
    if reason := _docker_trouble():
        what, _, remedy = reason.rpartition(": ")
        yield BackendStatus("sandbox docker", usable=False, detail=reason, remedy=remedy if what else "")
        return
    found = _docker().advise(settings)
    in_the_way = [advice for advice in found if advice.remedy and advice.name in ("engine files", "engine runtime")]
    detail = f"{'answers' if in_the_way else 'works'}, at {engine.address()}"
    yield BackendStatus("sandbox docker", not in_the_way, detail, in_the_way[0].remedy if in_the_way else "")
    yield from map(_status, found)


def _probe_bubblewrap() -> Iterator[BackendStatus]:
    reason, blocked = bubblewrap.probe(), diagnosis.blocked_namespaces()
    remedy = (
        blocked[1] if blocked and shutil.which("bwrap") else (bubblewrap.REMEDY if reason == bubblewrap.MISSING else "")
    )
    yield BackendStatus("sandbox bubblewrap", not reason, reason or "works", remedy)
    if not reason or blocked:
        yield from map(_status, diagnosis.of_kernel())


def _status(advice: Advice) -> BackendStatus:
    return BackendStatus(advice.name, not advice.remedy, advice.detail, advice.remedy)


def sweep(settings: Settings) -> None:
    """Remove what servers that were killed have left: containers, folders and control groups."""
    cgroups.sweep()
    if not engine.trouble():
        _docker().sweep()
    for folder in (settings.state / "sandboxes").glob("*-*-*"):
        pid = folder.name.split("-")[-2]
        if not Path(f"/proc/{pid}").exists():
            layout.discard(folder)


def _docker_serves(spec: SandboxSpec) -> bool:
    """Whether Docker can make this sandbox without an image."""
    return not _docker_trouble() and _docker().shares_files(spec)


def _check_backend(backend: str) -> None:
    if backend not in BACKENDS:
        raise SettingsError(f"There is no sandbox named {backend!r}. There are: {', '.join(BACKENDS)}.")


def _docker_trouble() -> str:
    return engine.trouble() or _docker().probe()


def _docker() -> ModuleType:
    """The adapter, with the package that it needs."""
    from codeact.sandboxes import docker  # noqa: PLC0415 - see engine

    return docker
