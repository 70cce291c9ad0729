"""A small HTTP server that answers what engines were recorded to answer of themselves: version, info, ping."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

VERSION = {"Version": "27.3.1", "ApiVersion": "1.47", "MinAPIVersion": "1.24", "Os": "linux", "Arch": "amd64"}
INFO = {
    "ID": "8a1c", "OperatingSystem": "Ubuntu 24.04 LTS", "KernelVersion": "6.8.0-45-generic", "CgroupVersion": "2",
    "DockerRootDir": "/var/lib/docker", "MemoryLimit": True, "PidsLimit": True, "CpuCfsQuota": True,
    "Runtimes": {"io.containerd.runc.v2": {"path": "runc"}, "runc": {"path": "runc"}},
    "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"],
}  # fmt: skip
# What differs from these, by the kind of engine.
RECORDED: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "another machine": ({}, {}),
    "Docker Desktop": (
        {"Platform": {"Name": "Docker Desktop 4.34.2 (167172)"}},
        {"OperatingSystem": "Docker Desktop", "KernelVersion": "6.10.4-linuxkit", "Name": "docker-desktop"},
    ),
    "rootless, control groups v1": (
        {"Components": [{"Name": "Engine"}, {"Name": "rootlesskit"}, {"Name": "slirp4netns"}]},
        {
            "CgroupVersion": "1", "CgroupDriver": "none", "MemoryLimit": False, "PidsLimit": False, "CpuCfsQuota": False,
            "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"],
        },
    ),
    "rootless, no CPU delegated": (
        {}, {"CpuCfsQuota": False, "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"]},
    ),
    "Podman": (
        {"Version": "4.9.3", "ApiVersion": "1.41", "Components": [{"Name": "Podman Engine", "Version": "4.9.3"}]},
        {
            "OperatingSystem": "fedora", "Rootless": True, "Runtimes": {"crun": {"path": "/usr/bin/crun"}},
            "SecurityOptions": ["name=seccomp,profile=default", "name=rootless", "name=selinux"],
        },
    ),
    "gVisor": ({}, {"Runtimes": {"runc": {"path": "runc"}, "runsc": {"path": "/usr/local/bin/runsc"}}}),
    "user namespaces": ({}, {"SecurityOptions": ["name=seccomp,profile=builtin", "name=userns"]}),
}  # fmt: skip


@contextmanager
def recorded_engine(kind: str) -> Iterator[str]:
    """Serve one of the RECORDED; the address for DOCKER_HOST."""
    version, info = ({**base, **changed} for base, changed in zip((VERSION, INFO), RECORDED[kind], strict=True))
    answers = {"version": json.dumps(version), "info": json.dumps(info), "_ping": "OK", "json": "[]"}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = answers.get(self.path.partition("?")[0].rpartition("/")[2], "{}").encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Api-Version", version["ApiVersion"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"tcp://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
