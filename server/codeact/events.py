"""What a run tells while it goes on: to the terminal, to `--json`, to the editor and to the journal.

Every event is a frozen dataclass; `wire` turns it into JSON. The names below are part of the contract of `--json`
(see docs/json.md) and change only with `SCHEMA_VERSION`.
"""

from dataclasses import dataclass
from typing import Literal

from codeact.diagnosis import Cause, Diagnosis, Suspect
from codeact.evidence import Evidence, Proposal
from codeact.lessons import Lesson
from codeact.trajectory import Artifact, Completion, Message, Rejected, Sampling, Step, Task, TestReport, Usage

SCHEMA_VERSION = 1

Status = Literal["verified", "unverified", "answered", "failed", "cancelled"]


@dataclass(frozen=True, kw_only=True)
class RunStarted:
    """A run begins."""

    run: str
    task: Task
    workspace: str
    model: str = ""
    sandbox: str = ""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What is being done now, in a few words ("running the tests"), and how much of it is done where that is known."""

    message: str
    percentage: int | None = None


@dataclass(frozen=True, kw_only=True)
class SnapshotTaken:
    """The workspace was frozen; `left_out` names files that may hold secrets."""

    tree: str
    files: int
    left_out: tuple[Rejected, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TestsRan:
    """A test run ended. `phase` says what for."""

    __test__ = False

    phase: Literal["before", "proof-before", "proof-after", "check"]
    report: TestReport


@dataclass(frozen=True, kw_only=True)
class Triaged:
    """What kind of failure each failing test is; nothing has been tried yet."""

    diagnoses: tuple[Diagnosis, ...]


@dataclass(frozen=True, kw_only=True)
class Grouped:
    """The failing tests by likely cause, in the order in which they are mended; told where they are several."""

    causes: tuple[Cause, ...]


@dataclass(frozen=True, kw_only=True)
class CauseTried:
    """What could be done about one of those causes is done: which of its tests pass now, and which do not."""

    number: int
    mended: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Recalled:
    """What earlier fixes of this workspace have taught, by which single edits come somewhat earlier."""

    lessons: tuple[Lesson, ...]


@dataclass(frozen=True, kw_only=True)
class Localised:
    """Where the cause of a failing test may be, likeliest first."""

    target: str
    suspects: tuple[Suspect, ...]


@dataclass(frozen=True, kw_only=True)
class PackagesAdded:
    """A module was missing, and the package that has it was fetched: it and what it needs, pinned."""

    module: str
    pins: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ModelChosen:
    """Which model is asked, and how: its name, its context in tokens, its schedule of turns, whether it fills gaps."""

    name: str
    context: int
    schedule: tuple[Sampling, ...]
    fills: bool = False


@dataclass(frozen=True, kw_only=True)
class ModelText:
    """Some more of what the model is writing; for showing only, never recorded."""

    text: str


@dataclass(frozen=True, kw_only=True)
class ModelAnswered:
    """A request to the model came back.

    Attributes:
        kept: how many messages of the request before this one begin this one too.
        added: the messages after those.
        sampling: how the model was asked.
        completion: what it answered.
    """

    kept: int
    added: tuple[Message, ...]
    sampling: Sampling
    completion: Completion


@dataclass(frozen=True, kw_only=True)
class StepTaken:
    """One step is complete."""

    step: Step


@dataclass(frozen=True, kw_only=True)
class RunEnded:
    """A run is over.

    Attributes:
        run: its id.
        status: how it ended.
        message: one sentence why.
        note: what to know of how it came to that, such as why no model was asked; often empty.
        diff: unified diff of the proposal, empty without one.
        answer: the model's final words, if it was asked for some.
        artifacts: what the run made beside the answer.
        evidence: the proof, or the failed attempt at one.
        proposal: what is proposed, None without one.
        usage: what the model's answers took.
        cost: what that costs, where prices are set; else 0.
        seconds: wall time of the run.
    """

    run: str
    status: Status
    message: str
    note: str = ""
    diff: str = ""
    answer: str = ""
    artifacts: tuple[Artifact, ...] = ()
    evidence: Evidence | None = None
    proposal: Proposal | None = None
    usage: Usage = Usage()
    cost: float = 0.0
    seconds: float = 0.0


Event = (
    RunStarted
    | Progress
    | SnapshotTaken
    | TestsRan
    | Triaged
    | Grouped
    | CauseTried
    | Recalled
    | Localised
    | PackagesAdded
    | ModelChosen
    | ModelText
    | ModelAnswered
    | StepTaken
    | RunEnded
)
