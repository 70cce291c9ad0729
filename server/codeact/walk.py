"""What goes along on the whole walk of a task: who asked for what, who listens, what it has cost."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from codeact.events import Event, ModelChosen, Progress, Recalled, RunEnded, SnapshotTaken, Status, StepTaken
from codeact.evidence import Proposal
from codeact.journal import Journal
from codeact.lessons import Lesson, load_lessons
from codeact.models import open_model
from codeact.models.base import Model, can_fill
from codeact.models.replay import ReplayModel
from codeact.pool import Pool
from codeact.proposal import separate, unified_diff
from codeact.sandboxes import check_settings
from codeact.settings import Settings
from codeact.snapshot import Snapshot, keep, open_snapshot, take_snapshot
from codeact.trajectory import Artifact, Completion, Task, Usage

Listener = Callable[[Event], None]
Consent = Callable[[str], Awaitable[bool]]  # asks the developer a question


@dataclass(frozen=True)
class Recording:
    """What an earlier run started from and knew, whom it asked, what it was answered: enough to walk its way again."""

    tree: str
    model: ModelChosen
    completions: Sequence[Completion]
    packages: tuple[str, ...] = ()
    lessons: tuple[Lesson, ...] = ()


@dataclass
class Walk:
    """One task on its way: its settings, its journal, its listener, its price.

    `model` is whom to ask if that is not for the settings to say; `pool` is where sandboxes may be ready; `consent`
    asks the developer, if there is one; `about` is what is being worked on, told with each message of progress; `note`
    goes along with how it ends.
    """

    task: Task
    settings: Settings
    run: str
    journal: Journal
    on_event: Listener
    model: Model | None = None
    pool: Pool | None = None
    consent: Consent | None = None
    usage: Usage = Usage()
    steps: int = 0
    about: str = ""
    why: str = ""
    note: str = ""
    unsolved: dict[str, str] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def tell(self, event: Event) -> None:
        """Journal an event, and let the listener hear it; steps are numbered through the run."""
        if isinstance(event, StepTaken):
            self.steps += 1
            event = StepTaken(step=replace(event.step, number=self.steps))
        self.journal.record(event)
        self.on_event(event)

    def say(self, message: str) -> None:
        """Let the listener hear what is being done."""
        self.on_event(Progress(message=f"{self.about}: {message}" if self.about else message))

    def remark(self, text: str) -> None:
        """Let something go along with how the run ends."""
        self.note = f"{self.note} {text}".strip()

    def end(
        self,
        status: Status,
        message: str,
        proposal: Proposal | None = None,
        answer: str = "",
        artifacts: tuple[Artifact, ...] = (),
    ) -> RunEnded:
        """Tell how the run ended, and journal what it proposes."""
        if proposal and proposal.evidence:
            self.journal.append("evidence", proposal.evidence)
        if proposal and (proposal.patches or proposal.unproven):
            self.journal.append("proposal", proposal)
        shown = proposal and (proposal if proposal.patches else separate(proposal))
        ended = RunEnded(
            run=self.run,
            status=status,
            message=message,
            note=self.note,
            diff=unified_diff(shown) if shown else "",
            answer=answer,
            artifacts=artifacts,
            evidence=proposal.evidence if proposal else None,
            proposal=proposal,
            usage=self.usage,
            cost=self.settings.budget.cost(self.usage),
            seconds=time.monotonic() - self.began,
        )
        self.tell(ended)
        return ended


async def freeze(walk: Walk, buffers: Mapping[str, str], recorded: Recording | None) -> Snapshot:
    """Take the snapshot of the task, or open the one that an earlier run was made on."""
    check_settings(walk.settings)
    walk.say("taking a snapshot of the workspace")
    if recorded:
        snapshot = await asyncio.to_thread(open_snapshot, walk.settings, recorded.tree)
    else:
        snapshot = await asyncio.to_thread(take_snapshot, walk.settings, buffers)
    await asyncio.to_thread(keep, snapshot, walk.run)
    walk.tell(SnapshotTaken(tree=snapshot.tree, files=snapshot.files, left_out=snapshot.left_out))
    return snapshot


def recall_lessons(walk: Walk, recorded: Recording | None) -> tuple[Lesson, ...]:
    """What earlier fixes have taught, or had taught an earlier run when it began; the run says what."""
    lessons = recorded.lessons if recorded else load_lessons(walk.settings)
    if lessons:
        walk.tell(Recalled(lessons=lessons))
    return lessons


@asynccontextmanager
async def choose_model(walk: Walk, recorded: Recording | None) -> AsyncIterator[Model]:
    """The model to ask, or one that repeats what was answered; the run says which."""
    if recorded:
        asked = recorded.model
        model: Model = ReplayModel(
            recorded.completions, name=asked.name, context=asked.context, schedule=asked.schedule, fills=asked.fills
        )
        walk.tell(asked)
        yield model
        return
    async with AsyncExitStack() as stack:
        chosen = walk.model
        if chosen is None:
            chosen = await stack.enter_async_context(open_model(walk.settings, on_progress=walk.say))
        walk.tell(
            ModelChosen(
                name=chosen.name, context=chosen.context, schedule=tuple(chosen.schedule), fills=can_fill(chosen)
            )
        )
        yield chosen
