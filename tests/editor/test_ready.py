"""A sandbox stands ready for an editor's next run: where CodeAct was used before, and never longer than the server."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from editor_client import Editor, run_command
from lsprotocol import types
from workspaces import make_workspace

pytestmark = [
    pytest.mark.bubblewrap,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
PASSING = {"calc.py": "VALUE = 1\n", "test_calc.py": "from calc import VALUE\n\n\ndef test_it():\n    assert VALUE\n"}


@asynccontextmanager
async def served(
    workspace: Path, *, kill: bool = False, **sandbox: Any
) -> AsyncIterator[tuple[Editor, list[types.Registration]]]:
    """An editor with a server of its own, ended as an editor does, or killed; and what the server registers."""
    editor = Editor()
    registered: list[types.Registration] = []

    @editor.feature(types.CLIENT_REGISTER_CAPABILITY)
    def on_register(params: types.RegistrationParams) -> None:
        registered.extend(params.registrations)

    await editor.start_io(sys.executable, "-m", "codeact", "lsp", "--stdio", cwd="/")
    watching = types.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True)
    capabilities = types.ClientCapabilities(
        workspace=types.WorkspaceClientCapabilities(did_change_watched_files=watching)
    )
    options = {
        "state": str(workspace.parent / "state"),
        "cache": str(workspace.parent / "cache"),
        "sandbox": {"backend": "bubblewrap", **sandbox},
    }
    folder = types.WorkspaceFolder(uri=workspace.as_uri(), name="work")
    await editor.initialize_async(
        types.InitializeParams(
            capabilities=capabilities, initialization_options=options, workspace_folders=[folder], root_uri=folder.uri
        )
    )
    editor.initialized(types.InitializedParams())
    yield editor, registered
    server = editor._server
    assert server
    if kill:
        server.kill()
    else:
        await editor.shutdown_async(None)
        editor.exit(None)
    await asyncio.wait_for(server.wait(), 30)
    await editor.stop()


def names(folder: Path) -> list[str]:
    """The sandboxes that stand ready."""
    return [path.name for path in folder.glob("ahead-*")]


async def until(condition: Callable[[], object]) -> None:
    """Wait for it, for a minute."""
    for _ in range(1200):
        if condition():
            return
        await asyncio.sleep(0.05)
    pytest.fail("It did not come about.")


async def wait_for_one(folder: Path) -> str:
    """Until one stands ready; its name."""
    await until(lambda: len(names(folder)) == 1)
    return names(folder)[0]


async def test_one_stands_ready_after_a_run_and_when_the_folder_is_opened_again(tmp_path: Path) -> None:
    """Not before CodeAct was used; it is used up by a run and replaced, and ends with the server, however that ends."""
    workspace = make_workspace(tmp_path / "work", PASSING, git=False)
    ready = tmp_path / "state" / "sandboxes"
    async with served(workspace) as (editor, _):
        await asyncio.sleep(1)
        assert list(ready.glob("*")) == []
        assert "Nothing to fix" in (await run_command(editor, "codeact.fix"))["message"]
        first = await wait_for_one(ready)
        (workspace / "calc.py").write_text("VALUE = 2\n")
        assert "Nothing to fix" in (await run_command(editor, "codeact.fix"))["message"]
        second = await wait_for_one(ready)
        assert second != first
    assert list(ready.iterdir()) == []
    async with served(workspace, kill=True):
        left = await wait_for_one(ready)
    async with served(workspace) as (_, registered):
        await until(lambda: left not in names(ready) and names(ready))
        assert [registration.method for registration in registered] == ["workspace/didChangeWatchedFiles"]
    assert list(ready.iterdir()) == []


async def test_one_that_has_fallen_behind_is_exchanged(tmp_path: Path) -> None:
    """The editor tells that files have changed; after a while without changes the sandbox starts on what is there."""
    workspace = make_workspace(tmp_path / "work", PASSING, git=False)
    ready = tmp_path / "state" / "sandboxes"
    async with served(workspace) as (editor, _):
        await run_command(editor, "codeact.fix")
        first = await wait_for_one(ready)
        changes = []
        for number in range(250):
            file = workspace / f"new_{number}.py"
            file.write_text("x = 1\n")
            changes.append(types.FileEvent(file.as_uri(), types.FileChangeType.Created))
        editor.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams(changes))
        await until(lambda: first not in names(ready) and names(ready))


async def test_none_is_wanted(tmp_path: Path) -> None:
    """With the setting 0 none is started ahead."""
    workspace = make_workspace(tmp_path / "work", PASSING, git=False)
    async with served(workspace, ready=0) as (editor, _):
        await run_command(editor, "codeact.fix")
        await asyncio.sleep(1)
        assert list((tmp_path / "state" / "sandboxes").iterdir()) == []
