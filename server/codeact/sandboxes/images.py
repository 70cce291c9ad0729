"""Images that a Docker engine has, or builds: the one thing here that may use a network."""

import io
import tarfile
from collections.abc import Callable, Mapping

from docker.errors import DockerException
from requests.exceptions import RequestException

from codeact.errors import PrepareError, SandboxUnavailable
from codeact.sandboxes.connection import connect, translated
from codeact.trajectory import FileState

Listener = Callable[[str], None]
MAX_TOLD = 600


def has_image(name: str) -> bool:
    """Whether the engine has an image.

    Raises:
        SandboxUnavailable: no engine answers.
    """
    with translated(f"look for the image {name}"):
        return bool(connect().images(name, quiet=True))


def pull_image(name: str, on_progress: Listener) -> None:
    """Fetch an image from its registry.

    Raises:
        PrepareError: that is not possible.
    """
    on_progress(f"fetching the image {name}")
    try:
        with translated(f"fetch the image {name}"):
            repository, _, version = name.partition(":")
            connect().pull(repository, tag=version or "latest")
    except SandboxUnavailable as error:
        raise PrepareError(f"{error} Is its registry reachable? Then try again, or name another image.") from None


def build_image(
    files: Mapping[str, FileState],
    dockerfile: str,
    tag: str,
    arguments: Mapping[str, str],
    target: str,
    on_progress: Listener,
) -> None:
    """Build an image from a Dockerfile; the engine's classic builder is enough.

    Args:
        files: the build's context; nothing else of the workspace is seen.
        dockerfile: its path among them.
        tag: the image's name.
        arguments: of the build.
        target: stage to stop at; empty for the last.
        on_progress: told each step.

    Raises:
        PrepareError: a step failed; the message has its last words.
        SandboxUnavailable: no engine answers.
    """
    client = connect()
    last = ""
    try:
        for line in client.build(
            fileobj=_pack(files), custom_context=True, dockerfile=dockerfile, tag=tag, rm=True, forcerm=True,
            buildargs=dict(arguments), target=target, decode=True,
        ):  # fmt: skip
            if words := line.get("error"):
                raise PrepareError(f"The image of {dockerfile} cannot be built: {(last + words)[-MAX_TOLD:].strip()}")
            last = str(line.get("stream", "")) or last
            if last.startswith("Step "):
                on_progress(f"building the image: {last.strip()}")
    except (DockerException, RequestException, OSError) as error:
        raise PrepareError(f"The image of {dockerfile} cannot be built: {str(error)[:MAX_TOLD]}") from None


def _pack(files: Mapping[str, FileState]) -> io.BytesIO:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for path, state in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.mode = 0o755 if state.mode == "100755" else 0o644
            if state.mode == "120000":
                entry.type, entry.linkname = tarfile.SYMTYPE, state.content.decode("utf-8", "surrogateescape")
                archive.addfile(entry)
                continue
            entry.size = len(state.content)
            archive.addfile(entry, io.BytesIO(state.content))
    content.seek(0)
    return content
