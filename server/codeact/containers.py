"""The image that a workspace's devcontainer.json asks for, if the developer's own settings say `image = devcontainer`.

A Dockerfile is code of the workspace that runs with a network while the image is built: so it is never built before
somebody has said so (`codeact prepare`, or `packages = always`), and its context is a snapshot, without secrets.
"""

from collections.abc import Callable
from dataclasses import replace

from codeact.environments.devcontainer import DevContainer, find_devcontainer
from codeact.errors import PrepareError
from codeact.settings import Settings
from codeact.snapshot import list_files, read_file, take_snapshot

DEVCONTAINER = "devcontainer"
Listener = Callable[[str], None]


def with_image(settings: Settings, on_progress: Listener = lambda _: None) -> Settings:
    """The settings with the name of an image that is there, where they name the workspace's dev container.

    Raises:
        PrepareError: it is not there yet, and may not be made without being asked for.
    """
    if settings.sandbox.image != DEVCONTAINER:
        return settings
    from codeact.sandboxes.images import has_image  # noqa: PLC0415 - only with an engine is there a docker package

    wanted = find_devcontainer(_reader(settings))
    name = wanted.image or wanted.tag
    if not has_image(name):
        if settings.packages != "always":
            raise PrepareError(
                f"The image of this workspace's dev container ({wanted.image or wanted.dockerfile}) is not there yet. "
                "To have it fetched or built: codeact prepare"
            )
        make_image(settings, on_progress)
    return replace(settings, sandbox=replace(settings.sandbox, image=name))


def make_image(settings: Settings, on_progress: Listener) -> DevContainer:
    """Fetch or build the image of the workspace's dev container.

    Raises:
        PrepareError: it cannot be; the message says why.
    """
    from codeact.sandboxes.images import build_image, has_image, pull_image  # noqa: PLC0415 - see with_image

    wanted = find_devcontainer(_reader(settings))
    if has_image(wanted.image or wanted.tag):
        return wanted
    if wanted.image:
        pull_image(wanted.image, on_progress)
        return wanted
    snapshot = take_snapshot(settings, {})
    prefix = "" if wanted.context == "." else f"{wanted.context}/"
    paths = [path for path in list_files(snapshot) if path.startswith(prefix)]
    files = {path.removeprefix(prefix): state for path in paths if (state := read_file(snapshot, path))}
    dockerfile = wanted.dockerfile.removeprefix(prefix)
    if dockerfile == wanted.dockerfile and prefix:  # it lies outside of its context
        dockerfile = "Dockerfile.codeact"
        files |= {dockerfile: state} if (state := read_file(snapshot, wanted.dockerfile)) else {}
    build_image(files, dockerfile, wanted.tag, wanted.arguments, wanted.target, on_progress)
    return wanted


def _reader(settings: Settings) -> Callable[[str], bytes | None]:
    def read(path: str) -> bytes | None:
        file = settings.workspace / path
        return file.read_bytes() if file.is_file() else None

    return read
