"""What helped against an error is remembered for a workspace, offered when the error comes again, and can be forgotten."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from openai_server import ScriptedOpenAI, say
from workspaces import make_workspace

from codeact.cli import main
from codeact.remedies import load_remedies
from codeact.run import run_task
from codeact.settings import Settings, load_settings
from codeact.trajectory import Task, TaskKind

pytestmark = [
    pytest.mark.bubblewrap,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
WRONG = "```python\nprint(open('data.txt', encoding='ascii').read())\n```"
RIGHT = "```python\nprint(open('data.txt', encoding='latin-1').read())\n```"
ASK = Task(kind=TaskKind.ASK, instruction="What is in the file?")


def settings_for(workspace: Path, server: ScriptedOpenAI) -> Settings:
    overrides = {
        "model": {"name": "scripted", "base_url": server.base_url, "api_key": "sk-secret-123"},
        "state": str(workspace.parent / "state"),
        "cache": str(workspace.parent / "cache"),
        "sandbox": {"backend": "bubblewrap"},
        "packages": "never",
    }
    return load_settings(workspace, overrides, {})


async def test_what_helped_is_offered_until_it_does_not(
    tmp_path: Path,
    scripted: Callable[..., ScriptedOpenAI],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first run learns it in the sandbox, the second is told of it and confirms it, the third disproves it."""
    workspace = tmp_path / "shop"
    workspace.mkdir()
    make_workspace(workspace, {"readme.md": "x\n"})
    (workspace / "data.txt").write_bytes("caf\xe9\n".encode("latin-1"))
    server = scripted([say(WRONG), say(RIGHT), say("It is café.")])
    settings = settings_for(workspace, server)
    await run_task(ASK, settings)
    (known,) = load_remedies(settings)
    assert known.signature.startswith("UnicodeDecodeError: 'ascii' codec can't decode byte N")
    assert "latin-1" in known.code
    server = scripted([say(WRONG), say(RIGHT), say("It is café.")])
    await run_task(ASK, settings_for(workspace, server))
    assert "the same error was overcome before" in server.requests[1]["messages"][-1]["content"]
    assert "latin-1" in server.requests[1]["messages"][-1]["content"]
    assert load_remedies(settings)[0].helped == 2
    monkeypatch.setenv("CODEACT_STATE_DIR", str(settings.state))
    assert main(["learned", "--workspace", str(workspace)]) == 0
    shown = capsys.readouterr().out
    assert "\tUnicodeDecodeError: 'ascii' codec can't decode byte N" in shown
    assert "\thelped 2\t" in shown
    assert "    print(open('data.txt', encoding='latin-1').read())" in shown
    server = scripted([say(WRONG), say(WRONG.replace("print", "print ")), say(RIGHT), say("It is café.")])
    await run_task(ASK, settings_for(workspace, server))
    assert "This is the same error as before (2 times now)" in server.requests[2]["messages"][-1]["content"]
    assert load_remedies(settings)[0].helped == 1, "it was dropped when it did not help, and learnt anew"
    assert main(["learned", "--forget", "--workspace", str(workspace)]) == 0
    assert load_remedies(settings) == ()
