"""What turns out to be missing is fetched if it may be: real uv with an index of files, real sandbox."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from openai_server import ScriptedOpenAI, say
from wheels import make_wheel
from workspaces import make_workspace

from codeact.environments import find_package
from codeact.events import Event, Progress
from codeact.journal import read_journal
from codeact.revisit import replay_run, verify_run
from codeact.run import run_task
from codeact.settings import Settings, load_settings
from codeact.trajectory import Task, TaskKind

pytestmark = [
    pytest.mark.bubblewrap,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
Start = Callable[..., ScriptedOpenAI]
LOAD = "```python\nnumber = 40\n```\n```python\nimport slugify\nprint('version', slugify.VERSION, number + 2)\n```"
TEST = "import slugify\n\n\ndef test_one():\n    assert slugify.VERSION == '6.0'\n"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    make_wheel(folder, "python_slugify", "6.0", module="slugify", needs="small")
    make_wheel(folder, "small", "2.0")
    for name, value in (("FIND_LINKS", str(folder)), ("OFFLINE", "1"), ("CACHE_DIR", str(tmp_path / "uv"))):
        monkeypatch.setenv(f"UV_{name}", value)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    return folder


def settings_for(workspace: Path, server: ScriptedOpenAI, packages: str) -> Settings:
    overrides = {
        "model": {"name": "scripted", "base_url": server.base_url, "api_key": "sk-secret-123"},
        "state": str(workspace.parent / "state"),
        "cache": str(workspace.parent / "cache"),
        "sandbox": {"backend": "bubblewrap", "python": "/usr/bin/python3"},
        "packages": packages,
    }
    return load_settings(workspace, overrides, {})


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    return make_workspace(folder, {"notes.txt": "a\n"})


ASK = Task(kind=TaskKind.ASK, instruction="Which slugify is it?")


@pytest.mark.usefixtures("wheels")
async def test_a_missing_package_is_fetched_and_the_step_tried_again(workspace: Path, scripted: Start) -> None:
    """With `always`, the model never sees the failure, earlier variables are there, and the journal has the pins."""
    settings = settings_for(workspace, scripted([say(LOAD), say("It is 6.0, and 42.")]), "always")
    ended = await run_task(ASK, settings)
    assert (ended.status, ended.answer) == ("answered", "It is 6.0, and 42.")
    record = read_journal(settings, ended.run)
    assert record.steps()[-1].observation.stdout == "version 6.0 42\n"
    assert record.packages() == ("python-slugify==6.0",)
    _, same = await replay_run(replace(settings, packages="never"), ended.run)
    assert same, "a replay takes what was fetched then"


@pytest.mark.usefixtures("wheels")
async def test_never_and_no_tell_what_is_missing(workspace: Path, scripted: Start) -> None:
    """Without leave nothing is fetched; the model reads that it is missing, the developer how to have it."""
    for packages, answer in (("never", True), ("ask", False)):
        server = scripted([say(LOAD), say("```python\nprint(1)\n```"), say("Cannot say.")])
        settings = settings_for(workspace, server, packages)
        heard: list[Event] = []
        asked: list[str] = []

        async def consent(question: str, answer: bool = answer, asked: list[str] = asked) -> bool:
            asked.append(question)
            return answer

        ended = await run_task(ASK, settings, on_event=heard.append, consent=consent)
        assert read_journal(settings, ended.run).packages() == ()
        assert "the package slugify is not installed" in server.requests[1]["messages"][-1]["content"]
        if packages == "never":
            assert asked == []
            assert any(
                "codeact prepare --with python-slugify" in one.message for one in heard if isinstance(one, Progress)
            )
        else:
            assert asked == ["The module slugify is missing. Fetch the package python-slugify for it?"]


async def test_tests_that_miss_a_package_are_run_again(workspace: Path, scripted: Start, wheels: Path) -> None:
    """`fix` fetches what the tests import, and then finds nothing to fix."""
    make_wheel(wheels, "pytest", "0.1")
    (workspace / "test_one.py").write_text(TEST)
    settings = settings_for(workspace, scripted([say("no")]), "always")
    settings = replace(settings, sandbox=replace(settings.sandbox, python=""))
    ended = await run_task(Task(kind=TaskKind.FIX), settings)
    assert ended.message.startswith("Nothing to fix"), ended.message


@pytest.mark.usefixtures("wheels")
async def test_proofs_of_a_run_have_its_packages(workspace: Path, scripted: Start) -> None:
    """A script that needs an added package is proven with it, on that day and on a later one."""
    script = "import slugify\n\nif __name__ == '__main__':\n    print('hello', slugify.VERSION)\n"
    settings = settings_for(workspace, scripted([say(f"```python\n{script}\n```")]), "always")
    ended = await run_task(Task(kind=TaskKind.SCRIPT, instruction="Say hello"), settings)
    assert ended.status == "verified", ended.message
    evidence = await verify_run(replace(settings, packages="never"), ended.run)
    assert evidence.verified, evidence.reasons


def test_names_are_never_guessed(tmp_path: Path) -> None:
    """Only well-known modules and what the workspace asks for lead to a package."""
    (tmp_path / "requirements.txt").write_text("In-House_Tools>=2\n")
    assert find_package("yaml.nodes", tmp_path) == "PyYAML"
    assert find_package("requests", tmp_path) == "requests"
    assert find_package("in_house_tools", tmp_path) == "in_house_tools"
    assert find_package("reqeusts", tmp_path) == ""
    assert find_package("helpers", tmp_path) == ""
