"""Sandboxes made by a Docker engine: one container each, gone with the connection that holds it.

By default the container has no image but an empty one, with this machine's `/usr` and the workspace's interpreter bound
read-only: exactly the developer's environment, and nothing to build. The `image` setting brings another.

The view is an overlay that the engine's `local` volume driver mounts: below it the snapshot, above it a folder of the
server's. That folder is on a disk, so the Worker watches what is written there.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from docker.errors import APIError, ImageNotFound
from docker.types import DriverConfig, LogConfig, Mount, Ulimit

from codeact.errors import SandboxDied, SandboxUnavailable
from codeact.processes import is_alive, process_identity
from codeact.sandboxes import base_image, diagnosis, engine, layout, remote, sharing
from codeact.sandboxes.attached import Attached
from codeact.sandboxes.base import Sandbox, SandboxSpec, sandbox_user
from codeact.sandboxes.channel import Channel
from codeact.sandboxes.connection import CALL_SECONDS, connect, facts, translated
from codeact.sandboxes.diagnosis import Advice
from codeact.sandboxes.sharing import LABEL, OWNER
from codeact.sandboxes.turns import in_turn
from codeact.settings import Settings

START_SECONDS = 30.0
SCRATCH = ("/tmp", "/dev/shm")  # noqa: S108 - the sandbox's own
INODES = 200_000


class DockerSandbox:
    """A running sandbox. Implements the Sandbox Protocol; the calls are the channel's."""

    name = "docker"

    def __init__(self, channel: Channel, spec: SandboxSpec, python: str, environment: Mapping[str, str]) -> None:
        self.python = python
        self.environment = environment
        self.execute = channel.execute
        self.spawn = in_turn(channel.spawn, spec.state.with_name("turns"))
        self.preload = partial(channel.preload, python)
        self.attach = channel.attach
        self.write = channel.write
        self.changes = channel.changes
        self.restore = channel.restore


@asynccontextmanager
async def open_docker(spec: SandboxSpec) -> AsyncIterator[Sandbox]:
    """Start a sandbox; leaving the context removes its container.

    Raises:
        SandboxUnavailable: no engine answers, or it cannot run this.
    """
    layout.check_workspace(spec.workspace)
    async with _placed(spec) as mounts:
        starting = asyncio.create_task(asyncio.to_thread(_create, spec, mounts))
        try:
            container = await asyncio.shield(starting)
        except asyncio.CancelledError:  # a thread cannot be cancelled, and what it makes must not stay
            with contextlib.suppress(SandboxUnavailable):
                await asyncio.to_thread(_remove, await starting)
            raise
        streams: Attached | None = None
        try:
            with translated("start the sandbox"), _about_image(spec):
                streams = Attached(await asyncio.to_thread(_attach_and_start, container))
            channel = Channel(streams.reader, streams.send, streams.why)
            ready = await _greet(channel, spec)
            facts = layout.describe("docker", spec, ready)
            yield DockerSandbox(channel, spec, _python(spec), facts)
        finally:
            if streams:
                await streams.close()
            await asyncio.to_thread(_remove, container)


def probe() -> str:
    """Why Docker cannot be used here; empty if it can."""
    try:
        client = connect()
        with translated("answer"):
            client.ping()
    except SandboxUnavailable as error:
        return str(error)
    return ""


def sweep() -> None:
    """Remove containers and volumes of servers that are gone: those that an engine kept which was stopped itself."""
    try:
        client = connect()
        with translated("list containers"):
            found = client.containers(all=True, filters={"label": LABEL})
            volumes = client.volumes(filters={"label": OWNER})["Volumes"] or []
    except SandboxUnavailable:
        return
    for container in found:
        if not is_alive(container["Labels"].get(OWNER, "")):
            _remove(container["Id"])
    for volume in volumes:
        if not is_alive(volume["Labels"].get(OWNER, "")):
            remote.discard(client, volume["Name"])


async def _greet(channel: Channel, spec: SandboxSpec) -> Mapping[str, Any]:
    with _about_image(spec):
        return await channel.greet(START_SECONDS)


@contextmanager
def _about_image(spec: SandboxSpec) -> Iterator[None]:
    """A sandbox that does not come up has an image that cannot run it, if it has one of the developer's."""
    try:
        yield
    except (SandboxDied, APIError) as error:
        if spec.image:
            raise SandboxUnavailable(
                f"The image {spec.image} cannot run the sandbox: it needs Python 3.9 or newer as python3. {error}"
            ) from None
        raise


@asynccontextmanager
async def _placed(spec: SandboxSpec) -> AsyncIterator[list[Mount]]:
    """What the container mounts, bound from this machine or sent to where the engine is; removed afterwards."""
    if await asyncio.to_thread(shares_files, spec):
        with _layers(spec) as layers:
            yield _mounts(spec, layers)
        return
    volume = f"codeact-{spec.run}-{os.getpid()}-{os.urandom(4).hex()}"
    sending = asyncio.create_task(asyncio.to_thread(_send, spec, volume))
    try:
        yield list((await asyncio.shield(sending)).mounts)
    finally:
        await asyncio.wait([sending])  # a thread cannot be cancelled, and what it makes must not stay
        with contextlib.suppress(SandboxUnavailable), translated("remove a volume"):
            await asyncio.to_thread(remote.discard, connect(), volume)


def _send(spec: SandboxSpec, volume: str) -> remote.Placed:
    with translated("send the snapshot to the engine"):
        return remote.place(connect(), spec, volume)


def shares_files(spec: SandboxSpec) -> bool:
    """Whether the engine can bind this machine's files."""
    with translated("say whether it shares this machine's files"):
        return sharing.shares_files(connect(), facts(), spec.state)


def advise(settings: Settings) -> tuple[Advice, ...]:
    """What there is to know of the engine, which answers.

    Raises:
        SandboxUnavailable: it does no more.
    """
    with translated("say whether it shares this machine's files"):
        shares = sharing.shares_files(connect(), facts(), settings.state / "sandboxes")
    return tuple(diagnosis.of_engine(facts(), settings.sandbox, shares=shares))


def _create(spec: SandboxSpec, mounts: list[Mount]) -> str:
    """Make the container, and return its id."""
    client = connect()
    if not spec.image:
        with translated("import the sandbox's empty image"):
            base_image.ensure(client)
    command = [_python(spec), "-I", "-S", "-B", layout.WORKER, layout.worker_config(spec, layout.UPPER)]
    what = f"make a container{f' of {spec.image}' if spec.image else ''}"
    with translated(what), _explained(spec):
        container = client.create_container(
            image=spec.image or base_image.tag(),
            command=command[1:],
            entrypoint=command[:1],
            user=":".join(map(str, sandbox_user())),
            environment=layout.environment(spec.interpreter),
            working_dir="/",
            hostname="sandbox",
            stdin_open=True,
            labels={LABEL: spec.run, OWNER: process_identity(os.getpid())},
            host_config=client.create_host_config(mounts=mounts, tmpfs=_tmpfs(spec), **_walls(spec)),
        )
    return str(container["Id"])


@contextmanager
def _explained(spec: SandboxSpec) -> Iterator[None]:
    """Says what to do about the two things that a setting names and an engine may not have."""
    try:
        yield
    except ImageNotFound:
        raise SandboxUnavailable(
            f"The Docker engine at {engine.address()} does not have the image {spec.image}. "
            f"Get it there: docker pull {spec.image}"
        ) from None
    except APIError as error:
        if spec.runtime and "runtime" in str(error.explanation):
            known = ", ".join(facts().runtimes)
            raise SandboxUnavailable(
                f"The Docker engine has no runtime {spec.runtime!r} (sandbox.runtime). It has: {known}."
            ) from None
        raise


def _walls(spec: SandboxSpec) -> dict[str, Any]:
    limits = spec.limits
    return {
        "network_mode": "none",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges", *(["label=disable"] if "selinux" in facts().security else [])],
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,
        "pids_limit": limits.processes + 1,  # and the Worker
        "nano_cpus": int(limits.cpus * 1e9),
        "ulimits": [Ulimit(name="core", soft=0, hard=0)],
        "log_config": LogConfig(type="none"),  # else the engine would keep all output on the host's disk
        "auto_remove": True,
        "runtime": spec.runtime or None,
    }


def _mounts(spec: SandboxSpec, layers: Path) -> list[Mount]:
    options = (
        f"lowerdir={_escape(spec.snapshot)},upperdir={_escape(layers / 'upper')},workdir={_escape(layers / 'work')}"
        ",redirect_dir=off"
    )
    overlay = DriverConfig("local", {"type": "overlay", "device": "overlay", "o": options})
    bound = [] if spec.image else [(Path("/usr"), "/usr")]
    bound += [(Path(path), path) for path, link in layout.system_folders() if not link and not spec.image]
    bound += [*layout.read_only(spec), (layers / "upper", layout.UPPER)]
    bound += [(folder, str(folder)) for folder in layout.on_top(spec)]
    mounts = [Mount(inside, str(host), type="bind", read_only=True) for host, inside in bound]
    return [Mount(str(spec.workspace), None, driver_config=overlay, no_copy=True), *mounts]


def _tmpfs(spec: SandboxSpec) -> dict[str, str]:
    options = f"rw,nosuid,nodev,exec,mode=1777,size={spec.limits.scratch_bytes},nr_inodes={INODES}"
    return dict.fromkeys(SCRATCH, options)


def _attach_and_start(container: str) -> Any:  # noqa: ANN401 - see Attached
    client = connect()
    connection = client.attach_socket(container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
    held = getattr(connection, "_sock", connection)
    try:
        client.start(container)
    except BaseException:
        connection.close()
        held.close()
        raise
    return connection


def _remove(container: str) -> None:
    """Remove a container, or find that it is removing itself and wait until it is gone."""
    with contextlib.suppress(SandboxUnavailable), translated("remove a container"):
        try:
            connect().remove_container(container, force=True, v=True)
        except APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:
                raise
            connect().wait(container, timeout=CALL_SECONDS, condition="removed")


def _python(spec: SandboxSpec) -> str:
    return str(spec.interpreter.executable) if spec.interpreter else "python3"


@contextlib.contextmanager
def _layers(spec: SandboxSpec) -> Iterator[Path]:
    """A folder for what is written in the view; removed with all that is in it, whoever made it unreadable."""
    folder = spec.state / f"{spec.run}-{os.getpid()}-{os.urandom(4).hex()}"
    folder.mkdir(mode=0o755, parents=True)
    try:
        for name in ("upper", "work"):
            (folder / name).mkdir()
            os.chown(folder / name, *sandbox_user())
        yield folder
    finally:
        layout.discard(folder)


def _escape(path: Path) -> str:
    """A path as an option of an overlay mount. The engine splits options at commas, whatever is before them."""
    if "," in str(path):
        raise SandboxUnavailable(f"Docker cannot mount {path} for the comma in its name. Set CODEACT_STATE_DIR.")
    return str(path).replace("\\", "\\\\").replace(":", "\\:")
