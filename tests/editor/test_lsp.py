"""The language server as an editor sees it: a real process, real sandbox, and a scripted model behind real HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from editor_client import Editor, open_document, plain, run_command
from lsprotocol import types
from openai_server import say
from pygls.exceptions import JsonRpcException, JsonRpcRequestCancelled
from workspaces import ANSWER, BROKEN, MENDED, TESTS, make_workspace

Start = Callable[..., Awaitable[Editor]]
pytestmark = pytest.mark.bubblewrap


async def test_fix_with_an_unsaved_edit_and_apply(workspace: Path, editor: Start) -> None:
    """Unsaved text is fixed; steps, progress and diagnostics arrive; accepting is one versioned edit of the hunk."""
    client = await editor(workspace, [say(ANSWER)])
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


async def test_lens_and_quick_fix(workspace: Path, editor: Start) -> None:
    """A failing test has a lens above it and a quick fix on its diagnostic, both for exactly this test."""
    client = await editor(workspace, [])
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


@pytest.mark.parametrize("how", ["progress", "command", "request"])
async def test_cancelling_ends_the_run_soon(tmp_path: Path, editor: Start, how: str) -> None:
    """The cancel button, the cancel command and a cancelled request end the sandbox; the server answers meanwhile."""
    folder = tmp_path / "slow"
    folder.mkdir()
    make_workspace(folder, {"test_x.py": "import time\n\n\ndef test_x():\n    time.sleep(15)\n"})
    client = await editor(folder, [])
    params = types.ExecuteCommandParams("codeact.fix", [{}])
    sent = client.protocol.send_request("workspace/executeCommand", params, msg_id="the fix")
    running = asyncio.wrap_future(sent)
    await asyncio.sleep(3)
    assert any(event["event"] == "snapshot" for event in client.events)
    clock = asyncio.get_running_loop()
    started = clock.time()
    await run_command(client, "codeact.runs")
    assert clock.time() - started < 0.5
    if how == "progress":
        client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(client.tokens[0]))
    elif how == "command":
        run = next(event["run"] for event in client.events if event["event"] == "started")
        assert await run_command(client, "codeact.cancel", run=run) is True
    else:
        client.cancel_request(types.CancelParams("the fix"))
        with pytest.raises(JsonRpcRequestCancelled):
            await running
    if how != "request":
        assert plain(await running)["status"] == "cancelled"
    for _ in range(30):
        if (await run_command(client, "codeact.runs"))[0]["status"] == "cancelled":
            break
        await asyncio.sleep(0.1)
    assert clock.time() - started < 4


async def test_clients_that_announce_nothing_get_nothing_more(workspace: Path, editor: Start) -> None:
    """Without the announcement no `codeact/event` is sent."""
    client = await editor(workspace, [say(ANSWER)], events=False)
    ended = await run_command(client, "codeact.fix", tests=["test_calc.py::test_add"])
    assert ended["status"] == "verified"
    assert client.events == []


async def test_wrong_arguments_are_refused_clearly(workspace: Path, editor: Start) -> None:
    """An unknown field and an unknown run are answered, not logged away."""
    client = await editor(workspace, [])
    with pytest.raises(JsonRpcException, match="extra fields found"):
        await run_command(client, "codeact.fix", test="x")
    with pytest.raises(JsonRpcException, match="no runs yet"):
        await run_command(client, "codeact.apply", run="x")


async def test_verify_and_discard(workspace: Path, editor: Start) -> None:
    """A proof can be repeated from the editor, and a proposal dropped."""
    client = await editor(workspace, [say(ANSWER)])
    ended = await run_command(client, "codeact.fix")
    assert (await run_command(client, "codeact.verify", run="last"))["verified"] is True
    assert await run_command(client, "codeact.discard", run=ended["run"]) == {"discarded": ended["run"]}
    assert (await run_command(client, "codeact.runs"))[0]["fate"] == "discarded"
    assert (workspace / "calc.py").read_text() != MENDED
