"""The language server as an editor sees it: a real process, real sandbox, and a scripted model behind real HTTP."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from lsprotocol import types
from openai_server import ScriptedOpenAI, say
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient
from workspaces import ANSWER, BROKEN, MENDED, TESTS, make_workspace

pytestmark = [
    pytest.mark.bubblewrap,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
Start = Callable[..., ScriptedOpenAI]


def plain(value: Any) -> Any:
    """What pygls gives for an unknown shape, as JSON has it."""
    if hasattr(value, "_asdict"):
        return {name: plain(item) for name, item in value._asdict().items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


class Editor(LanguageClient):
    """A client that keeps what the server tells, and applies edits to the texts it holds."""

    def __init__(self) -> None:
        super().__init__("test-editor", "1")
        self.events: list[dict[str, Any]] = []
        self.diagnostics: dict[str, list[types.Diagnostic]] = {}
        self.edits: list[types.WorkspaceEdit] = []
        self.progress: list[Any] = []
        self.tokens: list[Any] = []

        @self.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def on_diagnostics(params: types.PublishDiagnosticsParams) -> None:
            self.diagnostics[params.uri] = list(params.diagnostics)

        @self.feature(types.WORKSPACE_APPLY_EDIT)
        def on_edit(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
            self.edits.append(params.edit)
            return types.ApplyWorkspaceEditResult(applied=True)

        @self.feature(types.WINDOW_WORK_DONE_PROGRESS_CREATE)
        def on_create(params: types.WorkDoneProgressCreateParams) -> None:
            self.tokens.append(params.token)

        @self.feature(types.PROGRESS)
        def on_progress(params: types.ProgressParams) -> None:
            self.progress.append(params.value)

        @self.feature("codeact/event")
        def on_event(params: Any) -> None:
            self.events.append(plain(params))


@pytest_asyncio.fixture
async def editor(tmp_path: Path, scripted: Start) -> AsyncIterator[Callable[..., Any]]:
    """Starts a server for a workspace; ends it as an editor does."""
    editors: list[Editor] = []

    async def start(workspace: Path, script: list[Any], *, events: bool = True) -> Editor:
        server = scripted(script)
        editor = Editor()
        await editor.start_io(sys.executable, "-m", "codeact", "lsp", "--stdio", cwd="/")
        editors.append(editor)
        capabilities = types.ClientCapabilities(
            workspace=types.WorkspaceClientCapabilities(apply_edit=True),
            window=types.WindowClientCapabilities(work_done_progress=True),
        )
        options = {
            "events": events,
            "model": {"name": "scripted", "base_url": server.base_url, "api_key": "sk-test-key"},
            "state": str(tmp_path / "state"),
            "cache": str(tmp_path / "cache"),
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
    folder = tmp_path / "work"
    folder.mkdir()
    return make_workspace(folder)


def open_document(editor: Editor, path: Path, text: str, version: int = 1) -> str:
    item = types.TextDocumentItem(uri=path.as_uri(), language_id="python", version=version, text=text)
    editor.text_document_did_open(types.DidOpenTextDocumentParams(item))
    return item.uri


async def run_command(editor: Editor, command: str, **arguments: Any) -> Any:
    answer = await editor.workspace_execute_command_async(types.ExecuteCommandParams(command, [arguments]))
    return plain(answer)


async def test_fix_with_an_unsaved_edit_and_apply(workspace: Path, editor: Callable[..., Any]) -> None:
    """Unsaved text is fixed; steps, progress and diagnostics arrive; accepting is one versioned edit of the hunk."""
    client: Editor = await editor(workspace, [say(ANSWER)])
    unsaved = "# \u00fc\U0001f600 unsaved\f\n" + BROKEN
    uri = open_document(client, workspace / "calc.py", unsaved, version=7)
    ended = await run_command(client, "codeact.fix")
    assert ended["status"] == "verified", ended
    assert {"started", "snapshot", "tests", "step", "result"} <= {event["event"] for event in client.events}
    test_uri = (workspace / "test_calc.py").as_uri()
    assert [diagnostic.code for diagnostic in client.diagnostics[test_uri]] == ["test_calc.py::test_add"]
    assert client.diagnostics[test_uri][0].range.start.line == 4
    assert any(isinstance(value, dict) or value for value in client.progress)
    assert (await run_command(client, "codeact.apply", run=ended["run"]))["applied"] is True
    [change] = client.edits[0].document_changes or []
    assert isinstance(change, types.TextDocumentEdit)
    assert (change.text_document.uri, change.text_document.version) == (uri, 7)
    [edit] = change.edits
    assert (edit.range.start.line, edit.range.end.line, edit.new_text) == (2, 3, "    return a + b\n")
    assert (workspace / "calc.py").read_text() == BROKEN, "the server itself writes nothing"


async def test_a_document_that_moved_on_is_not_overwritten(workspace: Path, editor: Callable[..., Any]) -> None:
    """Typing during the run makes apply refuse and name the file."""
    client: Editor = await editor(workspace, [say(ANSWER)])
    ended = await run_command(client, "codeact.fix")
    open_document(client, workspace / "calc.py", BROKEN + "# typed\n")
    with pytest.raises(JsonRpcException, match=r"calc\.py has changed"):
        await run_command(client, "codeact.apply", run=ended["run"])
    assert client.edits == []


async def test_lens_and_quick_fix(workspace: Path, editor: Callable[..., Any]) -> None:
    """A failing test has a lens above it and a quick fix on its diagnostic, both for exactly this test."""
    client: Editor = await editor(workspace, [])
    await run_command(client, "codeact.test")
    uri = open_document(client, workspace / "test_calc.py", "\n" + TESTS)
    document = types.TextDocumentIdentifier(uri)
    [lens] = await client.text_document_code_lens_async(types.CodeLensParams(document)) or []
    assert lens.range.start.line == 4
    assert lens.command
    assert lens.command.command == "codeact.fix"
    context = types.CodeActionContext(client.diagnostics[uri])
    where = client.diagnostics[uri][0].range
    [action] = await client.text_document_code_action_async(types.CodeActionParams(document, where, context)) or []
    assert action.title == "Fix with CodeAct"


@pytest.mark.parametrize("how", ["progress", "command"])
async def test_cancelling_ends_the_run_soon(tmp_path: Path, editor: Callable[..., Any], how: str) -> None:
    """The cancel button and the cancel command both end the sandbox, and the server answers meanwhile."""
    folder = tmp_path / "slow"
    folder.mkdir()
    make_workspace(folder, {"test_x.py": "import time\n\n\ndef test_x():\n    time.sleep(15)\n"})
    client: Editor = await editor(folder, [])
    running = asyncio.ensure_future(run_command(client, "codeact.fix"))
    await asyncio.sleep(3)
    assert any(event["event"] == "snapshot" for event in client.events)
    clock = asyncio.get_running_loop()
    started = clock.time()
    await run_command(client, "codeact.runs")
    assert clock.time() - started < 0.5
    if how == "progress":
        client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(client.tokens[0]))
    else:
        run = next(event["run"] for event in client.events if event["event"] == "started")
        assert (await run_command(client, "codeact.cancel", run=run))["cancelled"] is True
    assert (await running)["status"] == "cancelled"
    assert clock.time() - started < 4


async def test_clients_that_announce_nothing_get_nothing_more(workspace: Path, editor: Callable[..., Any]) -> None:
    """Without the announcement no `codeact/event` is sent."""
    client: Editor = await editor(workspace, [say(ANSWER)], events=False)
    ended = await run_command(client, "codeact.fix", tests=["test_calc.py::test_add"])
    assert ended["status"] == "verified"
    assert client.events == []


async def test_wrong_arguments_are_refused_clearly(workspace: Path, editor: Callable[..., Any]) -> None:
    """An unknown field and an unknown run are answered, not logged away."""
    client: Editor = await editor(workspace, [])
    with pytest.raises(JsonRpcException, match="extra fields found"):
        await run_command(client, "codeact.fix", test="x")
    with pytest.raises(JsonRpcException, match="no runs yet"):
        await run_command(client, "codeact.apply", run="x")


async def test_verify_and_discard(workspace: Path, editor: Callable[..., Any]) -> None:
    """A proof can be repeated from the editor, and a proposal dropped."""
    client: Editor = await editor(workspace, [say(ANSWER)])
    ended = await run_command(client, "codeact.fix")
    assert (await run_command(client, "codeact.verify", run="last"))["verified"] is True
    assert await run_command(client, "codeact.discard", run=ended["run"]) == {"discarded": ended["run"]}
    assert (await run_command(client, "codeact.runs"))[0]["fate"] == "discarded"
    assert (workspace / "calc.py").read_text() != MENDED
