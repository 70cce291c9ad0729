"""Journals: what was written is read back, whatever crashed; what was changed is noticed; secrets stay out."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from codeact.errors import JournalError, RunNotFound
from codeact.events import ModelAnswered, ModelText, Progress, RunEnded, RunStarted, SnapshotTaken, StepTaken, TestsRan
from codeact.evidence import Applied, Evidence, Tally
from codeact.journal import create_journal, find_run, list_runs, new_run_id, open_journal, read_journal, run_folder
from codeact.processes import process_identity
from codeact.proposal import make_proposal
from codeact.settings import ModelSettings, Secret, Settings
from codeact.trajectory import (
    Action,
    Answer,
    Artifact,
    Completion,
    FileChange,
    FileState,
    Message,
    Observation,
    Sampling,
    Step,
    Task,
    TaskKind,
    TestReport,
    Usage,
)

COMPLETION = Completion((Answer("```python\nfinish()\n```"),), Usage(model_calls=1))
PICTURE = Artifact("plot.png", "image/png", bytes(range(256)) * 100)
ANSWERED = ModelAnswered(kept=0, added=(Message("user", "fix it"),), sampling=Sampling(), completion=COMPLETION)
STEP = Step(number=1, thought="t", action=Action("1"), observation=Observation(stdout="ü\udcff", artifacts=(PICTURE,)))
EVIDENCE = Evidence(
    snapshot="s", proposed="p", command=("pytest",), targets=("t",), before=Tally(counts={}), after=Tally(counts={})
)
PROPOSAL = make_proposal("r", "s", [FileChange("a.py", FileState(b"1\n" * 20_000), FileState(b"2\n"))])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    model = ModelSettings(api_key=Secret("sk-secret"), base_url="http://me:pw@host/v1")
    return Settings(workspace=tmp_path / "w", state=tmp_path / "state", cache=tmp_path / "cache", model=model)


def begin(run: str, settings: Settings) -> RunStarted:
    return RunStarted(run=run, task=Task(kind=TaskKind.FIX, instruction="mend"), workspace=str(settings.workspace))


def write_whole_run(settings: Settings, run: str) -> list[tuple[str, object]]:
    values: list[tuple[str, object]] = [
        ("started", begin(run, settings)),
        ("snapshot", SnapshotTaken(tree="s", files=2)),
        ("tests", TestsRan(phase="before", report=TestReport(command=("pytest",)))),
        ("model", ANSWERED),
        ("step", STEP),
        ("evidence", EVIDENCE),
        ("proposal", PROPOSAL),
        ("ended", RunEnded(run=run, status="verified", message="Proven.", proposal=PROPOSAL, artifacts=(PICTURE,))),
        ("applied", Applied(run=run, paths=("a.py",))),
        ("discarded", None),
    ]
    with create_journal(settings, run) as journal:
        for kind, value in values:
            journal.append(kind, value)
    return values


def test_a_run_is_read_back_as_typed_values(settings: Settings) -> None:
    """Everything that was appended comes back equal, also what is large and lives in files beside the journal."""
    values = write_whole_run(settings, "r1")
    record = read_journal(settings, "r1")
    assert not record.torn
    assert [(entry.kind, record.value(entry)) for entry in record.entries[1:]] == values[1:]
    assert record.started() == values[0][1]
    assert record.snapshot() == values[1][1]
    assert record.tests() == (values[2][1],)
    assert record.requests() == (ANSWERED,)
    assert record.completions() == (COMPLETION,)
    assert record.steps() == (STEP,)
    assert record.evidence() == EVIDENCE
    assert record.proposal() == PROPOSAL
    assert record.ended() == values[7][1]
    opening = record.opening()
    assert opening
    assert set(opening.versions) == {"codeact", "python", "platform"}
    assert opening.settings["budget"]["max_steps"] == 12


def test_events_are_recorded_as_the_entries_they_belong_in(settings: Settings) -> None:
    """A run hands its events over as they are; what is for showing only is not kept."""
    with create_journal(settings, "r") as journal:
        for event in (
            begin("r", settings), Progress(message="p"), SnapshotTaken(tree="s", files=1), ModelText(text="x"),
            TestsRan(phase="check", report=TestReport(command=())), ANSWERED, StepTaken(step=STEP),
            RunEnded(run="r", status="failed", message="No."),
        ):  # fmt: skip
            journal.record(event)
    record = read_journal(settings, "r")
    assert [e.kind for e in record.entries] == ["started", "snapshot", "tests", "model", "step", "ended"]
    assert record.requests() == (ANSWERED,)
    assert record.completions() == (COMPLETION,)


def test_large_content_is_kept_once_by_its_hash_and_checked(settings: Settings) -> None:
    """Two entries share an artifact's file; when that is changed or gone, reading the entry says so."""
    write_whole_run(settings, "r")
    folder = run_folder(settings, "r")
    files = list((folder / "artifacts").iterdir())
    assert len(files) == 2  # the picture, and the large file before
    assert (folder / "journal.jsonl").stat().st_size < 20_000
    files[0].write_bytes(b"forged")
    files[1].unlink()
    record = read_journal(settings, "r")
    with pytest.raises(JournalError, match=r"was changed|cannot be read"):
        record.steps()
    with pytest.raises(JournalError, match=r"was changed|cannot be read"):
        record.proposal()


def test_a_journal_is_private(settings: Settings) -> None:
    """Prompts hold the developer's code: nobody else may read them."""
    write_whole_run(settings, "r")
    folder = run_folder(settings, "r")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "journal.jsonl").stat().st_mode & 0o777 == 0o600


def test_secrets_stay_out(settings: Settings) -> None:
    """Neither the settings' key nor any text to redact reaches the disk, in whatever kind of value it stands."""
    with create_journal(settings, "r", redact=("hunter2", "", "hunter2-longer")) as journal:
        journal.append("started", begin("r", settings))
        journal.append("applied", Applied(run="the key is hunter2, or hunter2-longer", paths=()))
        hidden = Observation(artifacts=(Artifact("hunter2", "x", b"\xff hunter2 " * 9_000),), stdout="hunter2")
        journal.append("step", Step(number=1, thought="", action=Action("hunter2"), observation=hidden))
    for file in run_folder(settings, "r").rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"hunter2" not in content
            assert b"longer" not in content
            assert b"sk-secret" not in content
            assert b"me:pw" not in content
    assert "the key is ***, or ***" in str(read_journal(settings, "r").entries[1].data)


def test_a_journal_cut_off_at_any_byte_is_read_up_to_there(settings: Settings) -> None:
    """Wherever in its last lines a crash stops the writing, all complete lines are read and writing can go on."""
    write_whole_run(settings, "r")
    file = run_folder(settings, "r") / "journal.jsonl"
    whole = file.read_bytes()
    lines = whole.split(b"\n")[:-1]
    start = len(whole) - len(lines[-1]) - len(lines[-2]) - 2
    for size in range(start, len(whole) + 1):
        file.write_bytes(whole[:size])
        complete = whole[:size].count(b"\n")
        record = read_journal(settings, "r")
        assert len(record.entries) == complete
        assert record.torn == (not whole[:size].endswith(b"\n"))
        if size % 5:  # reading is checked at every byte, going on at every fifth
            continue
        with open_journal(settings, "r") as journal:
            journal.append("discarded", None)
        again = read_journal(settings, "r")
        assert not again.torn
        assert [entry.hash for entry in again.entries[:-1]] == [entry.hash for entry in record.entries]
    for size in random.Random(3).sample(range(start), 60):
        file.write_bytes(whole[:size])
        assert len(read_journal(settings, "r").entries) == whole[:size].count(b"\n")


def test_any_changed_byte_is_noticed(settings: Settings) -> None:
    """A flipped bit anywhere names the line it stands in, unless it only makes the last line torn."""
    write_whole_run(settings, "r")
    file = run_folder(settings, "r") / "journal.jsonl"
    whole = file.read_bytes()
    for at in random.Random(5).sample(range(len(whole) - 1), 300):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(JournalError, match=rf"Line {whole[:at].count(10) + 1} of"):
            read_journal(settings, "r")


def test_lines_cannot_be_dropped_swapped_repeated_or_borrowed(settings: Settings) -> None:
    """The chain binds each line to its place in this run's journal."""
    write_whole_run(settings, "r")
    write_whole_run(settings, "other")
    file = run_folder(settings, "r") / "journal.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    foreign = (run_folder(settings, "other") / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for forged, line in (
        (lines[:2] + lines[3:], 3),
        ([lines[1], lines[0], *lines[2:]], 1),
        ([*lines[:3], lines[2], *lines[3:]], 4),
        (foreign, 1),
        ([lines[0].replace(b'{"seq":1,', b'{"seq": 1,'), *lines[1:]], 1),
    ):
        file.write_bytes(b"".join(forged))
        with pytest.raises(JournalError, match=f"Line {line} of"):
            read_journal(settings, "r")


def test_a_recomputed_hash_breaks_the_next_line(settings: Settings) -> None:
    """Whoever mends the hash of a line they changed is found out one line later."""
    from codeact.record import make_line  # noqa: PLC0415 - what a forger would use

    write_whole_run(settings, "r")
    file = run_folder(settings, "r") / "journal.jsonl"
    lines = file.read_bytes().splitlines()
    entry = json.loads(lines[1])
    lines[1], _ = make_line(entry["prev"], 2, entry["time"], "snapshot", {**entry["data"], "tree": "forged"})
    file.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(JournalError, match="Line 3 of"):
        read_journal(settings, "r")


def test_a_full_disk_says_so_and_leaves_the_journal_whole(settings: Settings) -> None:
    """When the write fails half way, no half line stays, and the next one that fits continues the chain."""
    script = f"""
import resource, signal, sys
from pathlib import Path
from codeact.evidence import Applied
from codeact.journal import create_journal
from codeact.settings import Settings
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
settings = Settings(workspace=Path("/w"), state=Path({str(settings.state)!r}))
journal = create_journal(settings, "r")
journal.append("applied", Applied(run="x", paths=()))
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
try:
    journal.append("applied", Applied(run="x" * 5000, paths=()))
except Exception as error:
    print(type(error).__name__, error)
journal.append("applied", Applied(run="small", paths=()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("JournalError The journal in")
    record = read_journal(settings, "r")
    assert not record.torn
    assert [entry.data["run"] for entry in record.entries] == ["x", "small"]


def test_only_one_process_writes_a_journal(settings: Settings) -> None:
    """A second writer, or a second beginning, is refused with a sentence."""
    with create_journal(settings, "r"):
        with pytest.raises(JournalError, match="Another process is writing"):
            open_journal(settings, "r")
        with pytest.raises(JournalError, match="has a journal already"):
            create_journal(settings, "r")
    open_journal(settings, "r").close()


def test_wrong_kinds_and_values_are_mistakes_of_the_programmer(settings: Settings) -> None:
    """What could not be read back is not written."""
    with create_journal(settings, "r") as journal:
        with pytest.raises(TypeError, match="holds Step, not str"):
            journal.append("step", "text")
        with pytest.raises(KeyError):
            journal.append("nonsense", None)
    assert read_journal(settings, "r").entries == ()


def test_an_entry_of_another_version_is_named(settings: Settings) -> None:
    """A whole journal whose values have other fields than today's says which."""
    from codeact.record import first_hash, make_line  # noqa: PLC0415 - what another version would use

    create_journal(settings, "r").close()
    line, _ = make_line(first_hash("r"), 1, "now", "applied", {"run": "r", "files": []})
    (run_folder(settings, "r") / "journal.jsonl").write_bytes(line + b"\n")
    record = read_journal(settings, "r")
    with pytest.raises(JournalError, match=r"Line 1 of .* no valid Applied: .*paths"):
        record.value(record.entries[0])


def test_run_ids_sort_by_time_and_are_distinct() -> None:
    """Ids made one after the other are in order when they are two milliseconds apart."""
    ids = [new_run_id() for _ in range(200)]
    assert [run[:-3] for run in ids] == sorted(run[:-3] for run in ids)
    assert all(len(run) == len("20261123-142233-k3f9") for run in ids)


def test_runs_are_listed_newest_first_with_what_became_of_them(settings: Settings) -> None:
    """Ended, applied, running, interrupted, empty, damaged and half-made runs each read as what they are."""
    assert list_runs(settings) == ()
    write_whole_run(settings, "20260101-000000-aaaa")
    with create_journal(settings, "20260102-000000-aaaa") as journal:
        journal.append("started", begin("20260102-000000-aaaa", settings))
        journal.append("ended", RunEnded(run="x", status="failed", message="No fix was found."))
    create_journal(settings, "20260103-000000-aaaa").close()
    with create_journal(settings, "20260104-000000-aaaa") as journal:
        journal.append("started", begin("20260104-000000-aaaa", settings))
    create_journal(settings, "20260105-000000-aaaa").close()
    (run_folder(settings, "20260105-000000-aaaa") / "journal.jsonl").write_bytes(b"garbage\n")
    run_folder(settings, "20260106-000000-aaaa").mkdir()
    found = {run.run[7]: run for run in list_runs(settings)}
    assert list(found) == ["5", "4", "3", "2", "1"]
    assert [run.status for run in found.values()] == ["damaged", "running", "interrupted", "failed", "verified"]
    assert (found["2"].message, found["2"].fate, found["1"].fate) == ("No fix was found.", "", "discarded")
    assert found["4"].started == begin("20260104-000000-aaaa", settings)
    assert found["4"].time.startswith("20")


def test_a_killed_run_is_interrupted_and_readable(settings: Settings) -> None:
    """After `kill -9` in the middle of writing, the run is listed as interrupted and its journal can be read."""
    script = f"""
from pathlib import Path
from codeact.events import RunStarted
from codeact.evidence import Applied
from codeact.journal import create_journal
from codeact.settings import Settings
from codeact.trajectory import Task, TaskKind
settings = Settings(workspace=Path("/w"), state=Path({str(settings.state)!r}))
journal = create_journal(settings, "r")
journal.append("started", RunStarted(run="r", task=Task(kind=TaskKind.FIX), workspace="/w"))
print("ready", flush=True)
while True:
    journal.append("applied", Applied(run="x" * 20000, paths=()))
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        assert list_runs(settings)[0].status == "running"
        process.send_signal(signal.SIGKILL)
    assert list_runs(settings)[0].status == "interrupted"
    record = read_journal(settings, "r")
    assert record.started()
    assert record.ended() is None


def test_a_run_is_found_by_part_of_its_id(settings: Settings) -> None:
    """Beginning, end, `last`; several or none fitting names what is near."""
    with pytest.raises(RunNotFound, match="no runs yet"):
        find_run(settings, "last")
    for run in ("20260101-000000-k3f9", "20260102-000000-abcd", "20260102-111111-wxyz"):
        create_journal(settings, run).close()
    assert find_run(settings, "last") == find_run(settings, "latest") == "20260102-111111-wxyz"
    assert find_run(settings, "20260101") == find_run(settings, "k3f9") == "20260101-000000-k3f9"
    with pytest.raises(RunNotFound, match="fits several runs: 20260102-111111-wxyz, 20260102-000000-abcd"):
        find_run(settings, "20260102")
    with pytest.raises(RunNotFound, match="Near are: 20260102-000000-abcd"):
        find_run(settings, "20260102-000000-abce")
    with pytest.raises(RunNotFound, match="no run ''"):
        find_run(settings, "")
    for odd in ("../x", "", ".", "a\0b", "missing"):
        with pytest.raises(RunNotFound):
            read_journal(settings, odd)


def test_a_process_is_known_by_more_than_its_number() -> None:
    """The same process has the same name, an ended one has none."""
    assert process_identity(os.getpid()) == process_identity(os.getpid()) != ""
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert process_identity(ended.pid) == ""
