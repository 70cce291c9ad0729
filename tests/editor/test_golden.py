"""The messages of the wire, byte for byte as `tests/golden` has them, which the extension's own tests read too."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from codeact.diagnosis import Cause, Diagnosis, Kind, Suspect
from codeact.editor import history
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
from codeact.evidence import Evidence, Tally
from codeact.journal import create_journal
from codeact.lessons import About, Lesson
from codeact.proposal import make_proposal
from codeact.settings import Settings
from codeact.trajectory import (
    Action,
    Answer,
    Artifact,
    Completion,
    FileChange,
    FileState,
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
from codeact.wire import event_from_json, to_json

GOLDEN = Path(__file__).parents[1] / "golden"
RUN = "20261123-120000-a7bc"
PASSED = TestResult(node_id="test_calc.py::test_double", outcome=Outcome.PASSED, seconds=0.01)
FAILED = TestResult(
    node_id="test_calc.py::test_add", outcome=Outcome.FAILED, seconds=0.02, message="assert -1 == 3", traceback="E"
)
REPORT = TestReport(command=("python", "-m", "pytest"), results=(FAILED, PASSED), exit_code=1, seconds=0.5)
PROVEN = replace(
    REPORT, results=(replace(FAILED, outcome=Outcome.PASSED, message="", traceback=""), PASSED), exit_code=0
)
EVIDENCE = Evidence(
    snapshot="1" * 40,
    proposed="2" * 40,
    command=("python", "-m", "pytest"),
    targets=("test_calc.py::test_add",),
    before=Tally(counts={Outcome.FAILED: 1, Outcome.PASSED: 1}, failing=("test_calc.py::test_add",)),
    after=Tally(counts={Outcome.PASSED: 2}),
    regressions=(),
    environment={"backend": "bubblewrap"},
    protected={"test_calc.py": "3" * 64},
    seconds=1.5,
    proven_at="2026-11-23T12:00:00+00:00",
    verified=True,
    reasons=(),
)
CHANGES = (
    FileChange(
        "calc.py", FileState(b"def add(a, b):\n    return a - b\n"), FileState(b"def add(a, b):\n    return a + b\n")
    ),
    FileChange("logo.png", None, FileState(b"\x89PNG")),
)
PROPOSAL = replace(make_proposal(RUN, "1" * 40, CHANGES), evidence=EVIDENCE)
STEP = Step(
    number=1,
    thought="It subtracts.",
    action=Action("define('calc.py', '...')"),
    observation=Observation(
        stdout="ok\n",
        seconds=0.1,
        artifacts=(Artifact("figure 1", "image/png", b"\x89PNG"), Artifact("table", "text/html", b"<table></table>")),
        tests=PROVEN,
    ),
)
TASK = Task(kind=TaskKind.FIX, tests=("test_calc.py::test_add",))
EVENTS: dict[str, Event] = {
    "started": RunStarted(run=RUN, task=TASK, workspace="/home/you/shop"),
    "progress": Progress(message="running the tests"),
    "snapshot": SnapshotTaken(tree="1" * 40, files=3, left_out=(Rejected(".env", "may hold secrets"),)),
    "tests": TestsRan(phase="before", report=REPORT),
    "triaged": Triaged(
        diagnoses=(
            Diagnosis(
                node_id="test_calc.py::test_add",
                kind=Kind.ORDER,
                cause="product",
                detail="It passes alone and fails after test_calc.py::test_double. State may be kept in calc.py.",
                after=("test_calc.py::test_double",),
            ),
        )
    ),
    "grouped": Grouped(
        causes=(
            Cause(
                number=1, tests=("test_calc.py::test_add",), path="calc.py", line=2, name="add", error="assert -1 == 3"
            ),
        )
    ),
    "tried": CauseTried(number=1, mended=("test_calc.py::test_add",), left=()),
    "recalled": Recalled(lessons=(Lesson(about=About.EDIT, what="`-` becomes `+`", rung="edits", helped=2, missed=1),)),
    "localised": Localised(
        target="test_calc.py::test_add", suspects=(Suspect(path="calc.py", line=2, name="add", score=0.5),)
    ),
    "packages": PackagesAdded(module="yaml", pins=("PyYAML==6.0.3",)),
    "chosen": ModelChosen(name="local:qwen", context=8192, schedule=(Sampling(),)),
    "text": ModelText(text="It "),
    "model": ModelAnswered(
        kept=0,
        added=(Message("user", "Fix it."),),
        sampling=Sampling(),
        completion=Completion((Answer("It subtracts."),), Usage(model_calls=1)),
    ),
    "step": StepTaken(step=STEP),
    "result": RunEnded(
        run=RUN,
        status="verified",
        message="fixes 1 test, 1 other still passes, proven in a fresh sandbox · 1 file",
        diff="--- a/calc.py\n",
        artifacts=(Artifact("top.csv", "text/csv", b"a,1\n"),),
        evidence=EVIDENCE,
        proposal=PROPOSAL,
        usage=Usage(model_calls=1, prompt_tokens=10, completion_tokens=5, seconds=1.0),
        seconds=2.5,
    ),
}


def compare(name: str, message: object) -> None:
    """The message is what the golden file has; else the file is to be looked at, and replaced if that is meant."""
    text = json.dumps(message, indent=1, ensure_ascii=True) + "\n"
    file = GOLDEN / f"{name}.json"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "ascii")
    assert file.read_text("ascii") == text, f"{file} differs. If that is meant: delete it, and run this test twice."


@pytest.mark.parametrize("name", EVENTS)
def test_events(name: str) -> None:
    """Each kind of event, as `codeact/event` and `--json` carry it; and it can be read back."""
    message = to_json(EVENTS[name])
    compare(f"event-{name}", {**message, "run": RUN})
    assert event_from_json(message) == EVENTS[name]


def test_answers_of_commands(tmp_path: Path) -> None:
    """What `codeact.review` and `codeact.show` answer, read from a journal."""
    settings = Settings(workspace=tmp_path, state=tmp_path / "state")
    with create_journal(settings, RUN) as journal:
        for event in EVENTS.values():
            journal.record(event)
        journal.append("evidence", EVIDENCE)
        journal.append("proposal", PROPOSAL)
    compare("answer-review", history.review(settings, RUN))
    compare("answer-show", history.show(settings, RUN))
