"""Reviewing and accepting in an editor: parts, merges, refusals, taking back; questions, artifacts, the editor's model."""

import base64
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from editor_client import Editor, change_document, open_document, run_command
from lsprotocol import types
from openai_server import say
from pygls.exceptions import JsonRpcException
from wheels import make_wheel
from workspaces import ANSWER, BROKEN, MENDED, make_workspace

Start = Callable[..., Awaitable[Editor]]
pytestmark = pytest.mark.bubblewrap
TWO = {
    "calc.py": "def add(a, b):\n    return a - b\n\n\ndef half(a):\n    return a * 2\n\n\ndef same(a):\n    return a\n",
    "test_calc.py": (
        "from calc import add, half, same\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\n\n"
        "def test_half():\n    assert half(8) == 4\n\n\ndef test_same():\n    assert same(1) == 1\n"
    ),
}
BOTH = "```python\ndef add(a, b):\n    return a + b\n\n\ndef half(a):\n    return a / 2\n```"


async def test_a_part_is_proven_accepted_and_taken_back(tmp_path: Path, editor: Start) -> None:
    """The review has files and hunks; what is left out is left out; one command puts everything back."""
    workspace = tmp_path / "two"
    workspace.mkdir()
    make_workspace(workspace, TWO)
    client = await editor(workspace, [say(BOTH)])
    run = (await run_command(client, "codeact.fix"))["run"]
    review = await run_command(client, "codeact.review", run=run)
    [file] = review["files"]
    assert (review["state"], review["evidence"]["verified"]) == ("open", True)
    assert (file["path"], file["status"], file["added"], file["removed"]) == ("calc.py", "modified", 2, 2)
    assert file["before"] == TWO["calc.py"]
    first, second = [hunk["id"] for hunk in file["hunks"]]
    evidence = await run_command(client, "codeact.check", run=run, hunks=[first])
    assert (evidence["verified"], evidence["targets"]) == (True, ["test_calc.py::test_add"])
    applied = await run_command(client, "codeact.apply", run=run, hunks=[first])
    assert (applied["applied"], applied["files"]) == (True, ["calc.py"])
    uri = (workspace / "calc.py").as_uri()
    assert client.texts[uri][1] == TWO["calc.py"].replace("a - b", "a + b")
    assert (await run_command(client, "codeact.review", run=run))["state"] == "applied"
    assert (await run_command(client, "codeact.undo", run=run))["applied"] is True
    assert client.texts[uri][1] == TWO["calc.py"]
    assert (await run_command(client, "codeact.review", run=run))["state"] == "undone"
    with pytest.raises(JsonRpcException, match="not applied"):
        await run_command(client, "codeact.undo", run=run)
    assert second != first


async def test_typing_in_mid_run_is_merged_or_refused(workspace: Path, editor: Start) -> None:
    """Edits elsewhere in the file are merged and proven again; where both changed, the file and line are named."""
    client = await editor(workspace, [say(ANSWER)])
    uri = open_document(client, workspace / "calc.py", BROKEN)
    run = (await run_command(client, "codeact.fix"))["run"]
    change_document(client, uri, BROKEN.replace("return a - b", "return a - b - 0"))
    with pytest.raises(JsonRpcException, match=r"calc\.py: its lines 2 were edited too"):
        await run_command(client, "codeact.apply", run=run)
    assert client.edits == []
    change_document(client, uri, BROKEN + "# typed\n")
    applied = await run_command(client, "codeact.apply", run=run)
    assert (applied["applied"], applied["merged"]) == (True, ["calc.py"])
    assert client.texts[uri][1] == MENDED + "# typed\n"
    change_document(client, uri, "something else")
    with pytest.raises(JsonRpcException, match=r"Edited since it was applied: calc\.py"):
        await run_command(client, "codeact.undo", run=run)


async def test_a_question_with_a_selection_and_its_artifacts(workspace: Path, editor: Start) -> None:
    """The selected lines reach the model; the events of the run can be read again, and its files be fetched."""
    code = "```python\nopen('doubles.csv', 'w').write('a,2\\n')\nprint('twice')\n```"
    client = await editor(workspace, [say(code), say("It doubles, see calc.py:5.")])
    uri = (workspace / "calc.py").as_uri()
    selection = {"uri": uri, "start": 5, "end": 6, "text": "def double(a):"}
    ended = await run_command(client, "codeact.ask", uri=uri, instruction="What is this?", selection=selection)
    assert (ended["status"], ended["answer"]) == ("answered", "It doubles, see calc.py:5.")
    shown = await run_command(client, "codeact.show", run=ended["run"])
    kinds = [event["event"] for event in shown["events"]]
    assert (kinds[0], kinds[-1]) == ("started", "result")
    assert "Selected in calc.py, lines 5 to 6" in shown["events"][0]["task"]["shown"]
    assert all(event["run"] == ended["run"] for event in [*client.events, *shown["events"]])
    digest = hashlib.sha256(b"a,2\n").hexdigest()
    sent = await run_command(client, "codeact.artifact", run=ended["run"], sha256=digest)
    assert (sent["name"], base64.b64decode(sent["base64"])) == ("doubles.csv", b"a,2\n")
    with pytest.raises(JsonRpcException, match="has no artifact"):
        await run_command(client, "codeact.artifact", run=ended["run"], sha256="0")


async def test_the_editor_is_asked_whether_a_package_may_be_fetched(
    workspace: Path, editor: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing package is a question in the editor; with a yes the step is tried again, and the run tells of it."""
    (tmp_path / "wheels").mkdir()
    make_wheel(tmp_path / "wheels", "python_slugify", "6.0", module="slugify")
    for name, value in (
        ("FIND_LINKS", str(tmp_path / "wheels")),
        ("OFFLINE", "1"),
        ("CACHE_DIR", str(tmp_path / "uv")),
    ):
        monkeypatch.setenv(f"UV_{name}", value)
    client = await editor(workspace, [say("```python\nimport slugify\nprint(slugify.VERSION)\n```"), say("It is 6.0.")])
    questions: list[str] = []

    @client.feature(types.WINDOW_SHOW_MESSAGE_REQUEST)
    def on_question(params: types.ShowMessageRequestParams) -> types.MessageActionItem:
        questions.append(params.message)
        return (params.actions or [])[0]

    ended = await run_command(client, "codeact.ask", instruction="Which slugify?")
    assert (ended["status"], ended["answer"]) == ("answered", "It is 6.0.")
    assert questions == ["The module slugify is missing. Fetch the package python-slugify for it?"]
    shown = await run_command(client, "codeact.show", run=ended["run"])
    [fetched] = [event for event in shown["events"] if event["event"] == "packages"]
    assert fetched["pins"] == ["python-slugify==6.0"]


async def test_new_files_are_created_and_removed_again(workspace: Path, editor: Start) -> None:
    """A script is created with its mode as one edit, and taking it back deletes it."""
    script = "```python\nimport argparse\n\nargparse.ArgumentParser().parse_args()\nprint('hello')\n```"
    client = await editor(workspace, [say(script)])
    ended = await run_command(client, "codeact.script", instruction="Say hello")
    assert ended["status"] == "verified", ended
    (workspace / "scripts").mkdir()
    await run_command(client, "codeact.apply", run=ended["run"])
    assert (workspace / "scripts/say_hello.py").stat().st_mode & 0o111
    assert await run_command(client, "codeact.undo", run=ended["run"])
    assert not (workspace / "scripts/say_hello.py").exists()


async def test_the_editors_own_model_is_asked(workspace: Path, editor: Start) -> None:
    """The provider `editor` asks the client, streams what it says, and tells what it will not do."""
    client = await editor(workspace, [], model="editor", announce=True)
    client.answers = [ANSWER]
    ended = await run_command(client, "codeact.fix")
    assert ended["status"] == "verified"
    assert client.asked[0]["messages"][0]["role"] == "system"
    assert any(event["event"] == "text" for event in client.events)
    with pytest.raises(JsonRpcException, match="did not allow CodeAct"):
        await run_command(client, "codeact.fix")


async def test_without_an_announcement_the_editors_model_is_not_asked(workspace: Path, editor: Start) -> None:
    """A client that says nothing of it is not sent requests it does not know; what works without a model says so."""
    client = await editor(workspace, [], model="editor")
    ended = await run_command(client, "codeact.fix")
    assert ended["status"] == "verified"
    assert ended["note"].startswith("No model was asked: The model `editor`")
    with pytest.raises(JsonRpcException, match="only inside an editor"):
        await run_command(client, "codeact.ask", instruction="What is this?")
    assert client.asked == []


async def test_doctor_models_and_proposed_texts(workspace: Path, editor: Start) -> None:
    """What works here, which models there are, and the proposed text of a file."""
    client = await editor(workspace, [say(ANSWER)])
    assert {"git", "python"} <= {finding["name"] for finding in await run_command(client, "codeact.doctor")}
    models = await run_command(client, "codeact.models")
    assert {"name", "about", "size", "installed"} == set(models[0])
    run = (await run_command(client, "codeact.fix"))["run"]
    params = types.TextDocumentContentParams(f"codeact-proposal:/{run}/calc.py")
    found = await client.workspace_text_document_content_async(params)
    assert found.text == MENDED
    with pytest.raises(JsonRpcException, match="proposes no file"):
        await client.workspace_text_document_content_async(
            types.TextDocumentContentParams(f"codeact-proposal:/{run}/other.py")
        )
