"""A second Docker engine that sees none of this machine's files but its programs: what a remote one is like.

It has namespaces of its own for mounts (home folders, /tmp and the workspace are hidden from it) and for the network,
where it also listens on TCP.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docker import APIClient

PORT = 23750
START = """
set -e
mount --make-rprivate /
ip link set lo up
mount --bind "$1" /mnt
for hidden in /tmp /root /home; do mount -t tmpfs tmpfs $hidden; done
echo '{}' > /mnt/config.json
exec dockerd --config-file /mnt/config.json --data-root /mnt/data --exec-root /mnt/exec --pidfile /mnt/pid \\
  -H unix:///mnt/docker.sock -H tcp://127.0.0.1:$2 --bridge none --iptables=false
"""


def missing() -> str:
    """Why there can be no second engine here; empty if there can."""
    if os.getuid() != 0:
        return "a second Docker engine needs root"
    lacking = [name for name in ("dockerd", "unshare", "nsenter", "ip") if shutil.which(name) is None]
    return f"{', '.join(lacking)} not installed" if lacking else ""


@dataclass
class SecondEngine:
    """An engine with its data in `folder`; `address` is its socket as this machine sees it."""

    folder: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def address(self) -> str:
        """For DOCKER_HOST."""
        return f"unix://{self.folder}/docker.sock"

    @property
    def tcp(self) -> str:
        """For DOCKER_HOST in the engine's own network: begin the command with `inside`."""
        return f"tcp://127.0.0.1:{PORT}"

    @property
    def inside(self) -> list[str]:
        """What to put before a command to run it in the engine's network."""
        assert self.process
        return ["nsenter", "--net", "--target", str(self.process.pid)]

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "--net", "--mount", "bash", "-c", START, "bash", self.folder, str(PORT)],
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        for _ in range(600):
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as trial:
                trial.connect(str(self.folder / "docker.sock"))
                trial.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                if b"200 OK" in trial.recv(100):
                    return
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.1)
        raise AssertionError("the engine does not answer")

    def client(self) -> APIClient:
        """A connection of the test's own."""
        return APIClient(base_url=self.address, version="1.41", timeout=60)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it, and all that it had running; with SIGKILL as a crash would, its containers staying alive."""
        assert self.process
        self.process.send_signal(number)
        self.process.wait(60)

    def remove(self) -> None:
        """End what is left of it, whose processes all have its folder in their arguments or their mounts."""
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError):
                mounted = f" {self.folder} /mnt " in (path / "mountinfo").read_text()
                if mounted:
                    os.kill(int(path.name), signal.SIGKILL)


@contextlib.contextmanager
def second_engine(folder: Path) -> Iterator[SecondEngine]:
    """A running engine, gone afterwards."""
    folder.mkdir(parents=True)
    engine = SecondEngine(folder)
    try:
        engine.start()
        yield engine
        if engine.process and engine.process.poll() is None:
            engine.stop()
    finally:
        engine.remove()
        shutil.rmtree(folder, ignore_errors=True)
