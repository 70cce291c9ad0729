"""A real language server for a workspace, with a client that acts as an editor does."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from editor_client import Editor
from lsprotocol import types
from openai_server import ScriptedOpenAI
from workspaces import make_workspace

Start = Callable[..., Awaitable[Editor]]


@pytest_asyncio.fixture
async def editor(tmp_path: Path, scripted: Callable[..., ScriptedOpenAI]) -> AsyncIterator[Start]:
    """Starts a server for a workspace; ends it as an editor does."""
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    editors: list[Editor] = []

    async def start(
        workspace: Path, script: list[Any], *, events: bool = True, model: str = "scripted", announce: bool = False
    ) -> Editor:
        server = scripted(script)
        editor = Editor()
        await editor.start_io(sys.executable, "-m", "codeact", "lsp", "--stdio", cwd="/")
        editors.append(editor)
        operations = [types.ResourceOperationKind.Create, types.ResourceOperationKind.Delete]
        capabilities = types.ClientCapabilities(
            workspace=types.WorkspaceClientCapabilities(
                apply_edit=True,
                workspace_edit=types.WorkspaceEditClientCapabilities(
                    document_changes=True, resource_operations=operations
                ),
            ),
            window=types.WindowClientCapabilities(work_done_progress=True),
            experimental={"codeact": True} if announce else None,
        )
        options = {
            "events": events,
            "model": {"name": model, "base_url": server.base_url, "api_key": "sk-test-key"},
            "state": str(tmp_path / "state"),
            "cache": str(tmp_path / "cache"),
            "sandbox": {"backend": "bubblewrap"},
        }
        folder = types.WorkspaceFolder(uri=workspace.as_uri(), name="work")
        params = types.InitializeParams(
            capabilities=capabilities, initialization_options=options, workspace_folders=[folder], root_uri=folder.uri
        )
        await editor.initialize_async(params)
        editor.initialized(types.InitializedParams())
        return editor

    yield start
    for editor in editors:
        await editor.shutdown_async(None)
        editor.exit(None)
        await asyncio.wait_for(editor._server.wait(), 10)  # type: ignore[union-attr]
        await editor.stop()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """One test that fails and one that passes."""
    folder = tmp_path / "work"
    folder.mkdir()
    return make_workspace(folder)
