"""What goes wrong around a run: a server killed at any moment, many runs at once on one workspace.

CODEACT_KILLS and CODEACT_RUNS make these longer.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from openai_server import ScriptedOpenAI, say
from workspaces import ANSWER, WRONG, contents, make_workspace

from codeact.journal import list_runs, read_journal
from codeact.run import run_task
from codeact.sandboxes import bubblewrap, docker, sweep
from codeact.settings import Settings, load_settings
from codeact.trajectory import Task, TaskKind

KILLS = int(os.environ.get("CODEACT_KILLS", "6"))
RUNS = int(os.environ.get("CODEACT_RUNS", "4"))
LONGEST = 6.0  # seconds until a kill; a run takes about as long


def settings_for(workspace: Path, server: ScriptedOpenAI, backend: str) -> Settings:
    overrides = {
        "model": {"name": "scripted", "base_url": server.base_url},
        "state": str(workspace.parent / "state"),
        "cache": str(workspace.parent / "cache"),
        "sandbox": {"backend": backend},
    }
    return load_settings(workspace, overrides, {})


@pytest.fixture(
    params=[pytest.param("bubblewrap", marks=pytest.mark.bubblewrap), pytest.param("docker", marks=pytest.mark.docker)]
)
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if reason := {"bubblewrap": bubblewrap, "docker": docker}[name].probe():
        pytest.skip(reason)
    return name


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return make_workspace(folder)


def test_a_server_killed_at_any_moment_leaves_nothing(
    workspace: Path, backend: str, scripted: Callable[..., ScriptedOpenAI]
) -> None:
    """After the next start's sweep there is no process, container, mount or folder; journals read, files are as before."""
    server = scripted([say(WRONG, delay=0.02), say(ANSWER, delay=0.02)], repeat=True)
    settings = settings_for(workspace, server, backend)
    before = contents(workspace)
    moments = random.Random(KILLS)
    environ = {
        **os.environ,
        "CODEACT_BASE_URL": server.base_url,
        "CODEACT_STATE_DIR": str(settings.state),
        "CODEACT_CACHE_DIR": str(settings.cache),
        "CODEACT_CONFIG": os.devnull,
        "CODEACT_SANDBOX": backend,
    }
    command = [sys.executable, "-m", "codeact", "fix", "--json", "--model", "scripted", "--workspace", str(workspace)]
    for _ in range(KILLS):
        with subprocess.Popen(
            command, env=environ, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as run:
            time.sleep(moments.uniform(0.2, LONGEST))
            run.send_signal(signal.SIGKILL)
    time.sleep(1)  # the kernel takes down what has lost its parent
    sweep(settings)
    assert contents(workspace) == before
    assert list((settings.state / "sandboxes").glob("*")) == []
    assert str(workspace.parent) not in Path("/proc/self/mounts").read_text()
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(workspace) not in listed
    if backend == "docker":
        assert docker.connect().containers(all=True, filters={"label": docker.LABEL}) == []
    runs = list_runs(settings)
    assert runs
    for run_ in runs:
        assert run_.status in ("interrupted", "verified"), run_
        read_journal(settings, run_.run)


async def test_many_runs_on_one_workspace_all_end(
    workspace: Path, backend: str, scripted: Callable[..., ScriptedOpenAI]
) -> None:
    """They share snapshots and mirrors, do not meet in their views, and each is proven."""
    settings = settings_for(workspace, scripted([say(ANSWER)], repeat=True), backend)
    before = contents(workspace)
    ended = await asyncio.gather(*(run_task(Task(kind=TaskKind.FIX), settings) for _ in range(RUNS)))
    assert [run.status for run in ended] == ["verified"] * RUNS
    assert len({run.run for run in ended}) == RUNS
    assert contents(workspace) == before
    assert list((settings.state / "sandboxes").glob("*")) == []
