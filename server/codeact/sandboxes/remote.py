"""A sandbox's places on an engine that does not share this machine's files: all in volumes, nothing bound.

One volume for each workspace keeps what was sent (`freight`). One for each sandbox holds what is written to its view,
and goes with it. The view is an overlay of both, mounted by the engine where they lie.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from docker import APIClient
from docker.errors import APIError
from docker.types import DriverConfig, Mount

from codeact.errors import SandboxUnavailable
from codeact.processes import process_identity
from codeact.sandboxes import base_image, freight, layout
from codeact.sandboxes.base import SandboxSpec, sandbox_user
from codeact.sandboxes.library import worker_package
from codeact.sandboxes.sharing import LABEL, OWNER

STORE = "codeact.store"
NO_IMAGE = (
    "The Docker engine does not share this machine's files, so its sandboxes need an image with Python 3.9 or newer "
    "and pytest. Name one: CODEACT_IMAGE=NAME, or image in [sandbox] of config.toml."
)


@dataclass(frozen=True)
class Placed:
    """What a container mounts, and the volume that goes with it."""

    mounts: tuple[Mount, ...]
    volume: str


def place(client: APIClient, spec: SandboxSpec, volume: str) -> Placed:
    """Bring to the engine what it lacks of a snapshot and of the Worker, and make a volume for what is written.

    Raises:
        SandboxUnavailable: there is no image that could run there.
    """
    if not spec.image:
        raise SandboxUnavailable(NO_IMAGE)
    base_image.ensure(client)
    store = _store(client, spec)
    client.create_volume(volume, labels={LABEL: spec.run, OWNER: process_identity(os.getpid())})
    with _carrier(client, spec, store, volume) as carrier:
        known = freight.known_trees(client, carrier)
        names = _send(client, carrier, known, spec)
    if len(known) > freight.MAX_TREES:
        _make_store(client, spec, int(store.rpartition("-")[2]) + 1)
    hold, layers = (str(client.inspect_volume(name)["Mountpoint"]) for name in (store, volume))
    library, snapshot = (f"{hold}/trees/{name}" for name in names)
    options = f"lowerdir={snapshot},upperdir={layers}/upper,workdir={layers}/work"
    mounts = (
        _mount(str(spec.workspace), "overlay", "overlay", options),
        _mount(layout.SNAPSHOT, "none", snapshot, "bind,ro"),
        _mount(f"{layout.LIB}/codeact_sandbox", "none", library, "bind,ro"),
        _mount(layout.UPPER, "none", f"{layers}/upper", "bind,ro"),
    )
    return Placed(mounts, volume)


def discard(client: APIClient, volume: str) -> None:
    """Remove a sandbox's volume, if it was made."""
    with contextlib.suppress(APIError):
        client.remove_volume(volume, force=True)


def _send(client: APIClient, carrier: str, known: dict[str, str], spec: SandboxSpec) -> list[str]:
    """Fill the volumes; tell the names of the trees with the Worker and with the snapshot."""
    user = sandbox_user()
    content, archive = freight.open_archive()
    with content:
        with archive:
            for folder in ("layers/upper", "layers/work"):
                freight.add_folder(archive, folder, user)
            sources = {"library": worker_package(), "snapshot": spec.snapshot}
            trees = (freight.read_tree(kind, folder) for kind, folder in sources.items())
            names = [freight.pack(client, carrier, known, tree, user, archive) for tree in trees]
        content.seek(0)
        client.put_archive(carrier, "/", content)
    return names


@contextlib.contextmanager
def _carrier(client: APIClient, spec: SandboxSpec, store: str, volume: str) -> Iterator[str]:
    """A container that never starts, through which files reach volumes."""
    mounts = [Mount(f"/{freight.HOLD}", store), Mount("/layers", volume)]
    labels = {LABEL: spec.run, OWNER: process_identity(os.getpid())}
    config = client.create_host_config(mounts=mounts)
    carrier = client.create_container(base_image.tag(), "none", labels=labels, host_config=config)["Id"]
    try:
        yield str(carrier)
    finally:
        client.remove_container(carrier, force=True)


def _store(client: APIClient, spec: SandboxSpec) -> str:
    """The volume for a workspace's trees. Those that it has taken the place of are removed, once nobody uses them."""
    listed = client.volumes(filters={"label": f"{STORE}={_key(spec)}"})["Volumes"] or []
    numbers = sorted(int(volume["Name"].rpartition("-")[2]) for volume in listed)
    for number in numbers[:-1]:
        discard(client, f"codeact-{_key(spec)}-{number}")
    return _make_store(client, spec, numbers[-1] if numbers else 0)


def _make_store(client: APIClient, spec: SandboxSpec, number: int) -> str:
    name = f"codeact-{_key(spec)}-{number}"
    client.create_volume(name, labels={LABEL: "store", STORE: _key(spec)})
    return name


def _key(spec: SandboxSpec) -> str:
    """Names the workspace, and the user whose files the volume holds."""
    return hashlib.sha256(repr((str(spec.workspace), sandbox_user())).encode()).hexdigest()[:16]


def _mount(target: str, kind: str, device: str, options: str) -> Mount:
    """A volume without a name: what the engine mounts for one container."""
    driver = DriverConfig("local", {"type": kind, "device": device, "o": options})
    return Mount(target, None, driver_config=driver, no_copy=True)
