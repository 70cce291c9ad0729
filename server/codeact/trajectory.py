"""The values of a run: what was asked, said, done and seen.

Plain frozen data without behaviour beyond reading itself. Paths in these values are relative to the workspace, with
`/` between parts; bytes of a file name that are not UTF-8 are kept by `surrogateescape`. Times are in seconds.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class TaskKind(StrEnum):
    """What kind of thing was asked."""

    FIX = "fix"
    ASK = "ask"
    SCRIPT = "script"


@dataclass(frozen=True, kw_only=True)
class Task:
    """What was asked.

    Attributes:
        kind: which kind of task.
        instruction: the developer's words; may be empty for `fix`.
        tests: node ids or paths of the tests to fix; empty means every test that fails.
        follows: id of the run that a follow-up question goes on from; empty if it stands alone.
        script: path and arguments of a kept script to run again; empty if one is to be written.
        shown: what the developer has selected in the editor, in words for the model; may be empty.
    """

    kind: TaskKind
    instruction: str = ""
    tests: tuple[str, ...] = ()
    follows: str = ""
    script: tuple[str, ...] = ()
    shown: str = ""


@dataclass(frozen=True)
class Artifact:
    """A picture, table or file that an action made."""

    name: str
    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Message:
    """One turn of the conversation with a model; `pictures` go to models that can see."""

    role: Literal["system", "user", "assistant"]
    content: str
    pictures: tuple[Artifact, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a model's answers cost; `seconds` is time spent waiting for the model."""

    model_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        """Sum of two usages."""
        return Usage(
            model_calls=self.model_calls + other.model_calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            seconds=self.seconds + other.seconds,
        )


@dataclass(frozen=True)
class Gap:
    """A place in a text for a model to fill in: what stands before it, and what after."""

    before: str
    after: str


@dataclass(frozen=True)
class Answer:
    """One answer of a model. `cut` is true when it ran into the token limit."""

    text: str
    cut: bool = False


@dataclass(frozen=True)
class Completion:
    """What one request to a model brought: one answer per sample, and its price."""

    answers: tuple[Answer, ...]
    usage: Usage


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How to ask a model.

    Attributes:
        samples: how many answers.
        temperature: how diverse they are; 0 is the likeliest words only.
        max_tokens: bound on the length of each answer.
        afresh: ask the first question again, without the failed attempts since, which draw a small model back to them.
        stop: texts at which an answer ends; they are not part of it.
        opening: how the answer begins, for a model that goes on from there; it is part of the answer.
    """

    samples: int = 1
    temperature: float = 0.0
    max_tokens: int = 4096
    afresh: bool = False
    stop: tuple[str, ...] = ()
    opening: str = ""


@dataclass(frozen=True)
class Action:
    """Python that the model wants run; `timeout` is its wall time."""

    code: str
    timeout: float = 60.0


@dataclass(frozen=True)
class Failure:
    """An exception that ended an action."""

    type: str
    message: str
    traceback: str


class Outcome(StrEnum):
    """How one test ended. `TIMEOUT`, `CRASHED` and `ERROR` (setup, teardown, collection) count as failing."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"
    TIMEOUT = "timeout"
    CRASHED = "crashed"


FAILING = frozenset({Outcome.FAILED, Outcome.ERROR, Outcome.TIMEOUT, Outcome.CRASHED})


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One place in the workspace that a traceback or a trace goes through, outermost first.

    Attributes:
        path: the file.
        line: 1-based line: of the call in a traceback, of the definition in a trace.
        function: name of the function as Python calls it.
        values: local variables and their shortened `repr`, where known.
    """

    path: str
    line: int
    function: str
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class TestResult:
    """How one test ended, and why.

    Attributes:
        node_id: pytest's node id; for a file that could not be collected, the file's path.
        outcome: how it ended.
        seconds: duration of setup, call and teardown.
        message: the exception in one line ("AssertionError: assert 3 == 4"), or the reason of a skip.
        traceback: pytest's long representation, bounded.
        frames: the traceback's places inside the workspace.
        called: the workspace's functions that the test ran, in order of first call; only when traced.
    """

    __test__ = False

    node_id: str
    outcome: Outcome
    seconds: float = 0.0
    message: str = ""
    traceback: str = ""
    frames: tuple[Frame, ...] = ()
    called: tuple[Frame, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TestReport:
    """What one run of the test command gave.

    Attributes:
        command: the command line that was run.
        results: one result for each test that was collected or could not be, in order.
        exit_code: of the test command; negative when a signal ended it.
        seconds: wall time.
        problem: empty, or one sentence why this is not an ordinary report (pytest missing, usage error, timeout).
        output: the end of what the command printed.
    """

    __test__ = False

    command: tuple[str, ...]
    results: tuple[TestResult, ...] = ()
    exit_code: int = 0
    seconds: float = 0.0
    problem: str = ""
    output: str = ""

    @property
    def failing(self) -> tuple[TestResult, ...]:
        """The results that count as failing."""
        return tuple(result for result in self.results if result.outcome in FAILING)

    def count(self, *outcomes: Outcome) -> int:
        """How many results have one of these outcomes."""
        return sum(result.outcome in outcomes for result in self.results)


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What came of running one action. `value` is the `repr` of a last expression, empty for None.

    `stdout` and `stderr` are bounded: head and tail are kept and the gap is marked in the text.
    `finished` is what the action passed to `finish()`, None if it did not call it.
    """

    stdout: str = ""
    stderr: str = ""
    value: str = ""
    failure: Failure | None = None
    timed_out: bool = False
    seconds: float = 0.0
    artifacts: tuple[Artifact, ...] = ()
    finished: str | None = None
    tests: TestReport | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thought, the action it led to, and what was observed.

    `afresh` tells that the view was put back to the snapshot before the action, as for each of several candidates;
    `rung` is the way to a fix that it is a step on, if it is one (see `settings.Rung`).
    """

    number: int
    thought: str
    action: Action
    observation: Observation
    afresh: bool = False
    rung: str = ""


@dataclass(frozen=True)
class FileState:
    """A file's content and git mode: 100644, 100755, or 120000 (a symlink, whose content is its target)."""

    content: bytes = field(repr=False)
    mode: str = "100644"


@dataclass(frozen=True)
class FileChange:
    """One file before and after; None where it does not exist."""

    path: str
    before: FileState | None
    after: FileState | None


@dataclass(frozen=True)
class Rejected:
    """Something in the view, or in the workspace, that was not taken over, and why."""

    path: str
    reason: str
