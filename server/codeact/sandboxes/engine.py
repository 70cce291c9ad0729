"""Where the Docker engine is that the developer's own `docker` command would talk to, and whether it is there.

Without the `docker` package, whose import takes 0.2 s: too long for machines without an engine.
"""

import json
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from codeact.errors import SandboxUnavailable

DEFAULT_SOCKET = "/var/run/docker.sock"
CONNECT_SECONDS = 2.0
START = "Start it, for instance: sudo systemctl start docker"


def trouble() -> str:
    """Why there is no use in asking the engine anything; empty if it may answer."""
    try:
        host = address()
    except SandboxUnavailable as error:
        return str(error)
    if host.startswith("unix://"):
        return _try_socket(host.removeprefix("unix://"))
    return _try_tcp(host) if host.startswith(("tcp://", "http://", "https://")) else ""


def address() -> str:
    """Where the engine is, as a URL: `DOCKER_HOST`, the current context's, or the usual socket.

    Raises:
        SandboxUnavailable: the current context does not exist.
    """
    if host := os.environ.get("DOCKER_HOST"):
        return host
    name = context()
    if name == "default":
        return f"unix://{DEFAULT_SOCKET}"
    for meta in (_config_folder() / "contexts" / "meta").glob("*/meta.json"):
        try:
            known = json.loads(meta.read_text("utf-8"))
            if known["Name"] == name:
                return str(known["Endpoints"]["docker"]["Host"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    raise SandboxUnavailable(f"The Docker context {name!r} does not exist. Choose another: docker context use default")


def _try_socket(path: str) -> str:
    """Connect as a client would, since a socket file may outlive its engine."""
    try:
        with socket.socket(socket.AF_UNIX) as trial:
            trial.settimeout(CONNECT_SECONDS)
            trial.connect(path)
    except PermissionError:
        return (
            f"You may not use the Docker engine at {path}. Join its group, then log in again: "
            "sudo usermod -aG docker $USER"
        )
    except OSError:
        return f"Docker is not running: nothing answers at {path}. {_how_to_start(path)}"
    return ""


def _try_tcp(host: str) -> str:
    where = urlsplit(host)
    try:
        with socket.create_connection((where.hostname or "", where.port or 2375), CONNECT_SECONDS):
            return ""
    except (OSError, ValueError):
        return f"Docker does not answer at {host}. Start it there, or choose another: unset DOCKER_HOST"


def _how_to_start(path: str) -> str:
    """The command that starts what belongs to a socket, or that chooses another engine which answers."""
    for name in ("docker.sock", "podman/podman.sock"):
        other = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}") / name
        if str(other) != path and other.is_socket():
            return f"Another engine has a socket: export DOCKER_HOST=unix://{other}"
    if "podman" in path:
        return "Start it: systemctl --user start podman.socket"
    if "/.docker/desktop/" in path:
        return "Start Docker Desktop: systemctl --user start docker-desktop"
    if path.startswith("/run/user/"):
        return "Start it: systemctl --user start docker"
    return START


def context() -> str:
    """The name of the current context, as the docker command finds it."""
    if name := os.environ.get("DOCKER_CONTEXT"):
        return name
    try:
        config = json.loads((_config_folder() / "config.json").read_text("utf-8"))
        return str(config.get("currentContext") or "default")
    except (OSError, ValueError, AttributeError):
        return "default"


def _config_folder() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
