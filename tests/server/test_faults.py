"""What goes wrong around a run: a server killed at any moment, many runs at once on one workspace.

CODEACT_KILLS and CODEACT_RUNS make these longer.
"""

import asyncio
import os
import random
import re
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
from codeact.processes import is_alive
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
        found = docker.connect().containers(all=True, filters={"label": docker.LABEL})
        assert [container for container in found if not is_alive(container["Labels"].get(docker.OWNER, ""))] == []
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


STATE_ON = 'mkdir -p $1 && mount -t tmpfs -o size=$2,nr_inodes=$3 tmpfs $1 && shift 3 && exec "$@"'


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize(
    ("size", "nodes"), [("4k", 1000), ("40k", 1000), ("64k", 1000), ("88k", 1000), ("1m", 30), ("1m", 36)]
)
def test_a_full_disk_has_one_message(
    workspace: Path, backend: str, scripted: Callable[..., ScriptedOpenAI], size: str, nodes: int
) -> None:
    """Wherever a run meets the end of the disk, it says so, with no traceback, and the workspace is as it was."""
    if backend == "docker":
        pytest.skip("an engine does not see what only this process has mounted")
    server = scripted([say(ANSWER)], repeat=True)
    before, state = contents(workspace), workspace.parent / "state"
    environ = {
        **os.environ,
        "CODEACT_BASE_URL": server.base_url,
        "CODEACT_STATE_DIR": str(state),
        "CODEACT_CACHE_DIR": str(workspace.parent / "cache"),
        "CODEACT_CONFIG": os.devnull,
        "CODEACT_SANDBOX": backend,
    }
    command = [sys.executable, "-m", "codeact", "fix", "--json", "--model", "scripted", "--workspace", str(workspace)]
    small = ["unshare", "--mount", "sh", "-c", STATE_ON, "sh", str(state), size, str(nodes)]
    done = subprocess.run([*small, *command], env=environ, cwd="/", capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == 2, done
    assert re.search(r"disk.* (is|are) full|No space left|Out of diskspace", done.stderr), done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2, done.stderr
    assert contents(workspace) == before


def test_two_servers_on_one_workspace(workspace: Path, backend: str, scripted: Callable[..., ScriptedOpenAI]) -> None:
    """Two processes share snapshots, mirrors and turns; both prove their fix, and neither touches the workspace."""
    server = scripted([say(ANSWER)], repeat=True)
    settings = settings_for(workspace, server, backend)
    before = contents(workspace)
    environ = {
        **os.environ,
        "CODEACT_BASE_URL": server.base_url,
        "CODEACT_STATE_DIR": str(settings.state),
        "CODEACT_CACHE_DIR": str(settings.cache),
        "CODEACT_CONFIG": os.devnull,
        "CODEACT_SANDBOX": backend,
    }
    command = [sys.executable, "-m", "codeact", "fix", "--json", "--model", "scripted", "--workspace", str(workspace)]
    started = [
        subprocess.Popen(command, env=environ, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    assert contents(workspace) == before
    assert [run.status for run in list_runs(settings)] == ["verified"] * 2
    assert list((settings.state / "sandboxes").glob("*")) == []
