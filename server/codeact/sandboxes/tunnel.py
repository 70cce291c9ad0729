"""The way to an engine on another machine by SSH: the developer's own `ssh` carries a socket over."""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from codeact.errors import SandboxUnavailable

WAIT = 20.0
REMOTE_SOCKET = "/var/run/docker.sock"


@cache
def open_tunnel(address: str) -> str:
    """Begin to carry an engine's socket here, until this process ends; the address here.

    Args:
        address: `ssh://[USER@]HOST[:PORT][/PATH/OF/ITS/SOCKET]`, as the docker command takes it.

    Raises:
        SandboxUnavailable: ssh is missing, or does not get in without asking.
    """
    where = urlsplit(address)
    if not where.hostname or where.hostname.startswith("-"):
        raise SandboxUnavailable(f"{address} names no machine. Mend DOCKER_HOST or the Docker context.")
    folder = Path(tempfile.mkdtemp(prefix="codeact-ssh-"))
    here = folder / "docker.sock"
    command = ["ssh", "-N", "-T", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes"]
    command += ["-o", "ServerAliveInterval=15", "-L", f"{here}:{where.path.rstrip('/') or REMOTE_SOCKET}"]
    command += ["-p", str(where.port)] if where.port else []
    command += ["-l", where.username] if where.username else []
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        process = subprocess.Popen(  # ended at exit
            [*command, "--", where.hostname],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            process_group=0,  # Ctrl+C in a terminal is for us, who still have containers to remove
        )
    except FileNotFoundError:
        raise SandboxUnavailable(f"ssh is not installed, so {address} cannot be reached.") from None
    atexit.register(_end, process)
    _await_socket(process, here, address)
    return f"unix://{here}"


def _await_socket(process: "subprocess.Popen[bytes]", here: Path, address: str) -> None:
    deadline = time.monotonic() + WAIT
    while not here.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            said = process.communicate()[1].decode("utf-8", "replace").strip()[-300:]
            raise SandboxUnavailable(f"{address} cannot be reached. Try: ssh {urlsplit(address).hostname}. {said}")
        time.sleep(0.02)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(5)
    if process.stderr:
        process.stderr.close()
