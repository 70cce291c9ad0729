"""What a run changes is formatted as the workspace formats it: real sandbox; the formatter is a small one of our own."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from openai_server import ScriptedOpenAI, say
from workspaces import BROKEN, TESTS, make_workspace

from codeact.run import run_task
from codeact.settings import Settings, load_settings
from codeact.trajectory import Task, TaskKind

pytestmark = [
    pytest.mark.bubblewrap,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
BLACK = '''"""Stands for black: wants no space before a comma, and writes it so."""
import sys

check = "--check" in sys.argv
paths = sys.argv[sys.argv.index("--") + 1 :]
texts = {path: open(path).read() for path in paths}
if check:
    sys.exit(any(" ," in text for text in texts.values()))
for path, text in texts.items():
    open(path, "w").write(text.replace(" ,", ","))
'''
PYPROJECT = '[tool.black]\nline-length = 99\n[tool.pytest.ini_options]\naddopts = ""\n'
TIDY, UNTIDY = "VALUES = (1, 2)\n", "VALUES = (1 , 2)\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    files = {"pyproject.toml": PYPROJECT, "black.py": BLACK, "tidy.py": TIDY, "untidy.py": UNTIDY, "other.py": UNTIDY}
    return make_workspace(folder, files)


def settings_for(workspace: Path, server: ScriptedOpenAI) -> Settings:
    overrides = {
        "model": {"name": "scripted", "base_url": server.base_url, "api_key": "sk-secret-123"},
        "state": str(workspace.parent / "state"),
        "cache": str(workspace.parent / "cache"),
        "sandbox": {"backend": "bubblewrap"},
        "packages": "never",
    }
    return load_settings(workspace, overrides, {})


async def test_only_what_was_formatted_is_formatted(workspace: Path, scripted: Callable[..., ScriptedOpenAI]) -> None:
    """A touched file that was tidy is tidy again, a new one too; one that was not, and those not touched, stay."""
    code = "for path in ('tidy.py', 'untidy.py', 'new.py'):\n    write(path, 'VALUES = (1 , 2 , 3)\\n')\nprint('done')"
    server = scripted([say(f"```python\n{code}\n```"), say("Done.")])
    ended = await run_task(Task(kind=TaskKind.ASK, instruction="Add 3"), settings_for(workspace, server))
    assert ended.proposal, ended.message
    after = {patch.path: b"".join(hunk.new for hunk in patch.hunks).decode() for patch in ended.proposal.patches}
    assert after == {
        "tidy.py": "VALUES = (1, 2, 3)\n",
        "new.py": "VALUES = (1, 2, 3)\n",
        "untidy.py": "VALUES = (1 , 2 , 3)\n",
    }
    first = server.requests[0]["messages"][-1]["content"]
    assert "It is formatted with black, in lines of at most 99." in first


async def test_a_fix_is_formatted_before_it_is_proven(workspace: Path, scripted: Callable[..., ScriptedOpenAI]) -> None:
    """The model is told the conventions, and its fix keeps to the format."""
    (workspace / "AGENTS.md").write_text("Call it summing.\n")
    (workspace / "calc.py").write_text(BROKEN)
    (workspace / "test_calc.py").write_text(TESTS)
    server = scripted([say("```python\ndef add(a , b):\n    return a + b\n```")])
    settings = settings_for(workspace, server)
    settings = replace(settings, budget=replace(settings.budget, ladder=("talk",)))
    ended = await run_task(Task(kind=TaskKind.FIX), settings)
    assert ended.status == "verified", ended.message
    assert "+    return a + b" in ended.diff
    assert "a , b" not in ended.diff
    assert "Call it summing." in server.requests[0]["messages"][-1]["content"]
