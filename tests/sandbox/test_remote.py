"""Sandboxes on an engine that sees none of this machine's files: by socket, TCP, SSH and context."""

import io
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest
import second_engine
from attack_programs import PRELUDE, THEMES
from openai_server import ScriptedOpenAI, say
from python_image import import_image
from second_engine import SecondEngine
from workspaces import ANSWER, make_workspace

from codeact.errors import SandboxError, SandboxUnavailable
from codeact.run import run_task
from codeact.sandboxes import docker, open_sandbox, sweep
from codeact.sandboxes.base import Sandbox, SandboxSpec
from codeact.settings import Limits, load_settings
from codeact.trajectory import Action, FileState, Task, TaskKind

Opener = Callable[..., AbstractAsyncContextManager[Sandbox]]
pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecondEngine]:
    """A second engine with an image."""
    if reason := second_engine.missing():
        pytest.skip(reason)
    with second_engine.second_engine(tmp_path_factory.mktemp("remote") / "engine") as engine:
        client = engine.client()
        import_image(client)
        client.close()
        yield engine


@pytest.fixture
def engine(running: SecondEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecondEngine]:
    """The engine that this test's sandboxes are made by."""
    monkeypatch.setenv("DOCKER_HOST", running.address)
    forget()
    yield running
    forget()
    monkeypatch.undo()


def forget() -> None:
    """Have the adapter look again where the engine is."""
    if docker.connect.cache_info().currsize:
        docker.connect().close()
    docker.connect.cache_clear()
    docker.facts.cache_clear()


@pytest.fixture
def spec(tmp_path: Path) -> SandboxSpec:
    """A snapshot with a module, a folder, links and a script."""
    snapshot, workspace = tmp_path / "snapshot", tmp_path / "work"
    (snapshot / "pkg").mkdir(parents=True)
    workspace.mkdir()
    (snapshot / "mod.py").write_text("VALUE = 1\n")
    (snapshot / "pkg" / "data.txt").write_text("data\n")
    (snapshot / "run.sh").write_text("#!/bin/sh\n")
    (snapshot / "run.sh").chmod(0o755)
    (snapshot / "link").symlink_to("mod.py")
    (snapshot / "out").symlink_to("../../elsewhere")
    return SandboxSpec(
        run="remote", snapshot=snapshot, workspace=workspace, interpreter=None, limits=Limits(),
        image="codeact-test-python", state=tmp_path / "state",
    )  # fmt: skip


async def test_the_snapshot_travels_by_content_and_only_what_changed(engine: SecondEngine, spec: SandboxSpec) -> None:
    """The view is as it would be here; after an edit, files that stayed as they were are not sent again."""
    assert not docker.shares_files(spec)
    (spec.snapshot / "run.sh").chmod(0o644)
    async with open_sandbox(spec, "docker"):
        pass
    (spec.snapshot / "run.sh").chmod(0o755)
    (spec.snapshot / "mod.py").write_text("VALUE = 2\n")
    code = """
import os, mod, subprocess
print(mod.VALUE, os.readlink('link'), os.readlink('out'), os.access('run.sh', os.X_OK))
print([os.stat(path).st_nlink for path in ('mod.py', 'run.sh', 'pkg/data.txt')])
open('mod.py', 'a').write('MORE = 1\\n')
os.remove('pkg/data.txt')
open('new.txt', 'w').write('new')
"""
    async with open_sandbox(spec, "docker") as sandbox:
        seen = await sandbox.execute(Action(code))
        assert seen.stdout == "2 mod.py ../../elsewhere True\n[1, 1, 2]\n", seen
        assert (await sandbox.changes()).files == {
            "mod.py": FileState(b"VALUE = 2\nMORE = 1\n"), "pkg/data.txt": None, "new.txt": FileState(b"new"),
        }  # fmt: skip
        await sandbox.restore()
        assert (await sandbox.changes()).files == {}
    client = engine.client()
    assert client.containers(all=True) == []
    assert [volume["Labels"]["codeact"] for volume in client.volumes()["Volumes"]] == ["store"]
    client.close()


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("theme", ["writing", "privileges"])
async def test_its_walls_hold(spec: SandboxSpec, tmp_path: Path, theme: str) -> None:
    """What was sent cannot be written to, and what the engine has beside it is not seen."""
    given = f"HOST_SECRET = {str(tmp_path / 'secret.txt')!r}\n"
    outcomes = {}
    async with open_sandbox(spec, "docker") as sandbox:
        await sandbox.execute(Action(PRELUDE + given))
        for name, program in THEMES[theme].items():
            seen = await sandbox.execute(Action(program))
            outcomes[name] = seen.stdout.strip() or (seen.failure.message if seen.failure else "it said nothing")
    assert {name: outcome for name, outcome in outcomes.items() if not outcome.startswith("HELD")} == {}


async def test_what_it_needs_is_said(engine: SecondEngine, spec: SandboxSpec) -> None:
    """No image named, one that is not there, one without Python, a runtime that it lacks: each has a message."""
    client = engine.client()
    client.import_image_from_data(_empty_image(), repository="codeact-test-empty")
    client.close()
    for changed, words in (
        ({"image": ""}, "CODEACT_IMAGE"),
        ({"image": "surely-not-there"}, "docker pull surely-not-there"),
        ({"image": "codeact-test-empty"}, "needs Python 3.9 or newer"),
        ({"runtime": "runsc"}, "no runtime 'runsc'"),
    ):
        with pytest.raises(SandboxUnavailable, match=words):
            async with open_sandbox(replace(spec, **changed), "docker"):
                pass
    async with open_sandbox(replace(spec, runtime="runc"), "docker") as sandbox:
        assert (await sandbox.execute(Action("1 + 1"))).value == "2"


def _empty_image() -> bytes:

    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("nothing"))
    return content.getvalue()


@pytest.mark.parametrize("way", ["tcp", "context", "ssh"])
def test_every_way_to_an_engine(
    running: SecondEngine, tmp_path: Path, way: str, request: pytest.FixtureRequest
) -> None:
    """DOCKER_HOST with TCP, the current context, and SSH all lead there, and tests run."""
    workspace = make_workspace(_folder(tmp_path / "work"))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
    before: list[str] = []
    if way == "tcp":
        before, environ["DOCKER_HOST"] = running.inside, running.tcp
    elif way == "context":
        environ["DOCKER_CONFIG"] = str(_context(_folder(tmp_path / "docker"), running.address))
    else:
        environ.update(request.getfixturevalue("ssh"))
    program = (
        "import asyncio, pathlib\nfrom codeact.revisit import run_tests_once\nfrom codeact.settings import load_settings\n"
        f"settings = load_settings(pathlib.Path({str(workspace)!r}), {{'state': {str(tmp_path / 'state')!r}, 'cache': "
        f"{str(tmp_path / 'cache')!r}, 'sandbox': {{'backend': 'docker', 'image': 'codeact-test-python'}}}}, {{}})\n"
        "report = asyncio.run(run_tests_once(settings))\n"
        "print([(result.node_id, str(result.outcome)) for result in report.results], report.problem)"
    )
    done = subprocess.run(
        [*before, sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert "('test_calc.py::test_add', 'failed'), ('test_calc.py::test_double', 'passed')" in done.stdout, done


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _context(folder: Path, address: str) -> Path:
    meta = folder / "contexts" / "meta" / "0123"
    meta.mkdir(parents=True)
    described = {"Name": "far", "Metadata": {}, "Endpoints": {"docker": {"Host": address, "SkipTLSVerify": False}}}
    (meta / "meta.json").write_text(json.dumps(described))
    (folder / "config.json").write_text(json.dumps({"currentContext": "far"}))
    return folder


@pytest.fixture
def ssh(running: SecondEngine, tmp_path: Path) -> Iterator[dict[str, str]]:
    """An SSH server of the test's own that takes one key; variables that lead through it to the engine."""
    server = Path("/usr/sbin/sshd")
    if not server.exists():
        pytest.skip("no SSH server")
    folder = _folder(tmp_path / "ssh")
    folder.chmod(0o700)
    for name in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    port = _free_port()
    Path("/run/sshd").mkdir(exist_ok=True)
    options = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": folder / "host", "StrictModes": "no", "UsePAM": "no",
        "AuthorizedKeysFile": folder / "key.pub", "PidFile": "none", "PermitRootLogin": "yes",
    }  # fmt: skip
    arguments = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    client = folder / "bin" / "ssh"
    client.parent.mkdir()
    client.write_text(
        f"#!/bin/sh\nexec /usr/bin/ssh -F none -i {folder}/key -o StrictHostKeyChecking=no "
        f'-o UserKnownHostsFile={folder}/known -o LogLevel=ERROR "$@"\n'
    )
    client.chmod(0o755)
    with subprocess.Popen([server, "-D", "-f", os.devnull, *arguments], stderr=subprocess.DEVNULL) as process:
        time.sleep(0.5)
        yield {
            "DOCKER_HOST": f"ssh://root@127.0.0.1:{port}{running.folder}/docker.sock",
            "PATH": f"{client.parent}:{os.environ['PATH']}",
        }
        process.terminate()


def _free_port() -> int:

    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
    return port


@pytest.mark.usefixtures("engine")
async def test_a_fix_is_proven_there(tmp_path: Path, scripted: Callable[..., ScriptedOpenAI]) -> None:
    """The whole walk, with every sandbox on the other engine."""
    workspace = make_workspace(_folder(tmp_path / "work"))
    settings = load_settings(
        workspace,
        {
            "model": {"name": "scripted", "base_url": scripted([say(ANSWER)], repeat=True).base_url},
            "state": str(tmp_path / "state"),
            "cache": str(tmp_path / "cache"),
            "sandbox": {"backend": "docker", "image": "codeact-test-python"},
        },
        {},
    )
    ended = await run_task(Task(kind=TaskKind.FIX), settings)
    assert ended.status == "verified", ended


async def test_a_killed_server_leaves_no_volume(engine: SecondEngine, spec: SandboxSpec, tmp_path: Path) -> None:
    """The next start's sweep removes the container and the volume of a server that was killed."""
    program = (
        "import asyncio, os, signal, pickle, sys\nfrom codeact.sandboxes import open_sandbox\n"
        "async def main():\n    spec = pickle.loads(sys.stdin.buffer.read())\n"
        "    async with open_sandbox(spec, 'docker'):\n        os.kill(os.getpid(), signal.SIGKILL)\nasyncio.run(main())"
    )

    done = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(spec), check=False)  # noqa: ASYNC221
    assert done.returncode == -signal.SIGKILL
    sweep(load_settings(spec.workspace, {"state": tmp_path / "state"}, {}))
    client = engine.client()
    assert client.containers(all=True) == []
    assert client.volumes(filters={"label": f"codeact={spec.run}"})["Volumes"] in (None, [])
    client.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # urllib3 leaves a refused socket open
async def test_an_engine_that_crashes_and_comes_back(engine: SecondEngine, spec: SandboxSpec) -> None:
    """The action in work ends with one clear message; the next start cleans up, and sandboxes work as before."""
    settings = load_settings(spec.workspace, {"state": spec.state}, {})
    async with open_sandbox(spec, "docker") as sandbox:
        engine.stop(signal.SIGKILL)
        with pytest.raises(SandboxError, match="The sandbox has ended"):
            await sandbox.execute(Action("1", timeout=5))
    with pytest.raises(SandboxUnavailable, match="Docker is not running: nothing answers at"):
        async with open_sandbox(spec, "docker"):
            pass
    engine.remove()
    for stale in ("pid", "exec/containerd/containerd.pid"):  # what is dead may still be a process, until it is reaped
        (engine.folder / stale).unlink(missing_ok=True)
    engine.start()
    async with open_sandbox(spec, "docker") as sandbox:
        assert (await sandbox.execute(Action("1 + 1"))).value == "2"
    sweep(settings)
    client = engine.client()
    held = [volume["Name"] for volume in client.volumes(filters={"label": "codeact.owner"})["Volumes"] or []]
    client.close()
    assert held == [] or all(str(os.getpid()) in name for name in held)
