"""What `.devcontainer/devcontainer.json` says about the image to work in. It is read as data; nothing of it runs here.

Of its keys, `image` and `build` (or the older `dockerFile` and `context`) count. Features and commands to run after
creation are the editor's business, and left out.
"""

import hashlib
import json
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from codeact.environments.sources import FILES
from codeact.errors import PrepareError

PLACES = (".devcontainer/devcontainer.json", ".devcontainer.json")
NAMED = ("pyproject.toml", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", *FILES)
LEFT_OUT = ("features", "onCreateCommand", "updateContentCommand", "postCreateCommand")
Read = Callable[[str], bytes | None]


@dataclass(frozen=True, kw_only=True)
class DevContainer:
    """An image by name, or how to build one.

    Attributes:
        image: its name; empty if it is to be built.
        dockerfile: path in the workspace.
        context: folder in the workspace, `.` for all of it.
        arguments: for the build.
        target: stage to stop at; empty for the last.
        tag: the name that the built image gets: other content, another name.
        left_out: keys that are not followed.
    """

    image: str = ""
    dockerfile: str = ""
    context: str = "."
    arguments: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    tag: str = ""
    left_out: tuple[str, ...] = ()


def find_devcontainer(read: Read) -> DevContainer:
    """What the workspace's devcontainer.json asks for.

    Args:
        read: a file of the workspace by its path, None if there is none.

    Raises:
        PrepareError: there is none, it cannot be read, or it asks for something else, such as Compose.
    """
    place, text = next(((place, text) for place in PLACES if (text := read(place)) is not None), ("", b""))
    if not place:
        raise PrepareError(
            "The setting image is devcontainer, but the workspace has no .devcontainer/devcontainer.json."
        )
    try:
        data = json.loads(_plain(text.decode("utf-8")))
        return _parse(data, place, text, read)
    except (ValueError, TypeError, AttributeError) as error:
        raise PrepareError(f"{place} cannot be read: {error}.") from None


def _parse(data: Mapping[str, Any], place: str, text: bytes, read: Read) -> DevContainer:
    left_out = tuple(key for key in LEFT_OUT if data.get(key))
    if image := data.get("image"):
        return DevContainer(image=str(image), left_out=left_out)
    build = data.get("build", {})
    dockerfile = build.get("dockerfile") or data.get("dockerFile")
    if not dockerfile:
        kind = "Docker Compose" if data.get("dockerComposeFile") else "neither an image nor a Dockerfile"
        raise PrepareError(f"{place} names {kind}, which CodeAct does not follow. Name an image: the setting image.")
    base = posixpath.dirname(place)
    path = posixpath.normpath(posixpath.join(base, dockerfile))
    context = posixpath.normpath(posixpath.join(base, str(build.get("context") or data.get("context") or ".")))
    content = read(path)
    if content is None or path.startswith("..") or context.startswith(".."):
        raise PrepareError(f"{place} names the Dockerfile {dockerfile}, which the workspace does not have.")
    known = [text, content, *(read(name) or b"" for name in NAMED)]
    digest = hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in known)).hexdigest()[:16]
    return DevContainer(
        dockerfile=path,
        context=context,
        arguments={str(name): str(value) for name, value in (build.get("args") or {}).items()},
        target=str(build.get("target") or ""),
        tag=f"codeact-devcontainer:{digest}",
        left_out=left_out,
    )


def _plain(text: str) -> str:
    """JSON without the comments and trailing commas that this file may have."""
    tokens = re.sub(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', lambda found: found[1] or "", text, flags=re.DOTALL)
    return re.sub(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])', lambda found: found[1] or "", tokens)
