"""Whether an engine sees this machine's files."""

import contextlib
import json
import os
import platform
from functools import cache
from pathlib import Path

from docker import APIClient
from docker.errors import APIError
from docker.types import Mount

from codeact.processes import process_identity
from codeact.sandboxes import base_image
from codeact.sandboxes.engine_facts import EngineFacts

LABEL, OWNER = "codeact", "codeact.owner"  # of what CodeAct makes on an engine: for which run, by which server
KNOWN = "engines.json"
MAX_KNOWN = 20


def shares_files(client: APIClient, facts: EngineFacts, folder: Path) -> bool:
    """Whether paths mean the same files to the engine as to this process, so that they can be bound.

    Tried by binding a folder made in `folder`; remembered beside it until this machine starts
    again.
    """
    if facts.kind == "Docker Desktop" or facts.kernel != platform.release():
        return False
    file = folder.with_name(KNOWN)
    known, key = _read(file), f"{client.base_url} {facts.id} {_here()}"
    if key not in known:
        known[key] = _try_to_share(client, folder)
        with contextlib.suppress(OSError):
            partial = file.with_name(f"{KNOWN}.{os.getpid()}")
            partial.write_text(json.dumps(dict(list(known.items())[-MAX_KNOWN:])), "utf-8")
            partial.replace(file)
    return known[key]


def _try_to_share(client: APIClient, folder: Path) -> bool:
    """Bind a folder just made. An engine that has no such folder says so, and nothing needs to start."""
    base_image.ensure(client)
    probe = folder / f"probe-{os.getpid()}-{os.urandom(8).hex()}"
    probe.mkdir(parents=True)
    try:
        config = client.create_host_config(mounts=[Mount("/probe", str(probe), type="bind", read_only=True)])
        labels = {LABEL: "probe", OWNER: process_identity(os.getpid())}
        made = client.create_container(base_image.tag(), "none", labels=labels, host_config=config)["Id"]
    except APIError:
        return False
    finally:
        probe.rmdir()
    client.remove_container(made, force=True, v=True)
    return True


@cache
def _here() -> str:
    """Names this start of the machine and this process's view of its files."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    space = Path("/proc/self/ns/mnt")
    return f"{boot.read_text('ascii').strip()} {space.readlink()}" if boot.exists() else "elsewhere"


def _read(file: Path) -> dict[str, bool]:
    try:
        known = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return {key: value for key, value in known.items() if value in (True, False)} if isinstance(known, dict) else {}
