"""Sandboxes that are started ahead: what they show is the snapshot that is wanted, each is used once, none is left."""

import asyncio
import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from workspaces import contents, make_workspace

from codeact.pool import Order, Pool, open_view, order_for
from codeact.sandboxes import bubblewrap, docker, find_interpreter
from codeact.settings import Settings, load_settings
from codeact.snapshot import Snapshot, take_snapshot
from codeact.trajectory import Action

FILES = {"calc.py": "VALUE = 1\n", "data/old.txt": "old\n", "pkg/deep/x.py": "X = 1\n"}
LOOK = """
import os
{os.path.relpath(os.path.join(folder, name)): open(os.path.join(folder, name)).read()
 for folder, _, names in os.walk('.') for name in names}
"""
FOLDERS = "import os; sorted(os.path.relpath(folder) for folder, _, _ in os.walk('.'))"


@pytest.fixture(params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("bubblewrap", "docker")])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Those of a workspace, for each backend that works here."""
    name: str = request.param
    if reason := {"bubblewrap": bubblewrap, "docker": docker}[name].probe():
        pytest.skip(reason)
    workspace = tmp_path / "work"
    workspace.mkdir()
    make_workspace(workspace, FILES)
    own = {"state": str(tmp_path / "state"), "cache": str(tmp_path / "cache"), "sandbox": {"backend": name}}
    return load_settings(workspace, own, {})


@pytest.fixture
def left(settings: Settings) -> Iterator[Path]:
    """The folder in which sandboxes keep something while they live; it must be empty at the end."""
    folder = settings.state / "sandboxes"
    yield folder
    assert list(folder.glob("*")) == []


def order_of(settings: Settings) -> Order:
    return order_for(settings, find_interpreter(settings))


async def look(pool: Pool, settings: Settings, snapshot: Snapshot) -> tuple[object, object]:
    """What a sandbox of the pool shows, and what it says has changed."""
    async with pool.open(order_of(settings), snapshot, "run") as sandbox:
        seen = eval((await sandbox.execute(Action(LOOK))).value)
        return seen, (await sandbox.changes()).files


@pytest.mark.usefixtures("left")
async def test_one_that_is_ready_becomes_the_newer_snapshot(settings: Settings) -> None:
    """Files that were changed, added and deleted since it started are as they are now, and count as unchanged."""
    workspace = settings.workspace
    async with Pool() as pool:
        pool.prepare(order_of(settings), take_snapshot(settings), warm=True)
        (workspace / "calc.py").write_text("VALUE = 2\n")
        (workspace / "new" / "sub").mkdir(parents=True)
        (workspace / "new" / "sub" / "run.sh").write_text("#!/bin/sh\n")
        (workspace / "new" / "sub" / "run.sh").chmod(0o755)
        shutil.rmtree(workspace / "pkg")
        snapshot = take_snapshot(settings)
        async with pool.open(order_of(settings), snapshot, "run") as sandbox:
            seen = eval((await sandbox.execute(Action(LOOK))).value)
            there = {path: text.decode() for path, text in contents(workspace).items() if not path.startswith(".git/")}
            assert seen == there
            assert (await sandbox.changes()).files == {}
            await sandbox.execute(Action("write('calc.py', 'x'); import shutil; shutil.rmtree('new')"))
            assert set((await sandbox.changes()).files) == {"calc.py", "new/sub/run.sh"}
            await sandbox.restore()
            assert eval((await sandbox.execute(Action(LOOK))).value) == there
            assert eval((await sandbox.execute(Action(FOLDERS))).value) == [".", "data", "new", "new/sub"]
            assert (await sandbox.spawn(["test", "-x", "new/sub/run.sh"], timeout=10)).exit_code == 0


@pytest.mark.usefixtures("left")
async def test_each_is_used_once(settings: Settings) -> None:
    """What one user leaves in it, the next does not see; the second has a sandbox of its own."""
    snapshot = take_snapshot(settings)
    async with Pool() as pool:
        pool.prepare(order_of(settings), snapshot)
        async with pool.open(order_of(settings), snapshot, "run") as sandbox:
            await sandbox.execute(Action("write('calc.py', 'mine'); open('/tmp/mine', 'w').close()"))
            pool.settle()
            seen, _ = await look(pool, settings, snapshot)
            assert isinstance(seen, dict)
            assert seen["calc.py"] == "VALUE = 1\n"
            async with pool.open(order_of(settings), snapshot, "run") as other:
                assert (await other.spawn(["test", "-e", "/tmp/mine"], timeout=10)).exit_code == 1


@pytest.mark.usefixtures("left")
async def test_one_that_died_is_done_without(settings: Settings) -> None:
    """What was ready may have been ended from outside; whoever wants a sandbox has one all the same."""
    snapshot = take_snapshot(settings)
    async with Pool() as pool:
        pool.prepare(order_of(settings), snapshot)
        [ahead] = pool._ready.values()
        sandbox = await ahead.sandbox()
        end = asyncio.ensure_future(sandbox.spawn(["sleep", "60"], timeout=60))
        await asyncio.sleep(0.3)
        _kill_sandboxes(settings)
        with pytest.raises(Exception, match="ended"):
            await end
        seen, _ = await look(pool, settings, snapshot)
        assert seen


@pytest.mark.usefixtures("left")
async def test_too_much_has_changed(settings: Settings) -> None:
    """Then a new one is started, on the files themselves; and `refresh` has exchanged it before."""
    before = take_snapshot(settings)
    for number in range(300):
        (settings.workspace / f"file_{number}.txt").write_text("new\n")
    snapshot = take_snapshot(settings)
    async with Pool() as pool:
        pool.prepare(order_of(settings), before)
        async with pool.open(order_of(settings), snapshot, "run") as sandbox:
            assert (await sandbox.execute(Action("import os; len(os.listdir('.'))"))).value == "303"
            assert (await sandbox.changes()).files == {}
        pool.prepare(order_of(settings), before)
        [old] = pool._ready.values()
        await pool.refresh(before)
        assert [*pool._ready.values()] == [old]
        await pool.refresh(snapshot)
        [new] = pool._ready.values()
        assert new is not old


@pytest.mark.usefixtures("left")
async def test_idle_and_surplus_ones_end(settings: Settings) -> None:
    """One ends when its time is over, and the oldest when there are too many; with `ready` 0 none is started."""
    snapshot = take_snapshot(settings)
    order = order_of(settings)

    def changed(**sandbox: Any) -> Order:
        return dataclasses.replace(order, sandbox=dataclasses.replace(settings.sandbox, **sandbox))

    async with Pool(idle=1.5) as pool:
        pool.prepare(changed(ready=0), snapshot)
        assert not pool.holds(settings.workspace)
        pool.prepare(order, snapshot)
        pool.prepare(changed(ready=1), snapshot)
        assert [*pool._ready] == [changed(ready=1)]
        await asyncio.sleep(2)
        assert not pool.holds(settings.workspace)


@pytest.mark.usefixtures("left")
async def test_a_start_that_nobody_waits_for_any_more(settings: Settings) -> None:
    """Cancelling whoever waits, or leaving the pool at once, ends the sandbox that is being started."""
    snapshot = take_snapshot(settings)
    async with Pool() as pool:
        waiting = asyncio.ensure_future(look(pool, settings, snapshot))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        pool.prepare(order_of(settings), snapshot)


async def test_without_a_pool(settings: Settings) -> None:
    """The same view, started when it is wanted."""
    async with open_view(order_of(settings), take_snapshot(settings), "run") as sandbox:
        seen = eval((await sandbox.execute(Action(LOOK))).value)
        assert {*seen} == {*FILES}


def _kill_sandboxes(settings: Settings) -> None:
    """End the sandboxes of a workspace from outside, as somebody who cleans up may."""
    if settings.sandbox.backend == "docker":
        client = docker.connect()
        for container in client.containers(filters={"label": docker.LABEL}):
            facts = client.inspect_container(container["Id"])
            if any(mount.get("Destination") == str(settings.workspace) for mount in facts["Mounts"]):
                client.kill(container["Id"])
        return
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if str(settings.workspace).encode() in command and b"worker.py" in command and b"bwrap" not in command:
            os.kill(int(folder.name), 9)
