"""Failing tests are grouped by likely cause before anything is tried, and mended cause by cause, as is told."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from openai_server import ScriptedOpenAI, say
from workspaces import make_workspace

from codeact.cli import main
from codeact.events import CauseTried, Event, Grouped, Localised, Progress
from codeact.run import run_task
from codeact.settings import Settings, load_settings
from codeact.trajectory import Task, TaskKind

pytestmark = [
    pytest.mark.bubblewrap,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
Start = Callable[..., ScriptedOpenAI]
TEXT = "def shout(word):\n    return word.lower()\n"
CART = (
    "def price(item):\n    return item['cost']\n\n\ndef total(items):\n    return sum(price(item) for item in items)\n"
)
FILES = {
    "text.py": TEXT,
    "cart.py": CART,
    "unit.py": "def metres(feet):\n    return feet * 0.3\n",
    # named so that the smallest cause comes first in the order of the tests
    "test_a_text.py": "from text import shout\n\n\ndef test_shout():\n    assert shout('hey') == 'HEY'\n",
    "test_cart.py": "from cart import price, total\n\n\ndef test_price():\n    assert price({'price': 2}) == 2\n\n\n"
    "def test_total():\n    assert total([{'price': 2}, {'price': 3}]) == 5\n\n\ndef test_none():\n    assert total([]) == 0\n",
    "test_feet.py": "from unit import feet\n\n\ndef test_feet():\n    assert feet(0.3) == 1\n",
    "test_more.py": "from unit import feet\n\n\ndef test_more():\n    assert feet(0.6) == 2\n",
}
FEET = "```python\nwrite('unit.py', 'def metres(feet):\\n    return feet * 0.3\\n\\n\\ndef feet(metres):\\n    return metres / 0.3\\n')\n```\n"
PRICE = "```python\ndef price(item):\n    return item['price']\n```\n"
SHOUT = "```python\ndef shout(word):\n    return word.upper()\n```\n"
WRONG = "```python\ndef shout(word):\n    return word.title()\n```\n"


def settings_for(folder: Path, files: dict[str, str], server: ScriptedOpenAI) -> Settings:
    workspace = folder / "workspace"
    workspace.mkdir()
    make_workspace(workspace, files)
    return load_settings(
        workspace,
        {
            "model": {"name": "scripted", "base_url": server.base_url, "api_key": "k"},
            "state": str(folder / "state"),
            "cache": str(folder / "cache"),
            "sandbox": {"backend": "bubblewrap"},
            "budget": {"ladder": ["talk"], "max_steps": 1},
        },
        {},
    )


async def test_causes_are_told_in_their_turn_and_mended_one_after_the_other(
    tmp_path: Path, scripted: Start, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that two files miss, then a function in which two tests break, then one whose answer a test finds wrong."""
    settings = settings_for(tmp_path, FILES, scripted([say(FEET), say(PRICE), say(SHOUT)]))
    events: list[Event] = []
    ended = await run_task(Task(kind=TaskKind.FIX), settings, on_event=events.append)
    assert ended.status == "verified", ended.message
    [grouped] = [event for event in events if isinstance(event, Grouped)]
    assert [(cause.number, cause.tests, cause.path, cause.name) for cause in grouped.causes] == [
        (1, ("test_feet.py", "test_more.py"), "", ""),
        (2, ("test_cart.py::test_price", "test_cart.py::test_total"), "cart.py", "price"),
        (3, ("test_a_text.py::test_shout",), "text.py", "shout"),
    ]
    assert "cannot import name 'feet'" in grouped.causes[0].error
    assert (grouped.causes[1].line, grouped.causes[2].line) == (2, 2)
    tried = [event for event in events if isinstance(event, CauseTried)]
    assert [(event.number, event.mended, event.left) for event in tried] == [
        (cause.number, cause.tests, ()) for cause in grouped.causes
    ]
    told = [event.message for event in events if isinstance(event, Progress)]
    assert "cause 2 of 3: cart.py price (2 tests): asking scripted" in told
    assert [event.target for event in events if isinstance(event, Localised)] == [
        "test_feet.py",
        "test_cart.py::test_price",
        "test_a_text.py::test_shout",
    ]
    assert ended.proposal
    assert [set(group.hunks) for group in ended.proposal.groups] == [{"unit.py#1"}, {"cart.py#1"}, {"text.py#1"}]
    monkeypatch.setenv("CODEACT_STATE_DIR", str(settings.state))
    assert main(["show", ended.run]) == 0
    shown = capsys.readouterr().out
    assert "3 likely causes:" in shown
    assert "2. cart.py price (2 tests)  KeyError: 'cost'" in shown
    assert "✔ cause 2: 2 of 2 mended" in shown


async def test_a_cause_that_cannot_be_mended_is_told_beside_one_that_is(tmp_path: Path, scripted: Start) -> None:
    """The model is wrong about one of them; the other is proposed."""
    files = {path: FILES[path] for path in ("text.py", "cart.py", "test_a_text.py", "test_cart.py")}
    settings = settings_for(tmp_path, files, scripted([say(PRICE), say(WRONG)]))
    events: list[Event] = []
    ended = await run_task(Task(kind=TaskKind.FIX), settings, on_event=events.append)
    assert ended.status == "verified", ended.message
    tried = [event for event in events if isinstance(event, CauseTried)]
    assert [(len(event.mended), event.left) for event in tried] == [(2, ()), (0, ("test_a_text.py::test_shout",))]


async def test_one_failing_test_has_no_causes_to_tell(tmp_path: Path, scripted: Start) -> None:
    """Nothing is grouped, and progress is told as ever."""
    files = {path: FILES[path] for path in ("text.py", "test_a_text.py")}
    settings = settings_for(tmp_path, files, scripted([say(SHOUT)]))
    events: list[Event] = []
    ended = await run_task(Task(kind=TaskKind.FIX), settings, on_event=events.append)
    assert ended.status == "verified", ended.message
    assert not [event for event in events if isinstance(event, Grouped | CauseTried)]
    assert "asking scripted" in [event.message for event in events if isinstance(event, Progress)]
