"""JSON: every value of a run comes back as it was, names are those of the contract, and bad data is named."""

import base64
import json
from contextlib import suppress
from dataclasses import is_dataclass
from pathlib import Path
from typing import get_args

import pytest

from codeact import events, evidence, trajectory
from codeact.diagnosis import Cause, Diagnosis, Kind, Suspect
from codeact.errors import WireError
from codeact.events import (
    CauseTried,
    Event,
    Grouped,
    Localised,
    ModelAnswered,
    ModelChosen,
    ModelText,
    PackagesAdded,
    Progress,
    Recalled,
    RunEnded,
    RunStarted,
    SnapshotTaken,
    StepTaken,
    TestsRan,
    Triaged,
)
from codeact.evidence import Applied, Evidence, Tally
from codeact.lessons import About, Lesson
from codeact.proposal import make_proposal
from codeact.settings import ModelSettings, Secret, Settings
from codeact.trajectory import (
    Action,
    Answer,
    Artifact,
    Completion,
    Failure,
    FileChange,
    FileState,
    Frame,
    Message,
    Observation,
    Outcome,
    Rejected,
    Sampling,
    Step,
    Task,
    TaskKind,
    TestReport,
    TestResult,
    Usage,
)
from codeact.wire import EVENTS, event_from_json, from_json, printable, to_json, to_line

FRAME = Frame(path="src/caf\udce9.py", line=3, function="total", values=(("x", "1"), ("y", "'\u2028'")))
RESULT = TestResult(node_id="test_a.py::test_x[\ud800]", outcome=Outcome.FAILED, frames=(FRAME,), called=(FRAME,))
REPORT = TestReport(command=("python", "-m", "pytest"), results=(RESULT,), exit_code=-9, problem="killed")
OBSERVATION = Observation(
    stdout="\x00\x1b[31m\U0001f600",
    failure=Failure("ValueError", "bad", "Traceback ..."),
    artifacts=(Artifact("plot.png", "image/png", b"\x89PNG\xff"), Artifact("t.csv", "text/csv", "a,ü\r\n".encode())),
    finished="done",
    tests=REPORT,
)
STEP = Step(number=1, thought="hm", action=Action("print(1)", 5.0), observation=OBSERVATION)
EVIDENCE = Evidence(
    snapshot="a" * 40,
    proposed="b" * 40,
    command=("pytest",),
    targets=("test_a.py::test_x",),
    before=Tally(counts={Outcome.FAILED: 1, Outcome.PASSED: 3}, failing=("test_a.py::test_x",)),
    after=Tally(counts={Outcome.PASSED: 4}),
    environment={"python": "3.11.7"},
    protected={"test_\udcff.py": "c" * 64},
    verified=True,
)
CHANGES = [
    FileChange("a.py", FileState(b"a\r\n"), FileState(b"b\r\n", "100755")),
    FileChange("odd \udcff.py", FileState(b"\xff\xfe"), None),
    FileChange("tests/test_a.py", None, FileState(b"")),
]
PROPOSAL = make_proposal("run", "a" * 40, CHANGES, lambda path: path.startswith("tests"))
EVENT_VALUES: tuple[Event, ...] = (
    RunStarted(run="run", task=Task(kind=TaskKind.FIX, tests=("a",)), workspace="/w", model="m", sandbox="docker"),
    Progress(message="running the tests"),
    SnapshotTaken(tree="t", files=3, left_out=(Rejected(".env", "may hold secrets"),)),
    TestsRan(phase="before", report=REPORT),
    ModelText(text="```py"),
    PackagesAdded(module="yaml", pins=("PyYAML==6.0",)),
    Triaged(diagnoses=(Diagnosis(node_id="test_a.py::test_a", kind=Kind.FLAKY, rate=0.5),)),
    Grouped(causes=(Cause(number=1, tests=("test_a.py::test_a",), path="a.py", line=2, name="f", error="E"),)),
    Recalled(lessons=(Lesson(about=About.PLACE, what="a.py f", rung="talk", helped=2, missed=1),)),
    CauseTried(number=1, mended=("test_a.py::test_a",), left=("test_a.py::test_b",)),
    Localised(target="test_a.py::test_a", suspects=(Suspect(path="a.py", line=2, name="f", score=0.5),)),
    ModelChosen(name="m", context=4096, schedule=(Sampling(samples=2),)),
    ModelAnswered(
        kept=0,
        added=(Message("user", "fix"),),
        sampling=Sampling(samples=2),
        completion=Completion((Answer("a", cut=True),), Usage(model_calls=1, seconds=0.5)),
    ),
    StepTaken(step=STEP),
    RunEnded(
        run="run",
        status="verified",
        message="The proposal is proven.",
        diff="--- a/x\udcff\n",
        artifacts=OBSERVATION.artifacts,
        evidence=EVIDENCE,
        proposal=PROPOSAL,
    ),
)


@pytest.mark.parametrize("event", EVENT_VALUES, ids=lambda event: type(event).__name__)
def test_every_event_survives_the_round_trip(event: Event) -> None:
    """One ASCII line, tagged with its name, that reads back as the same value."""
    line = to_line(event)
    assert line.isascii()
    assert "\n" not in line
    assert event_from_json(json.loads(line)) == event


def test_no_event_was_forgotten() -> None:
    """Each class of the union has a name and is in the round trip above."""
    assert set(EVENTS.values()) == set(get_args(Event)) == {type(event) for event in EVENT_VALUES}


@pytest.mark.parametrize("value", [PROPOSAL, EVIDENCE, STEP, REPORT, *CHANGES, Applied(run="r", paths=("a",))])
def test_other_values_survive_too(value: object) -> None:
    """What the journal and the editor keep comes back as it was."""
    assert from_json(type(value), json.loads(to_line(value))) == value


def test_every_dataclass_of_the_ground_can_be_converted() -> None:
    """A field of a type that the converter does not know would show here, not in a developer's run."""
    classes = {c for m in (trajectory, events, evidence) for c in vars(m).values() if is_dataclass(c)}
    for cls in classes:
        with suppress(WireError):  # required fields are missing
            from_json(cls, {})


def test_the_result_object_has_the_keys_of_the_contract() -> None:
    """Scripts read these names; they change only together with the schema's version."""
    result = json.loads(to_line(EVENT_VALUES[-1]))
    assert result["event"] == "result"
    assert result["schema"] == events.SCHEMA_VERSION == 1
    assert set(result) == {
        "event", "schema", "run", "status", "message", "diff", "answer", "artifacts", "evidence", "proposal", "usage", "cost", "note",
        "seconds",
    }  # fmt: skip
    assert set(result["usage"]) == {"model_calls", "prompt_tokens", "completion_tokens", "seconds"}
    assert result["artifacts"][0] == {
        "name": "plot.png", "media_type": "image/png", "data": {"base64": base64.b64encode(b"\x89PNG\xff").decode()},
    }  # fmt: skip
    assert result["artifacts"][1]["data"] == {"text": "a,ü\r\n"}
    assert result["evidence"]["before"]["counts"] == {"failed": 1, "passed": 3}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "No event is called None"),
        ({"event": "nope"}, "No event is called 'nope'"),
        ({"event": ["step"]}, "No event is called"),
        ({"event": "progress"}, "required field missing @ message"),
        ({"event": "progress", "message": 3}, "expected str @ message"),
        ({"event": "progress", "message": "x", "more": 1}, r"extra fields found \(more\)"),
        ({"event": "snapshot", "tree": "t", "files": True}, "expected int @ files"),
        ({"event": "snapshot", "tree": "t", "files": "3"}, "expected int @ files"),
        ({"event": "result", "schema": 2, "run": "r", "status": "verified", "message": ""}, "schema to be 1, not 2"),
        ({"event": "result", "schema": 1, "run": "r", "status": "fine", "message": ""}, "@ status"),
        ({"event": "started", "schema": 1, "run": "r", "workspace": "", "task": {"kind": "x"}}, "@ task.kind"),
    ],
)
def test_bad_data_is_named(data: object, message: str) -> None:
    """The message says which field of which value is wrong."""
    with pytest.raises(WireError, match=message):
        event_from_json(data)


@pytest.mark.parametrize("content", [{}, {"text": 1}, {"base64": "?"}, {"text": "a", "base64": ""}, "YQ==", None])
def test_bad_bytes_are_refused(content: object) -> None:
    """Bytes have exactly one of two forms."""
    with pytest.raises(WireError, match="content"):
        from_json(FileState, {"content": content})


def test_secrets_never_become_json() -> None:
    """Settings can be written down; the key in them is neither written nor read."""
    settings = Settings(workspace=Path("/w"), model=ModelSettings(api_key=Secret("sk-hidden")))
    assert "sk-hidden" not in to_line(settings)
    assert to_json(settings)["model"]["api_key"] == "***"
    with pytest.raises(WireError, match="api_key"):
        from_json(Settings, to_json(settings))


def test_a_duration_that_is_no_number_does_not_break_the_line() -> None:
    """A hostile report may hold NaN, which JSON does not have."""
    assert to_json(Usage(seconds=float("nan")))["seconds"] == 0.0


def test_odd_names_can_be_printed() -> None:
    """Lone surrogates and control sequences of the terminal are shown as escapes."""
    shown = printable("caf\udce9 \x1b[2J\r ü \u202e\n")
    assert shown == "caf\\udce9 \\x1b[2J\\r ü \\u202e\n"
    shown.encode("utf-8")
