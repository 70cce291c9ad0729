"""What a sandbox looks like from inside, the same for every backend."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from codeact.errors import SandboxUnavailable
from codeact.sandboxes.base import Interpreter, SandboxSpec, sandbox_user
from codeact.sandboxes.library import worker_package
from codeact_sandbox.view import remove_folder

LIB = "/run/codeact/lib"
SNAPSHOT = "/run/codeact/snapshot"
UPPER = "/run/codeact/upper"
WORKER = f"{LIB}/codeact_sandbox/worker.py"
HOST_FILES = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/ssl/certs", "/etc/mime.types")
TAKEN = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr")
SYSTEM_FOLDERS = ("/bin", "/lib", "/lib64", "/lib32", "/sbin")
ETC: Mapping[str, str] = {
    "/etc/passwd": "root:x:0:0::/:/bin/sh\nuser:x:{uid}:{gid}::/tmp/home:/bin/sh\n",
    "/etc/group": "root:x:0:\nuser:x:{gid}:\n",
    "/etc/hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "/etc/fonts/fonts.conf": (
        '<?xml version="1.0"?>\n<fontconfig><dir>/usr/share/fonts</dir>'
        "<cachedir>/tmp/home/.cache/fontconfig</cachedir></fontconfig>\n"
    ),
}


def check_workspace(workspace: Path) -> None:
    """Check that a view can appear at the workspace's own path.

    Raises:
        SandboxUnavailable: it is a folder that the sandbox itself needs.
    """
    if len(workspace.parts) == 1 or any(workspace == Path(path) or Path(path) in workspace.parents for path in TAKEN):
        raise SandboxUnavailable(
            f"A sandbox cannot show a workspace at {workspace}. Go to your repository, or name it: --workspace DIR. "
            "If this is it, move it below your home folder."
        )


def read_only(spec: SandboxSpec) -> Iterator[tuple[Path, str]]:
    """Host paths to show read-only, and where."""
    if not spec.image:
        yield from ((Path(path), path) for path in HOST_FILES if Path(path).exists())
    for folder in spec.interpreter.folders if spec.interpreter else ():
        if not _is_inside(folder, spec.workspace):
            yield folder, str(folder)
    yield spec.interpreter.library if spec.interpreter else worker_package(), f"{LIB}/codeact_sandbox"
    yield spec.snapshot, SNAPSHOT


def on_top(spec: SandboxSpec) -> tuple[Path, ...]:
    """The interpreter's folders inside the workspace: a virtual environment, which is in no snapshot."""
    folders = spec.interpreter.folders if spec.interpreter else ()
    return tuple(folder for folder in folders if _is_inside(folder, spec.workspace))


def etc_files() -> dict[str, str]:
    """The files of /etc that name the sandbox's user and host, by path."""
    uid, gid = sandbox_user()
    return {path: text.format(uid=uid, gid=gid) for path, text in ETC.items()}


def environment(interpreter: Interpreter | None) -> dict[str, str]:
    """The few variables that exist inside; nothing of the host's."""
    path = "/usr/local/bin:/usr/bin:/bin"
    variables = {
        "HOME": "/tmp/home",  # noqa: S108 - the sandbox's own
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "PATH": path,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": LIB,
        "TMPDIR": "/tmp",  # noqa: S108
        "USER": "user",
    }
    if interpreter:
        folder = interpreter.executable.parent
        variables["PATH"] = f"{folder}:{path}"
        variables["PYTHONPATH"] = ":".join([LIB, *map(str, (*interpreter.sources, *interpreter.additions))])
        if (folder.parent / "pyvenv.cfg").exists():
            variables["VIRTUAL_ENV"] = str(folder.parent)
    return variables


def worker_config(spec: SandboxSpec, upper: str = "", *, layer: str = "") -> str:
    """What the Worker is told at its start, as JSON.

    Args:
        spec: what is opened.
        upper: where it sees the view's upper layer, if it must bound what is written there.
        layer: where it sees the upper layer, if that is bounded already.
    """
    uid, gid = sandbox_user()
    excluded = [str(PurePosixPath(folder).relative_to(spec.workspace)) for folder in on_top(spec)]
    return json.dumps(
        {
            "root": str(spec.workspace),
            "snapshot": SNAPSHOT,
            "excluded": excluded,
            "upper": upper,
            "layer": layer or upper,
            "uid": uid if os.getuid() == 0 else 0,
            "gid": gid,
            "limits": asdict(spec.limits),
        }
    )


def describe(name: str, spec: SandboxSpec, ready: Mapping[str, Any]) -> dict[str, str]:
    """Facts about a sandbox for the evidence; `ready` is the Worker's greeting."""
    limits = spec.limits
    missing = {"missing walls": str(ready["note"])[:400]} if ready.get("note") else {}
    sources = spec.interpreter.sources if spec.interpreter else ()
    return {
        **missing,
        "sandbox": name,
        "python": str(ready.get("python", "")),
        **({"PYTHONPATH": ":".join(path.name for path in sources)} if sources else {}),
        "image": spec.image or "this machine's",
        "limits": f"{limits.memory_bytes >> 20} MiB, {limits.cpus:g} CPUs, {limits.processes} processes",
    }


@cache
def system_folders() -> tuple[tuple[str, str | None], ...]:
    """The host's system folders beside /usr: each with what it links to, or None if it is a folder of its own."""
    found = [
        (path, str(Path(path).readlink()) if Path(path).is_symlink() else None)
        for path in SYSTEM_FOLDERS
        if Path(path).exists()
    ]
    return tuple(found)


def discard(folder: Path) -> None:
    """Delete a folder that code in a sandbox could write to."""
    with contextlib.suppress(OSError):
        remove_folder(str(folder))


def _is_inside(folder: Path, workspace: Path) -> bool:
    return workspace in folder.parents
