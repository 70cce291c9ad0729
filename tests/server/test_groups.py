"""Several causes in one proposal: which hunk mends what, and taking one of them."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from openai_server import ScriptedOpenAI, say
from workspaces import make_workspace

from codeact.cli import main
from codeact.errors import SettingsError
from codeact.evidence import Group
from codeact.grouping import Mended, group_hunks, with_needs
from codeact.proposal import make_proposal
from codeact.run import run_task
from codeact.settings import load_settings
from codeact.trajectory import FileChange, FileState, Outcome, Task, TaskKind, TestResult

Start = Callable[..., ScriptedOpenAI]
OLD = "".join(f"line {number}\n" for number in range(1, 13))
TWO = {
    "calc.py": "def add(a, b):\n    return a - b\n\n\ndef double(a):\n    return a * 2\n",
    "text.py": "def shout(word):\n    return word.lower()\n",
    "test_calc.py": "from calc import add, double\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\n\n"
    "def test_more():\n    assert add(5, 2) == 7\n\n\ndef test_double():\n    assert double(4) == 8\n",
    "test_text.py": "from text import shout\n\n\ndef test_shout():\n    assert shout('hey') == 'HEY'\n",
}
ADD = "```python\ndef add(a, b):\n    return a + b\n```\n"
SHOUT = "```python\ndef shout(word):\n    return word.upper()\n```\n"


def step(name: str, text: str) -> Mended:
    result = TestResult(node_id=name, outcome=Outcome.FAILED)
    return Mended((result,), {"a.py": FileState(text.encode())})


def groups_of(*steps: Mended, final: str = "") -> tuple[Group, ...]:
    before = {"a.py": FileState(OLD.encode())}
    after = FileState(final.encode()) if final else steps[-1].files["a.py"]
    proposal = make_proposal("r", "t", [FileChange("a.py", before["a.py"], after)])
    return group_hunks(proposal, before, steps)


def test_each_hunk_belongs_to_the_step_that_made_it() -> None:
    """Two places of one file, mended one after the other."""
    first = OLD.replace("line 2\n", "LINE 2\nmore\n")
    groups = groups_of(step("t1", first), step("t2", first.replace("line 9", "LINE 9")))
    assert groups == (
        Group(number=1, tests=("t1",), hunks=("a.py#1",)),
        Group(number=2, tests=("t2",), hunks=("a.py#2",)),
    )


def test_a_change_of_a_change_needs_it() -> None:
    """The second step touches lines of the first, and others: what it made needs the first step's hunks."""
    first = OLD.replace("line 2", "LINE 2").replace("line 6", "LINE 6")
    groups = groups_of(step("t1", first), step("t2", first.replace("LINE 6", "LINE six")))
    assert [(group.hunks, group.needs) for group in groups] == [(("a.py#1",), ()), (("a.py#2",), (1,))]


def test_one_cause_has_no_groups() -> None:
    """Also if a later step has left nothing in the proposal."""
    first = OLD.replace("line 2", "LINE 2")
    assert groups_of(step("t1", first)) == ()
    assert groups_of(step("t1", first), step("t2", first.replace("line 9", "LINE 9")), final=first) == ()


def test_a_group_that_does_not_exist_is_named() -> None:
    """And what there is instead."""
    first = OLD.replace("line 2", "LINE 2")
    groups = groups_of(step("t1", first), step("t2", first.replace("line 9", "LINE 9")))
    proposal = make_proposal("r", "t", [])
    with pytest.raises(SettingsError, match="one cause only"):
        with_needs(proposal, [1])
    grouped = type(proposal)(run="r", snapshot="t", patches=(), groups=groups)
    with pytest.raises(SettingsError, match=r"no group 3\. It has: 1, 2"):
        with_needs(grouped, [3])
    assert with_needs(grouped, [2]) == ("a.py#2",)


@pytest.mark.bubblewrap
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_two_causes_are_proven_apart_and_one_can_be_taken(
    tmp_path: Path, scripted: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One fault that fails two tests, another that fails one: two groups; the second is applied alone."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    make_workspace(workspace, TWO)
    server = scripted([say(ADD), say(SHOUT)])
    settings = load_settings(
        workspace,
        {
            "model": {"name": "scripted", "base_url": server.base_url, "api_key": "k"},
            "state": str(tmp_path / "state"),
            "cache": str(tmp_path / "cache"),
            "sandbox": {"backend": "bubblewrap"},
            "budget": {"ladder": ["talk"]},
        },
        {},
    )
    ended = asyncio.run(run_task(Task(kind=TaskKind.FIX), settings))
    assert ended.status == "verified", ended.message
    assert ended.proposal
    assert [(set(group.tests), group.hunks, group.needs) for group in ended.proposal.groups] == [
        ({"test_calc.py::test_add", "test_calc.py::test_more"}, ("calc.py#1",), ()),
        ({"test_text.py::test_shout"}, ("text.py#1",), ()),
    ]
    monkeypatch.setenv("CODEACT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("CODEACT_CACHE_DIR", str(tmp_path / "cache"))
    arguments = ["apply", ended.run, "--group", "2", "--workspace", str(workspace), "--sandbox", "bubblewrap"]
    assert main(arguments) == 0
    assert "upper" in (workspace / "text.py").read_text()
    assert "a - b" in (workspace / "calc.py").read_text()
