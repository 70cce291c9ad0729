"""What an engine or a kernel means for the speed and safety of sandboxes, and what one command would mend."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from codeact.sandboxes.engine_facts import EngineFacts
from codeact.settings import SandboxSettings

DELEGATE = (
    "sudo mkdir -p /etc/systemd/system/user@.service.d && printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' | "
    "sudo tee /etc/systemd/system/user@.service.d/delegate.conf && sudo systemctl daemon-reload"
)
UNIFIED = "sudo grubby --update-kernel=ALL --args=systemd.unified_cgroup_hierarchy=1 && sudo reboot"
MEMORY = "sudo grubby --update-kernel=ALL --args='cgroup_enable=memory swapaccount=1' && sudo reboot"
SYSCTLS = (  # file, the value that forbids, what forbids, the command that allows
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor keeps user namespaces from ordinary programs",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "the kernel keeps user namespaces from ordinary users",
        "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    ),
    (
        "user/max_user_namespaces",
        "0",
        "the kernel allows no user namespaces",
        "sudo sysctl -w user.max_user_namespaces=15000",
    ),
)


@dataclass(frozen=True)
class Advice:
    """One thing that matters for sandboxes, and what to do about it; no remedy means that it is as it should be."""

    name: str
    detail: str
    remedy: str = ""


def of_engine(facts: EngineFacts, settings: SandboxSettings, *, shares: bool) -> Iterator[Advice]:
    """What an engine that answers means; `shares` tells whether it can bind this machine's files."""
    yield Advice("engine", f"{facts.kind} {facts.version} on {facts.system or 'an unknown system'}: {_kind(facts)}")
    yield _files(settings, shares=shares)
    yield _runtime(facts, settings)
    yield _limits(facts)
    if shares and "selinux" in facts.security:
        detail = "SELinux would keep sandboxes from reading what is bound, so they run without its labels"
        yield Advice("engine security", detail)


def of_kernel(proc: Path = Path("/proc/sys"), *, is_root: bool = os.getuid() == 0) -> Iterator[Advice]:
    """What this machine's kernel means for bubblewrap."""
    if not is_root and (blocked := blocked_namespaces(proc)):
        yield Advice("kernel namespaces", f"{blocked[0]}: bubblewrap cannot work", blocked[1])
    bounded = "control groups bound each sandbox as a whole"
    watched = "each process has limits and a watchdog looks after all; Docker, or being root, adds control groups"
    yield Advice("kernel limits", bounded if is_root else watched)


def blocked_namespaces(proc: Path = Path("/proc/sys")) -> tuple[str, str] | None:
    """What keeps ordinary users from making namespaces, and the command that mends it."""
    for file, forbidding, why, command in SYSCTLS:
        try:
            if (proc / file).read_text("ascii").strip() == forbidding:
                return f"{why} ({file.replace('/', '.')} = {forbidding})", command
        except OSError:
            continue
    return None


def _kind(facts: EngineFacts) -> str:
    if facts.kind == "Docker Desktop":
        return "sandboxes run in its virtual machine, one wall more; what they read is sent there"
    if facts.rootless:
        return "it runs as an ordinary user, so even a hole in it gives no root"
    if "userns" in facts.security:
        return "it is root, but root in its containers is nobody outside"
    return "it is root: a hole in it would give its whole machine"


def _files(settings: SandboxSettings, *, shares: bool) -> Advice:
    if shares:
        return Advice("engine files", "shared with this machine: nothing is sent, nothing is built")
    if settings.image:
        detail = f"not shared: snapshots are sent, of each only what is new, and {settings.image} brings Python"
        return Advice("engine files", detail)
    detail = "not shared: sandboxes there need an image with Python 3.9 or newer and pytest"
    return Advice("engine files", detail, "export CODEACT_IMAGE=NAME")


def _runtime(facts: EngineFacts, settings: SandboxSettings) -> Advice:
    wanted = settings.runtime
    if wanted and wanted not in facts.runtimes:
        detail = f"no {wanted} (sandbox.runtime) but {', '.join(facts.runtimes)}"
        return Advice("engine runtime", detail, f"sudo {wanted} install && sudo systemctl restart docker")
    if wanted == "runsc":
        return Advice("engine runtime", "gVisor: the kernel itself is out of reach; tests run slower")
    if "runsc" in facts.runtimes:
        return Advice("engine runtime", "gVisor is there, safer and slower: set CODEACT_RUNTIME=runsc to use it")
    return Advice("engine runtime", wanted or "the engine's own: namespaces, one kernel for all")


def _limits(facts: EngineFacts) -> Advice:
    version = f"control groups v{facts.cgroups}" if facts.cgroups else "control groups"
    if not facts.missing:
        return Advice("engine limits", f"memory, processes and CPU are bounded by {version}")
    remedy = (DELEGATE if facts.cgroups > 1 else UNIFIED) if facts.rootless else MEMORY
    detail = f"{version} do not bound {', '.join(facts.missing)} here; the Worker's own watchdog does, less strictly"
    return Advice("engine limits", detail, remedy)
