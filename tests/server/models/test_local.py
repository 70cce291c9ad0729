"""The embedded model, for real: loading, serving, sharing and ending, with the smallest model there is."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import platformdirs
import pytest

from codeact.errors import ModelUnavailable
from codeact.models import Model, embedded, local, open_model, pull
from codeact.models.cores import count_cores
from codeact.models.embedded import EmbeddedModel, Packages
from codeact.models.pull import pull_model
from codeact.settings import ModelSettings, Settings
from codeact.trajectory import Message, Sampling

NAME = "smollm2-135m"
QUESTION = (Message("user", "Tell me a long story about a river."),)
USER = """
import asyncio, sys
from pathlib import Path
from codeact.models import open_model
from codeact.settings import ModelSettings, Settings
from codeact.trajectory import Message, Sampling

async def main():
    settings = Settings(
        workspace=Path("/"),
        cache=Path(sys.argv[1]),
        state=Path(sys.argv[2]),
        model=ModelSettings(name="local:smollm2-135m"),
    )
    async with open_model(settings) as model:
        await model.sample((Message("user", "?"),), Sampling(max_tokens=1))
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""
pytestmark = pytest.mark.local_model


@pytest.fixture(scope="session")
def cache() -> Path:
    """Where the model is kept between test runs."""
    folder = Path(os.environ.get("CODEACT_CACHE_DIR") or platformdirs.user_cache_path("codeact"))
    settings = Settings(workspace=folder, cache=folder)
    try:
        pull_model(settings, NAME)
    except ModelUnavailable as error:
        pytest.skip(f"the model of these tests cannot be pulled: {error}")
    return folder


@pytest.fixture
def settings(cache: Path, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a user who is alone; what a failed test leaves is ended."""
    made = Settings(
        workspace=tmp_path, cache=cache, state=tmp_path / "state", model=ModelSettings(name=f"local:{NAME}")
    )
    yield made
    for pid in server_pids(made):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(autouse=True)
def let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """In these tests a model is let go at once, not kept for the next run."""
    monkeypatch.setattr(local.open_local.__wrapped__, "__kwdefaults__", {"keep": 0.0})


@pytest.fixture
def user(settings: Settings) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Start other processes that use the model until they are told to end."""
    users: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", USER, str(settings.cache), str(settings.state)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        users.append(process)
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        return process

    yield start
    for process in users:
        process.kill()
        process.communicate()


def server_pids(settings: Settings) -> list[int]:
    """The servers of this user that run; zombies, and the helper that ends each, left out."""
    parents = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"--folder\0{settings.state}" in (entry / "cmdline").read_text(
                "utf-8", "replace"
            ):
                parents[int(entry.name)] = int((entry / "stat").read_text("utf-8").rpartition(")")[2].split()[1])
        except OSError:
            continue
    return [pid for pid, parent in parents.items() if parent not in parents]


async def wake(model: Model) -> None:
    """Wait until it is loaded."""
    await model.sample((Message("user", "?"),), Sampling(max_tokens=1))


async def wait_for_end(settings: Settings, patience: float = 10.0) -> None:
    end = time.monotonic() + patience
    while server_pids(settings):
        assert time.monotonic() < end, "the server did not end"
        await asyncio.sleep(0.02)


def read_address(settings: Settings) -> tuple[Path, dict[str, str]]:
    (file,) = settings.state.glob("local/*/server.json")
    return file, json.loads(file.read_text("utf-8"))


async def test_answers(settings: Settings) -> None:
    """It loads, tells so, streams, gives several samples of one prompt, and counts the tokens of all of them."""
    told: list[str] = []
    pieces: list[str] = []
    async with open_model(settings, on_progress=told.append) as model:
        assert model.name == f"local:{NAME}"
        assert model.context == 2048
        completion = await model.sample(QUESTION, Sampling(samples=4, temperature=0.9, max_tokens=12), pieces.append)
    assert told[0] == f"loading {NAME}"
    assert len(completion.answers) == 4
    assert len({answer.text for answer in completion.answers}) > 1
    assert "".join(pieces) == completion.answers[0].text
    assert completion.usage.prompt_tokens > 10
    assert 20 < completion.usage.completion_tokens <= 48
    await wait_for_end(settings)


async def test_an_overlong_conversation(settings: Settings) -> None:
    """It does not fit, and that is said, not cut off in silence."""
    async with open_model(settings) as model:
        with pytest.raises(Exception, match="does not fit the model") as caught:
            await model.sample([Message("user", "river " * 4000)], Sampling())
    assert type(caught.value).__name__ == "ContextTooLong"


async def test_one_server_is_shared(settings: Settings, user: Callable[[], subprocess.Popen[str]]) -> None:
    """Runs of one process and of others, started at the same moment, use the same server."""
    models = [open_model(settings) for _ in range(3)]
    await asyncio.gather(*[wake(model) for model in await asyncio.gather(*(model.__aenter__() for model in models))])
    first = server_pids(settings)
    await asyncio.to_thread(user)
    assert len(first) == 1
    assert server_pids(settings) == first
    for model in models:
        await model.__aexit__(None, None, None)
    await asyncio.sleep(0.3)
    assert server_pids(settings) == first


async def test_ends_with_its_last_user(settings: Settings, user: Callable[[], subprocess.Popen[str]]) -> None:
    """When the command that started it is over, there is no process left, not for a moment."""
    process = await asyncio.to_thread(user)
    assert len(server_pids(settings)) == 1
    await asyncio.to_thread(process.communicate, "\n")
    assert server_pids(settings) == []
    assert process.returncode == 0


async def test_survives_a_killed_user_and_ends_with_the_last(
    settings: Settings, user: Callable[[], subprocess.Popen[str]]
) -> None:
    """kill -9 of the user that started it does not disturb the other; kill -9 of that one ends it."""
    first, second = await asyncio.to_thread(user), await asyncio.to_thread(user)
    (server,) = server_pids(settings)
    first.kill()
    await asyncio.to_thread(first.wait)
    await asyncio.sleep(0.3)
    assert server_pids(settings) == [server]
    second.kill()
    await wait_for_end(settings)


async def test_what_is_not_needed_any_more_is_not_loaded(settings: Settings) -> None:
    """A run that ends before the model is loaded ends its loading, though no thread runs in the midst of that."""
    async with open_model(settings):
        await asyncio.sleep(0.5)
        assert server_pids(settings)
    await wait_for_end(settings, 1.0)


async def test_a_killed_server_is_started_again(settings: Settings) -> None:
    """A run goes on when the server was ended for want of memory."""
    told: list[str] = []
    async with open_model(settings, on_progress=told.append) as model:
        await wake(model)
        (server,) = server_pids(settings)
        os.kill(server, signal.SIGKILL)
        await wait_for_end(settings)
        completion = await model.sample(QUESTION, Sampling(max_tokens=3))
        assert completion.answers[0].cut
    assert len(told) > 1


async def test_only_its_user_may_ask(settings: Settings) -> None:
    """The address is in a folder that nobody else can enter, and without the token the server says nothing."""
    async with open_model(settings) as model:
        await wake(model)
        file, address = read_address(settings)
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
        assert address["token"] not in "".join(
            (Path("/proc") / str(pid) / "cmdline").read_text("utf-8") for pid in server_pids(settings)
        )
        for path in ("models", "chat/completions"):
            with pytest.raises(urllib.error.HTTPError, match="401") as caught:
                await asyncio.to_thread(urllib.request.urlopen, f"{address['url']}/{path}")
            caught.value.close()
        assert "story" not in (file.parent / "server.log").read_text("utf-8")


async def test_cancelling_stops_the_model(settings: Settings) -> None:
    """A cancelled request uses no more processor time."""
    async with open_model(settings) as model:
        await wake(model)
        task = asyncio.create_task(model.sample(QUESTION, Sampling(samples=4, max_tokens=1500), lambda _: None))
        await asyncio.sleep(1.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(1.0)
        (server,) = server_pids(settings)
        before = used_seconds(server)
        await asyncio.sleep(1.0)
        assert used_seconds(server) - before < 0.2


def used_seconds(pid: int) -> float:
    fields = (Path("/proc") / str(pid) / "stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def test_a_missing_package_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setattr(local.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelUnavailable, match=r"needs the package xllamacpp. Run: .*codeact\[local\]"):
        async with open_model(settings):
            pass


async def test_a_server_that_does_not_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that llama.cpp cannot load ends in an error with the log's name, and in no process."""
    data = b"GGUF but not really"
    broken = EmbeddedModel(
        name="broken", file="broken.gguf", sha256=hashlib.sha256(data).hexdigest(), size=len(data),
        packages=Packages(names=(), version="", member=""), context=512, schedule=(), about="",
    )  # fmt: skip
    monkeypatch.setattr(embedded, "EMBEDDED", (broken,))
    monkeypatch.setattr(pull, "EMBEDDED", (broken,))
    chosen = replace(settings, cache=settings.state, model=ModelSettings(name="local:broken"))
    (settings.state / "models").mkdir(parents=True)
    (settings.state / "models" / "broken.gguf").write_bytes(data)
    with pytest.raises(ModelUnavailable, match=r"The server of the model broken ended .*server\.log"):
        async with open_model(chosen) as model:
            await wake(model)
    await wait_for_end(settings, 1.0)


def test_count_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads of one core are one; a container's share of the processors counts."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    assert count_cores(tmp_path) == 4
    for cpu in range(4):
        topology = tmp_path / f"devices/system/cpu/cpu{cpu}/topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{cpu % 2},{cpu % 2 + 2}\n", "ascii")
    assert count_cores(tmp_path) == 2
    (tmp_path / "fs/cgroup").mkdir(parents=True)
    (tmp_path / "fs/cgroup/cpu.max").write_text("max 100000\n", "ascii")
    assert count_cores(tmp_path) == 2
    (tmp_path / "fs/cgroup/cpu.max").write_text("100000 100000\n", "ascii")
    assert count_cores(tmp_path) == 1
