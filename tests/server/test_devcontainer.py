"""A workspace's dev container: read as data, followed only by consent, built and run by a real engine."""

import asyncio
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from openai_server import ScriptedOpenAI, say
from workspaces import make_workspace

from codeact.containers import make_image
from codeact.environments.devcontainer import find_devcontainer
from codeact.errors import PrepareError
from codeact.run import run_task
from codeact.sandboxes.docker import connect, probe
from codeact.settings import Settings, load_settings
from codeact.trajectory import Task, TaskKind

BASE = "codeact-test-python"
DOCKERFILE = f"FROM {BASE}\nARG WORD=none\nCOPY note.txt /note.txt\nRUN echo built-$WORD > /marker\n"
NEEDED = ("/usr/bin/python3", "/bin/sh", "/bin/echo")


def describe(text: str, **files: str) -> object:
    known = {".devcontainer/devcontainer.json": text, **files}
    return find_devcontainer(lambda path: known[path].encode() if path in known else None)


def test_comments_and_both_ways_to_build_are_read() -> None:
    """The file may have comments and trailing commas; `build` and the older keys name a Dockerfile beside it."""
    found = describe('{\n// which\n"image": "python:3.12", /* no */ "features": {"x": {}},\n}')
    assert (found.image, found.left_out) == ("python:3.12", ("features",))
    new = describe(
        '{"build": {"dockerfile": "Dockerfile", "context": "..", "args": {"A": 1}}}',
        **{".devcontainer/Dockerfile": "F"},
    )
    assert (new.dockerfile, new.context, new.arguments) == (".devcontainer/Dockerfile", ".", {"A": "1"})
    old = describe('{"dockerFile": "../Dockerfile"}', Dockerfile="FROM x")
    assert (old.dockerfile, old.context) == ("Dockerfile", ".devcontainer")
    assert new.tag != old.tag


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"dockerComposeFile": "compose.yml"}', "Docker Compose"),
        ("{", "cannot be read"),
        ("{}", "neither an image nor a Dockerfile"),
        ('{"build": {"dockerfile": "../../etc/Dockerfile"}}', "does not have"),
    ],
)
def test_what_cannot_be_followed_is_one_message(text: str, words: str) -> None:
    with pytest.raises(PrepareError, match=words):
        describe(text)


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """An image with a Python and a shell, made of this machine's files, since there may be no registry."""
    if probe() or not Path("/usr/lib/python3.11").is_dir():
        pytest.skip("no Docker engine answers, or this machine has another Python")
    client = connect()
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        seen: set[str] = set()
        for path in [*NEEDED, *_libraries()]:
            _add(archive, path, seen)
        _add(archive, "/usr/lib/python3.11", seen)
        for name in ("dev", "proc", "sys", "tmp", "run", "etc", "var/tmp"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
            archive.addfile(entry)
    client.import_image_from_data(content.getvalue(), repository=BASE, tag="latest")
    yield BASE
    client.remove_image(BASE, force=True)


def _libraries() -> list[str]:
    extensions = [str(file) for file in Path("/usr/lib/python3.11/lib-dynload").glob("*.so")]
    told = subprocess.run(["ldd", *NEEDED, *extensions], capture_output=True, text=True, check=True).stdout
    return [word for word in told.split() if word.startswith("/") and not word.endswith(":")]


def _add(archive: tarfile.TarFile, path: str, seen: set[str]) -> None:
    """A file or folder where it really is, and the links that lead to it; `/bin` and `/lib` are below `/usr`."""
    if path in seen or path.endswith(("/test", "/__pycache__", "/idlelib", "/dist-packages")):
        return
    seen.add(path)
    place = Path(path)
    if place.is_symlink() and str(place.parent) == os.path.realpath(place.parent):
        _add(archive, str(place.parent / place.readlink()), seen)
    if place.is_dir() and not place.is_symlink():
        for child in sorted(place.iterdir()):
            _add(archive, str(child), seen)
        return
    if str(place.parent) == os.path.realpath(place.parent):
        archive.add(path, arcname=path.lstrip("/"))
        return
    entry = tarfile.TarInfo(path.lstrip("/"))
    data = place.read_bytes()
    entry.size, entry.mode = len(data), 0o755
    archive.addfile(entry, io.BytesIO(data))


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    description = {"build": {"dockerfile": "Dockerfile", "context": "..", "args": {"WORD": "well"}}}
    return make_workspace(
        folder,
        {
            ".devcontainer/devcontainer.json": json.dumps(description),
            ".devcontainer/Dockerfile": DOCKERFILE,
            "note.txt": "a note\n",
            ".env": "SECRET=1\n",
        },
    )


def settings_for(workspace: Path, url: str, packages: str = "ask") -> Settings:
    overrides = {
        "model": {"name": "scripted", "base_url": url, "api_key": "sk-secret-123"},
        "state": str(workspace.parent / "state"),
        "cache": str(workspace.parent / "cache"),
        "sandbox": {"backend": "docker", "image": "devcontainer"},
        "packages": packages,
    }
    return load_settings(workspace, overrides, {})


@pytest.mark.docker
async def test_a_dockerfile_is_built_when_asked_and_runs_use_it(
    image: str, workspace: Path, scripted: Callable[..., ScriptedOpenAI]
) -> None:
    """Without `prepare` a run says what to do; after it, code runs in the image, as contained as ever."""
    look = (
        "```python\nimport os\nprint(open('/marker').read(), open('/note.txt').read(), os.path.exists('note.txt'))\n```"
    )
    server = scripted([say(look), say("Built.")])
    settings = settings_for(workspace, server.base_url)
    task = Task(kind=TaskKind.ASK, instruction="Where are we?")
    with pytest.raises(PrepareError, match="codeact prepare"):
        await run_task(task, settings)
    made = await asyncio.to_thread(make_image, settings, print)
    try:
        ended = await run_task(task, settings)
        assert ended.status == "answered", ended.message
        assert "built-well" in server.requests[1]["messages"][-1]["content"]
    finally:
        connect().remove_image(made.tag, force=True)
    (workspace / ".devcontainer/Dockerfile").write_text(f"FROM {image}\nRUN echo oops && exit 3\n")
    with pytest.raises(PrepareError, match=r"(?s)cannot be built.*exit 3|returned a non-zero code: 3"):
        await asyncio.to_thread(make_image, settings, print)


@pytest.mark.docker
async def test_an_image_is_taken_by_name(image: str, workspace: Path, scripted: Callable[..., ScriptedOpenAI]) -> None:
    """An image that the engine has is used at once; one that nobody has is one clear message."""
    file = workspace / ".devcontainer/devcontainer.json"
    file.write_text(json.dumps({"image": image}))
    server = scripted([say("```python\nimport sys\nprint(sys.version)\n```"), say("Python.")])
    ended = await run_task(Task(kind=TaskKind.ASK, instruction="Which?"), settings_for(workspace, server.base_url))
    assert ended.status == "answered", ended.message
    file.write_text(json.dumps({"image": "registry.invalid/none:1"}))
    with pytest.raises(PrepareError, match="Is its registry reachable"):
        await asyncio.to_thread(make_image, settings_for(workspace, server.base_url), print)
