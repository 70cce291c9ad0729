"""What kind of failure each test has, found out in a real sandbox; and what a run does about it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai_server import ScriptedOpenAI, say
from workspaces import BROKEN, TESTS, make_workspace

from codeact.diagnosis import Diagnosis, Kind
from codeact.errors import ModelUnavailable
from codeact.events import Event, Localised, RunEnded, Triaged
from codeact.run import run_task
from codeact.settings import load_settings
from codeact.targets import passes_wanted
from codeact.trajectory import Task, TaskKind

pytestmark = [
    pytest.mark.bubblewrap,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
Start = Callable[..., ScriptedOpenAI]
FIX = Task(kind=TaskKind.FIX)
STATE = """
def collect(item, seen=[]):
    seen.append(item)
    return len(seen)
"""
STATE_TESTS = """
from state import collect

def test_one(): assert collect("a") >= 1
def test_two(): assert True
def test_three(): assert collect("b") == 1
"""


class Heard:
    """A run: how it ended, and the events that it told."""

    def __init__(self, ended: RunEnded, events: list[Event]) -> None:
        self.ended = ended
        self.events = events

    @property
    def diagnoses(self) -> dict[str, Diagnosis]:
        triaged = [event for event in self.events if isinstance(event, Triaged)]
        return {found.node_id: found for event in triaged for found in event.diagnoses}


async def fix(
    folder: Path, files: dict[str, str], server: ScriptedOpenAI | None = None, task: Task = FIX, **more: Any
) -> Heard:
    workspace = folder / "workspace"
    workspace.mkdir()
    make_workspace(workspace, files, git=False)
    model = {"name": "scripted", "base_url": server.base_url, "api_key": "k"} if server else {"name": "none-such"}
    settings = load_settings(
        workspace,
        {
            "model": model,
            "state": str(folder / "state"),
            "cache": str(folder / "cache"),
            "sandbox": {"backend": "bubblewrap"},
            **more,
        },
        {},
    )
    events: list[Event] = []
    try:
        ended = await run_task(task, settings, on_event=events.append)
    except ModelUnavailable:  # what was found out before is there all the same
        [ended] = [event for event in events if isinstance(event, RunEnded)]
    return Heard(ended, events)


async def test_what_lies_outside_of_the_code_is_told_and_nothing_is_tried(tmp_path: Path) -> None:
    """Package, network, service, variable, program, file, permission, platform: each by name, and no model is asked."""
    tests = """
import os, pathlib, socket, subprocess, urllib.request

def test_package(): import numpyish_thing
def test_plugin(mocker): pass
def test_network(): urllib.request.urlopen("http://example.org/", timeout=2)
def test_service(): socket.create_connection(("127.0.0.1", 5432), timeout=2)
def test_variable(): assert os.environ["THE_TOKEN"]
def test_program(): subprocess.run(["psql-of-none", "-c", "select 1"], check=True)
def test_file(): open("/srv/data/table.csv").read()
def test_permission(): pathlib.Path("/usr/lib/x.txt").write_text("x")
def test_platform(): import winreg
def test_passes(): pass
"""
    heard = await fix(tmp_path, {"test_env.py": tests})
    causes = {name.partition("::test_")[2]: found.cause for name, found in heard.diagnoses.items()}
    assert causes == {
        name: {"plugin": "package"}.get(name, name)
        for name in ("package", "plugin", "network", "service", "variable", "program", "file", "permission", "platform")
    }
    assert not any(found.hopeful for found in heard.diagnoses.values())
    assert heard.ended.status == "failed"
    assert heard.ended.message.startswith("No change of the code can help.")
    assert "numpyish_thing" in heard.ended.message
    assert heard.ended.usage.model_calls == 0


async def test_what_can_be_mended_is_and_the_rest_is_named(tmp_path: Path, scripted: Start) -> None:
    """One real failure beside one that needs a variable."""
    tests = TESTS + '\n\ndef test_token():\n    import os\n    assert os.environ["THE_TOKEN"]\n'
    answer = say("```python\ndef add(a, b):\n    return a + b\n```\n")
    heard = await fix(tmp_path, {"calc.py": BROKEN, "test_calc.py": tests}, scripted([answer]))
    assert heard.ended.status == "verified", heard.ended.message
    assert "fixes 1 of 2 tests" in heard.ended.message
    assert "test_calc.py::test_token: It reads an environment variable" in heard.ended.message
    assert heard.diagnoses["test_calc.py::test_add"].kind is Kind.REAL
    [where] = [event for event in heard.events if isinstance(event, Localised)]
    assert (where.suspects[0].path, where.suspects[0].line, where.suspects[0].name) == ("calc.py", 2, "add")


async def test_the_test_after_which_another_fails_is_found(tmp_path: Path, scripted: Start) -> None:
    """State in a default argument: the culprit is named, the fix is judged after it, and proven among all tests."""
    wrong = say("```python\ndef collect(item, seen=[]):\n    seen.append(item)\n    return max(len(seen), 1)\n```\n")
    right = say(
        "```python\ndef collect(item, seen=None):\n    seen = [] if seen is None else seen\n"
        "    seen.append(item)\n    return len(seen)\n```\n"
    )
    server = scripted([wrong, right])
    files = {"state.py": STATE, "test_state.py": STATE_TESTS}
    heard = await fix(tmp_path, files, server, budget={"ladder": ["talk"]})
    found = heard.diagnoses["test_state.py::test_three"]
    assert (found.kind, found.cause, found.hopeful) == (Kind.ORDER, "product", True)
    assert "test_state.py::test_one" in found.after
    [where] = [event for event in heard.events if isinstance(event, Localised)]
    assert where.suspects[0].name == "collect"
    assert heard.ended.status == "verified", heard.ended.message
    assert "still fails" in server.requests[1]["messages"][-1]["content"]


async def test_state_that_only_tests_keep_is_not_for_code_to_mend(tmp_path: Path) -> None:
    """A list in the test file: no code of the product has a part in it."""
    tests = "SEEN = []\n\ndef test_one(): SEEN.append(1)\n\ndef test_two(): assert not SEEN\n"
    heard = await fix(tmp_path, {"test_own.py": tests})
    found = heard.diagnoses["test_own.py::test_two"]
    assert (found.kind, found.cause, found.hopeful) == (Kind.ORDER, "test", False)
    assert heard.ended.status == "failed"


async def test_a_flaky_test_is_not_verified_by_luck(tmp_path: Path, scripted: Start) -> None:
    """A test that fails every other time: a change that does nothing for it is refused, one that mends it is proven."""
    code = (
        "import pathlib\n\nCOUNT = pathlib.Path('/tmp/count')\n\ndef pick():\n"
        "    seen = int(COUNT.read_text()) if COUNT.exists() else 0\n"
        "    COUNT.write_text(str(seen + 1))\n    return 1 - seen % 2\n"
    )
    tests = "from dice import pick\n\ndef test_pick():\n    assert pick() == 0\n"
    nothing = say("```python\ndef pick():\n    seen = int(COUNT.read_text()) if COUNT.exists() else 0\n"
                  "    COUNT.write_text(str(seen + 1))\n    return (1 - seen) % 2\n```\n")  # fmt: skip
    right = say("```python\ndef pick():\n    seen = 1\n    return 1 - seen % 2\n```\n")
    files = {"dice.py": code, "test_dice.py": tests}
    heard = await fix(tmp_path, files, scripted([nothing, right]), budget={"ladder": ["talk"]})
    found = heard.diagnoses["test_dice.py::test_pick"]
    assert found.kind is Kind.FLAKY
    assert 0 < found.rate < 1
    assert heard.ended.status == "verified", heard.ended.message
    assert "+    seen = 1" in heard.ended.diff
    assert heard.ended.evidence
    assert heard.ended.evidence.repeats == {"test_dice.py::test_pick": passes_wanted(found.rate)}


async def test_a_named_test_that_fails_alone_only_is_told(tmp_path: Path) -> None:
    """Among all tests it passes, so there would be nothing to fix; the developer sees it fail."""
    code = "READY = []\n\ndef prepare(): READY.append(1)\n\ndef use(): return READY[0]\n"
    tests = "import tool\n\ndef test_one(): tool.prepare()\n\ndef test_two(): assert tool.use() == 1\n"
    task = Task(kind=TaskKind.FIX, tests=("test_tool.py::test_two",))
    heard = await fix(tmp_path, {"tool.py": code, "test_tool.py": tests}, task=task)
    assert heard.ended.status == "failed"
    assert heard.ended.message.startswith("test_tool.py::test_two: passes among all tests and fails alone:")


async def test_a_failure_that_depends_on_the_time_zone_is_told_and_mended(tmp_path: Path, scripted: Start) -> None:
    """Local time where the test means another zone; code that names its zone is proven."""
    code = "import time\n\ndef hour(stamp):\n    return time.localtime(stamp).tm_hour\n"
    tests = "from clock import hour\n\ndef test_hour():\n    assert hour(0) == 12\n"
    answer = say("```python\ndef hour(stamp):\n    return (time.gmtime(stamp).tm_hour + 12) % 24\n```\n")
    files = {"clock.py": code, "test_clock.py": tests}
    heard = await fix(tmp_path, files, scripted([answer]), budget={"ladder": ["talk"]})
    found = heard.diagnoses["test_clock.py::test_hour"]
    assert (found.kind, found.cause, found.hopeful) == (Kind.ENVIRONMENT, "timezone", True)
    assert "UTC+12" in found.detail
    assert heard.ended.status == "verified", heard.ended.message


@pytest.mark.parametrize(
    ("files", "cause"),
    [
        ({"calc.py": BROKEN, "test_a.py": "from calc import add\n\ndef test_a(:\n    pass\n"}, "test"),
        ({"calc.py": BROKEN, "test_a.py": "import calc\n\nundefined_name\n\ndef test_a(): pass\n"}, "test"),
        ({"calc.py": "def add(a, b:\n    return a\n", "test_a.py": "import calc\n\ndef test_a(): pass\n"}, "product"),
        ({"calc.py": "x = undefined\n", "test_a.py": "import calc\n\ndef test_a(): pass\n"}, "product"),
        ({"calc.py": BROKEN, "test_a.py": "from calc import subtract\n\ndef test_a(): pass\n"}, "product"),
    ],
)
async def test_whose_fault_it_is_that_a_file_cannot_be_collected(
    tmp_path: Path, files: dict[str, str], cause: str
) -> None:
    """That of the test file, which stays as it is, or that of the code which it imports."""
    heard = await fix(tmp_path, files, budget={"timeout": 60})
    found = heard.diagnoses["test_a.py"]
    assert (found.kind, found.cause, found.hopeful) == (Kind.COLLECTION, cause, cause == "product")


def test_passes_in_a_row_leave_little_to_luck() -> None:
    """What fails always needs one pass; what fails half of the time seven."""
    assert passes_wanted(1.0) == 1
    assert passes_wanted(0.5) == 7
    assert passes_wanted(0.9) == 5
    assert passes_wanted(0.01) == 30
