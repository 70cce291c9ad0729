"""The script task through `run_task`: tried, proposed with its effect, proven, kept, and run again."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from openai_server import ScriptedOpenAI, say
from workspaces import MENDED, TESTS, contents, make_workspace

from codeact.apply import execute, plan_apply
from codeact.errors import SettingsError
from codeact.journal import read_journal
from codeact.proposal import changes_of, select
from codeact.revisit import prove_again, verify_run
from codeact.run import run_task
from codeact.scripts import file_name, find_scripts, part_of
from codeact.settings import Settings, load_settings
from codeact.trajectory import Task, TaskKind

pytestmark = [
    pytest.mark.bubblewrap,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
Start = Callable[..., ScriptedOpenAI]
HEADERS = '''```python
"""Put a licence line at the top of Python files."""
import argparse
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--line", default="# Licence: MIT")
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args()
    for path in sorted(Path(".").glob("*.py")):
        text = path.read_text()
        if text.startswith(options.line) or path.name.startswith("test_"):
            continue
        print("would change" if options.dry_run else "changed", path)
        if not options.dry_run:
            path.write_text(options.line + "\\n" + text)


if __name__ == "__main__":
    main()
```'''
NO_DRY_RUN = HEADERS.replace("if not options.dry_run:", "if True:")
FAILING = "```python\nimport argparse\nargparse.ArgumentParser().parse_args()\nopen('nothing.txt')\n```"
TASK = Task(kind=TaskKind.SCRIPT, instruction="Add licence headers to all Python files")
PATH = "scripts/add_licence_headers_files.py"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    return make_workspace(folder, {"calc.py": MENDED, "test_calc.py": TESTS})


def settings_for(workspace: Path, server: ScriptedOpenAI | None = None) -> Settings:
    model = {"name": "scripted", "base_url": server.base_url, "api_key": "sk-secret-123"} if server else {}
    overrides = {
        "model": model,
        "state": str(workspace.parent / "state"),
        "cache": str(workspace.parent / "cache"),
        "sandbox": {"backend": "bubblewrap"},
    }
    return load_settings(workspace, overrides, {})


async def test_a_script_is_proposed_with_its_effect_and_runs_again(workspace: Path, scripted: Start) -> None:
    """What failed is told and corrected; the diff has script, test and effect; once kept, it runs through a sandbox."""
    before = contents(workspace)
    server = scripted([say(FAILING), say(NO_DRY_RUN), say(HEADERS)])
    ended = await run_task(TASK, settings_for(workspace, server))
    assert ended.status == "verified", ended.message
    assert contents(workspace) == before
    told = [request["messages"][-1]["content"] for request in server.requests]
    assert "No such file or directory: 'nothing.txt'" in told[1]
    assert "With --dry-run it changes files" in told[2]
    assert "+# Licence: MIT" in ended.diff
    assert f"+# Written with CodeAct for: {TASK.instruction}" in ended.diff
    assert "changed calc.py" in ended.answer
    assert ended.proposal
    settings = settings_for(workspace)
    assert (await verify_run(settings, ended.run)).verified

    execute(settings, plan_apply(settings, ended.proposal))
    assert (workspace / "calc.py").read_text().startswith("# Licence: MIT")
    [kept] = find_scripts(workspace, settings.scripts)
    assert (kept.path, kept.task, kept.run) == (PATH, TASK.instruction, ended.run)
    (workspace / "new.py").write_text("x = 1\n")
    again = Task(kind=TaskKind.SCRIPT, instruction=kept.task, script=(kept.path,))
    ended = await run_task(again, settings)
    assert ended.status == "verified", ended.message
    assert ended.proposal
    assert [patch.path for patch in ended.proposal.patches] == ["new.py"]
    ended = await run_task(Task(kind=TaskKind.SCRIPT, instruction="", script=(kept.path, "--wrong")), settings)
    assert ended.status == "failed"
    assert "unrecognized arguments: --wrong" in ended.message


async def test_the_script_alone_or_its_effect_alone_can_be_kept(workspace: Path, scripted: Start) -> None:
    """Either part of the proposal is proven by itself."""
    server = scripted([say(HEADERS)])
    ended = await run_task(TASK, settings_for(workspace, server))
    settings = settings_for(workspace)
    proposal = read_journal(settings, ended.run).proposal()
    assert proposal
    assert part_of(proposal, "script") == (PATH, "scripts/test_add_licence_headers_files.py")
    assert part_of(proposal, "effect") == ("calc.py",)
    with pytest.raises(SettingsError, match="no script to accept alone"):
        part_of(replace(proposal, evidence=None), "script")
    for chosen in ([PATH], ["calc.py"]):
        part = select(proposal, chosen)
        assert [patch.path for patch in part.patches] == chosen
        evidence = await prove_again(settings, proposal, proposal.snapshot, changes_of(part))
        assert evidence.verified, evidence.reasons


async def test_a_script_that_never_works_is_no_proposal(workspace: Path, scripted: Start) -> None:
    """Without a script that runs, nothing is proposed, and it says so."""
    server = scripted([say(FAILING)] * 12)
    ended = await run_task(TASK, settings_for(workspace, server))
    assert ended.status == "failed"
    assert "No working script" in ended.message
    assert ended.diff == ""


async def test_a_small_models_change_of_files_is_tried_twice(workspace: Path, scripted: Start) -> None:
    """It writes what becomes of one file; what empties a file, changes it again, or changes none is not proposed."""

    def change(body: str) -> str:
        return f"```python\nfrom kit import read_lines\n\ndef change(lines, path):\n    {body}\n```"

    emptying = change("return [line for line in lines if 'mine' in line]")
    doubling = change("return ['# mine', *lines]")
    nothing = change("return lines")
    right = change("return lines if lines[:1] == ['# mine'] else ['# mine', *lines]")
    server = scripted([say(emptying), say(doubling), say(nothing, doubling, *[right] * 4)])
    settings = settings_for(workspace, server)
    settings = replace(settings, model=replace(settings.model, name="scripted-1.5b"))
    task = Task(kind=TaskKind.SCRIPT, instruction="Write a script that adds the line '# mine' to all Python files.")
    ended = await run_task(task, settings)
    assert ended.status == "verified", ended.message
    first, second, third = [request["messages"][-1]["content"] for request in server.requests]
    assert 'for each of these files, and what it returns is written: sorted(Path(".").rglob("*.py"))' in first
    assert "It leaves nothing of calc.py." in second
    assert "Run a second time, it changes calc.py again." in third
    assert ended.proposal
    changed = {patch.path for patch in ended.proposal.patches}
    assert {"calc.py", "test_calc.py"} < changed


@pytest.mark.parametrize("kind", [TaskKind.ASK, TaskKind.SCRIPT])
async def test_nothing_asked_is_said_before_a_model_is_asked(workspace: Path, scripted: Start, kind: TaskKind) -> None:
    """Words that are none begin no run."""
    server = scripted([])
    with pytest.raises(SettingsError, match="Nothing was asked"):
        await run_task(Task(kind=kind, instruction=" \n"), settings_for(workspace, server))
    assert server.requests == []


def test_names_of_scripts_come_from_the_words_asked() -> None:
    """Telling words, no clash with what exists, and a letter first."""
    assert file_name("tools", "Write a script that finds dead links in docs", ()) == "tools/finds_dead_links_docs.py"
    assert file_name("tools", "2 to 3", ("tools/script_2_3.py",)) == "tools/script_2_3_2.py"
    assert file_name("tools", "?", ()) == "tools/script.py"
