"""What an engine says of itself. Read once, and nothing of it is believed that matters for safety."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    """What matters of an engine's `info` and `version`.

    Attributes:
        id: names the engine for as long as its data lives.
        version: of the engine.
        kind: `Docker`, `Docker Desktop` or `Podman`.
        system: the operating system that its containers' kernel belongs to, in words.
        rootless: it runs as an ordinary user.
        kernel: release of its kernel.
        runtimes: names of the runtimes that it can use.
        cgroups: version of its control groups; 0 if it did not say.
        missing: resources that it cannot limit: `memory`, `pids`, `cpu`.
        security: names of its security options, such as `seccomp`, `apparmor`, `selinux`, `userns`.
    """

    id: str
    version: str
    kind: str
    system: str
    rootless: bool
    kernel: str
    runtimes: tuple[str, ...]
    cgroups: int
    missing: tuple[str, ...]
    security: tuple[str, ...]


def read_facts(info: Mapping[str, Any], version: Mapping[str, Any]) -> EngineFacts:
    """Read an engine's answers to `/info` and `/version`."""
    components = {part.get("Name", "") for part in version.get("Components") or ()}
    system = str(info.get("OperatingSystem", ""))
    kind = "Docker Desktop" if "Docker Desktop" in system else "Docker"
    options = [dict(pair.partition("=")[::2] for pair in text.split(",")) for text in info.get("SecurityOptions") or ()]
    security = tuple(option.get("name", "") for option in options)
    limits = {"memory": "MemoryLimit", "pids": "PidsLimit", "cpu": "CpuCfsQuota"}
    return EngineFacts(
        id=f"{info.get('ID')} {info.get('DockerRootDir')}",
        version=str(version.get("Version", "")),
        kind="Podman" if any("Podman" in name for name in components) else kind,
        system=system,
        rootless="rootless" in security or info.get("Rootless") is True,
        kernel=str(info.get("KernelVersion", "")),
        runtimes=tuple(sorted(info.get("Runtimes") or ())),
        cgroups=int(str(info.get("CgroupVersion") or "0")[:1]),
        missing=tuple(name for name, field in limits.items() if info.get(field) is False),
        security=security,
    )
