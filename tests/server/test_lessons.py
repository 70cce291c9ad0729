"""What a verified fix teaches: remembered for its workspace, used for the order of edits only, and forgotten again."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from openai_server import ScriptedOpenAI, say
from workspaces import BROKEN, MENDED, make_workspace

from codeact.cli import main
from codeact.definitions import list_definitions
from codeact.events import Event, Recalled, RunEnded
from codeact.facts import Facts
from codeact.lessons import LEAST_WEIGHT, MAX_KEPT, About, Lesson, kind_of, learn, load_lessons, save_lessons
from codeact.revisit import replay_run
from codeact.run import run_task
from codeact.search import rank_edits
from codeact.settings import Settings, load_settings
from codeact.trajectory import Outcome, Task, TaskKind, TestResult

sandboxed = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
FIX = Task(kind=TaskKind.FIX)
PLUS = Lesson(about=About.EDIT, what="`-` becomes `+`", rung="edits")
ADD = Lesson(about=About.PLACE, what="calc.py add", rung="edits")
TESTS = (
    "from calc import add, double\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\n\ndef test_more():\n"
    "    assert add(5, 2) == 7\n\n\ndef test_double():\n    assert double(4) == 8\n\n\n"
    "def test_ten():\n    assert double(5) == 10\n"
)
ANSWER = "```python\ndef add(a, b):\n    return a + b\n```\n"


def settings_for(folder: Path, server: ScriptedOpenAI, **more: Any) -> Settings:
    overrides = {
        "model": {"name": "scripted", "base_url": server.base_url, "api_key": "k"},
        "state": str(folder / "state"),
        "cache": str(folder / "cache"),
        "sandbox": {"backend": "bubblewrap"},
        **more,
    }
    return load_settings(folder / "workspace", overrides, {})


async def fix(settings: Settings) -> tuple[RunEnded, list[Event]]:
    events: list[Event] = []
    return await run_task(FIX, settings, on_event=events.append), events


@pytest.mark.parametrize(
    ("edit", "kind"),
    [
        ("`<` becomes `<=`", "`<` becomes `<=`"),
        ("`cents * percent // 100` becomes `round(cents * percent / 100)`", "`_ * _ // N` becomes `round(_ * _ / N)`"),
        ("`name.lower()` becomes `name.upper()`", "`_.lower()` becomes `_.upper()`"),
        ("`seen.append(item)` is missing", "`_.append(_)` is missing"),
        ("`'a b' in text` becomes `not x`", "`'' in _` becomes `not _`"),
        ("`a` and `b` change places", "`_` and `_` change places"),
    ],
)
def test_a_kind_of_edit_has_no_names_and_no_texts(edit: str, kind: str) -> None:
    """So it holds in other functions, and keeps nothing of what the code says."""
    assert kind_of(edit) == kind


def test_edits_that_helped_come_earlier_and_none_is_lost() -> None:
    """By their kind and by their place; the more the oftener it helped, and less what missed."""
    [definition, _] = list_definitions("calc.py", BROKEN)
    facts = Facts(TestResult(node_id="t", outcome=Outcome.FAILED), "", "", (), (definition,))
    plain = rank_edits(facts, {"calc.py": BROKEN})

    def place(*lessons: Lesson) -> int:
        edits = rank_edits(facts, {"calc.py": BROKEN}, lessons)
        assert {one.edit for one in edits} == {one.edit for one in plain}
        return next(at for at, one in enumerate(edits) if one.edit.what == last)

    last = plain[-1].edit.what
    kind = Lesson(about=About.EDIT, what=kind_of(last), rung="edits", helped=9)
    assert place(kind) < len(plain) - 1
    assert place(kind) > 0, "an unlikely edit stays behind the likely ones"
    assert kind.weight > Lesson(about=About.EDIT, what="", rung="", helped=9, missed=3).weight > LEAST_WEIGHT
    assert place(ADD) == place(), "all of them are at that place"


def test_what_does_not_help_loses_weight_and_is_forgotten() -> None:
    """A lesson that was not tried stays as it is; one that helped again comes first."""
    known = learn((), [PLUS, ADD], ())
    known = learn(known, [ADD], {PLUS.id, ADD.id})
    assert [(lesson.what, lesson.helped, lesson.missed) for lesson in known] == [
        ("calc.py add", 2, 0),
        ("`-` becomes `+`", 1, 1),
    ]
    assert learn(known, [], ()) == known
    for _ in range(3):
        known = learn(known, [], {PLUS.id})
    assert [lesson.what for lesson in known] == ["calc.py add"]
    many = [Lesson(about=About.PLACE, what=f"a.py f{number}", rung="edits") for number in range(2 * MAX_KEPT)]
    assert len(learn(known, many, ())) == MAX_KEPT


@pytest.mark.parametrize(
    "damage", ["{", "[1, {}]", '{"a": 1}', '[{"about": "mood", "what": "x"}]', "\udcff", "[" * 99999]
)
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, damage: str) -> None:
    """And is replaced by the next lesson; nothing else is left in its folder."""
    settings = Settings(workspace=tmp_path, state=tmp_path / "state")
    save_lessons(settings, [PLUS])
    assert load_lessons(settings) == (PLUS,)
    [file] = (tmp_path / "state" / "lessons").iterdir()
    file.write_bytes(damage.encode("utf-8", "surrogateescape"))
    assert load_lessons(settings) == ()
    save_lessons(settings, [ADD])
    assert load_lessons(settings) == (ADD,)
    assert list(file.parent.iterdir()) == [file]
    assert load_lessons(Settings(workspace=tmp_path / "other", state=tmp_path / "state")) == ()


@pytest.mark.bubblewrap
@sandboxed
async def test_a_fix_teaches_and_the_next_one_recalls_it(tmp_path: Path, scripted: Any) -> None:
    """Learnt by single edits, recalled and confirmed, then weakened by a fault of another kind; a replay has no part."""
    files = {"workspace/calc.py": BROKEN, "workspace/test_calc.py": TESTS}
    calc = make_workspace(tmp_path, files, git=False) / "workspace" / "calc.py"
    settings = settings_for(tmp_path, scripted([]), budget={"ladder": ["edits"]})
    ended, events = await fix(settings)
    assert ended.status == "verified", ended.message
    assert load_lessons(settings) == (PLUS, ADD)
    assert not [event for event in events if isinstance(event, Recalled)]
    second, events = await fix(settings)
    assert second.status == "verified", second.message
    assert [event.lessons for event in events if isinstance(event, Recalled)] == [(PLUS, ADD)]
    known = load_lessons(settings)
    assert [(lesson.helped, lesson.missed) for lesson in known] == [(2, 0), (2, 0)]

    heard: list[Event] = []
    _, same = await replay_run(settings, second.run, heard.append)
    assert same
    assert [event.lessons for event in heard if isinstance(event, Recalled)] == [(PLUS, ADD)], "as it was then"
    assert load_lessons(settings) == known

    calc.write_text(MENDED.replace("return a * 2", "return (a - 1) * 2"))
    ended, _ = await fix(settings)
    assert ended.status == "verified", ended.message
    found = {lesson.what: (lesson.helped, lesson.missed) for lesson in load_lessons(settings)}
    assert found["calc.py double"] == (1, 0)
    assert found["`-` becomes `+`"] == (2, 1)
    assert found["calc.py add"] == (2, 0), "nothing was tried there"


@pytest.mark.bubblewrap
@sandboxed
async def test_what_a_model_wrote_teaches_the_place_only(tmp_path: Path, scripted: Any) -> None:
    """And a replay of a run that knew nothing knows nothing, though something was learnt since."""
    make_workspace(tmp_path, {"workspace/calc.py": BROKEN, "workspace/test_calc.py": TESTS}, git=False)
    settings = settings_for(tmp_path, scripted([say(ANSWER)]), budget={"ladder": ["talk"]})
    first, _ = await fix(settings)
    assert first.status == "verified", first.message
    [known] = load_lessons(settings)
    assert (known.about, known.what, known.rung) == (About.PLACE, "calc.py add", "talk")
    events: list[Event] = []
    again, same = await replay_run(settings, first.run, events.append)
    assert same, again.message
    assert not [event for event in events if isinstance(event, Recalled)]
    assert load_lessons(settings) == (known,)


def test_what_was_learnt_can_be_seen_and_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As lines and as JSON; one by its id, then all."""
    monkeypatch.setenv("CODEACT_STATE_DIR", str(tmp_path / "state"))
    settings = Settings(workspace=tmp_path, state=tmp_path / "state")
    place = ["--workspace", str(tmp_path)]
    assert main(["learned", *place]) == 0
    assert "Nothing is remembered" in capsys.readouterr().out
    save_lessons(settings, [PLUS, ADD])
    assert main(["learned", *place]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{PLUS.id}\tedit\t`-` becomes `+`\tedits\thelped 1\tmissed 0",
        f"{ADD.id}\tplace\tcalc.py add\tedits\thelped 1\tmissed 0",
    ]
    assert main(["learned", "--json", *place]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (first["id"], first["about"], first["helped"]) == (PLUS.id, "edit", 1)
    assert main(["learned", "--forget", "nothing", *place]) == 2
    assert "Nothing is remembered as nothing" in capsys.readouterr().err
    assert main(["learned", "--forget", PLUS.id, *place]) == 0
    assert load_lessons(settings) == (ADD,)
    assert main(["learned", "--forget", *place]) == 0
    assert load_lessons(settings) == ()
