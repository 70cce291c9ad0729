"""Think, act, observe.

The core of CodeAct, after "Executable Code Actions Elicit Better LLM Agents" (Wang et al., 2024): what the model wants
done it says in Python, which runs in a sandbox, and what came of it is the next thing it reads. This file knows a
Model, a Sandbox, and a `check` that tells whether the work is done; nothing of tests, editors or containers.

A small model is asked for several answers at once. Each is tried from a clean view, the first that passes wins, and
otherwise the conversation goes on from the best. Where no test tells what is right, a panel of further answers can be
heard, and what most of them amount to counts, after "Self-Consistency Improves Chain of Thought Reasoning in Language
Models" (Wang et al., 2023).
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum

from codeact.answers import parse_answer
from codeact.errors import ModelError
from codeact.events import Event, ModelAnswered, ModelText, StepTaken
from codeact.models.base import Model
from codeact.sandboxes.base import Sandbox
from codeact.settings import Budget
from codeact.trajectory import Action, Artifact, Completion, Message, Observation, Sampling, Step, TestReport, Usage

MAX_EMPTY_TURNS = 2
NOTHING = Usage()
MAX_PICTURES = 3
LEAD = 2  # votes that one answer has to be ahead by, where they vote, or else more are asked for
MAX_PANELS = 2


class Ending(StrEnum):
    """Why the loop ended."""

    SOLVED = "the check passed"
    ANSWERED = "the model gave its final answer"
    OUT_OF_STEPS = "the step limit was reached"
    OUT_OF_TOKENS = "the token budget was used up"
    OUT_OF_MONEY = "the money that the model may cost was used up"
    REPEATED = "the model only repeated what had failed before"
    EMPTY = "the model gave no code to run"


@dataclass(frozen=True)
class Verdict:
    """What the check says of the view as it is now.

    Attributes:
        passed: the work is done.
        score: higher is nearer; compares candidates of one turn.
        text: what the model reads about it.
        report: the test run behind it, if there was one.
    """

    passed: bool
    score: float = 0.0
    text: str = ""
    report: TestReport | None = None


@dataclass(frozen=True)
class Assignment:
    """What the agent is to do.

    Attributes:
        brief: the messages that begin every conversation.
        interpret: turns a block of the model's code into the code of an action.
        describe: puts what came of the actions of one answer into words for the model.
        restart: puts the view back to where the assignment began.
        check: judges the view after each answer; None when the model itself says that it is done.
        nudge: what the model reads when an answer has no code though it should.
        objection: what is wrong with the model's final words, told to it once; empty if nothing is.
        retell: begun anew, the conversation ends with what was wrong with the last attempt, which is left out
            itself: a small model that sees its mistake repeats it.
        conclude: the answer that steps amount to without any words of the model, empty to go on; None if it has the
            last word.
        panel: how to ask for further answers once there is one, so that the most frequent can be chosen; None if the
            first one counts.
        essence: what steps have brought, such that attempts which brought the same are equal; awaited right after
            each attempt that ends the work.
    """

    brief: tuple[Message, ...]
    interpret: Callable[[str], str]
    describe: Callable[[Sequence[Observation]], str]
    restart: Callable[[], Awaitable[None]]
    check: Callable[[], Awaitable[Verdict]] | None = None
    nudge: str = ""
    objection: Callable[[str], str] = lambda _: ""
    conclude: Callable[[Sequence[Step]], Awaitable[str]] | None = None
    retell: bool = False
    panel: Sampling | None = None
    essence: Callable[[Sequence[Step]], Awaitable[str]] | None = None


@dataclass(frozen=True)
class Outcome:
    """How the loop ended, with the model's final words and what all its answers cost.

    Attributes:
        ending: why it ended.
        answer: the final words.
        usage: what it cost.
        votes: of a panel, the answers that brought what was chosen.
        heard: all answers of it that ended the work; 0 where none was asked.
    """

    ending: Ending
    answer: str = ""
    usage: Usage = Usage()
    votes: int = 0
    heard: int = 0


@dataclass(frozen=True)
class Attempt:
    """One answer, what its actions brought, how near it came, and what it amounts to."""

    answer: str
    steps: tuple[Step, ...]
    verdict: Verdict
    finished: str | None = None
    essence: str = ""

    @property
    def ends(self) -> bool:
        """Whether the work is done with it."""
        return self.verdict.passed or self.finished is not None


async def work(
    assignment: Assignment,
    model: Model,
    sandbox: Sandbox,
    budget: Budget,
    tell: Callable[[Event], None],
    schedule: Sequence[Sampling] | None = None,
    spent: Usage = NOTHING,
) -> Outcome:
    """Let the model act until the check passes, it says that it is done, or the budget is used up.

    Args:
        assignment: what is to be done.
        model: whom to ask.
        sandbox: where its actions run.
        budget: when to give up.
        tell: hears of every step.
        schedule: how to ask on each turn; the model's own by default.
        spent: what the run has cost before.

    Raises:
        ModelError: the model cannot be asked any more.
        SandboxDied: the sandbox is gone.
    """
    turns = (model.schedule if schedule is None else schedule)[: budget.max_steps]
    return await _Loop(assignment, model, sandbox, budget, tell, turns, spent).run()


@dataclass
class _Loop:
    """One conversation, its budget, and what has been tried in it."""

    assignment: Assignment
    model: Model
    sandbox: Sandbox
    budget: Budget
    tell: Callable[[Event], None]
    turns: Sequence[Sampling]
    spent: Usage
    messages: list[Message] = field(default_factory=list)
    recorded: list[Message] = field(default_factory=list)
    tried: dict[tuple[str, ...], Attempt] = field(default_factory=dict)
    latest: Attempt | None = None
    usage: Usage = Usage()
    steps: int = 0
    nudged: bool = False
    objected: bool = False
    wrong: str = ""
    votes: int = 0
    heard: int = 0

    async def run(self) -> Outcome:
        self.messages = list(self.assignment.brief)
        empty, ending = 0, Ending.OUT_OF_STEPS
        for sampling in self.turns:
            if self.usage.prompt_tokens + self.usage.completion_tokens >= self.budget.max_tokens:
                return self._end(Ending.OUT_OF_TOKENS)
            if self.budget.is_spent(self.spent + self.usage):
                return self._end(Ending.OUT_OF_MONEY)
            completion = await self._think(sampling)
            attempts = await self._try_answers(completion, sampling)
            best = max(attempts, key=lambda attempt: attempt.verdict.score, default=None)
            if best is None:
                ending = Ending.REPEATED
                continue
            if ended := [attempt for attempt in attempts if attempt.ends]:
                best = await self._choose(ended)
                ending = Ending.SOLVED if best.verdict.passed else Ending.ANSWERED
                return self._end(ending, best.answer if best.finished is None else best.finished)
            empty = 0 if best.steps else empty + 1
            if empty > MAX_EMPTY_TURNS:
                return self._end(Ending.EMPTY, best.answer)
            ending = Ending.OUT_OF_STEPS
            await self._go_on_from(best)
        return self._end(ending)

    async def _think(self, sampling: Sampling) -> Completion:
        if sampling.afresh:
            self.messages = self._begin_anew()
        completion = await self.model.sample(self.messages, sampling, lambda text: self.tell(ModelText(text=text)))
        kept = _common_length(self.recorded, self.messages)
        added = tuple(self.messages[kept:])
        self.recorded = list(self.messages)
        self.usage += completion.usage
        self.tell(ModelAnswered(kept=kept, added=added, sampling=sampling, completion=completion))
        return completion

    def _begin_anew(self) -> list[Message]:
        *first, last = self.assignment.brief
        if not (self.assignment.retell and self.wrong):
            return [*first, last]
        return [*first, Message(last.role, f"{last.content}\n\nMind what went wrong before:\n{self.wrong}")]

    async def _try_answers(self, completion: Completion, sampling: Sampling) -> list[Attempt]:
        """Try each answer that was not tried before, up to the first that passes; all of them where they vote."""
        attempts: list[Attempt] = []
        votes = self.assignment.panel is not None
        for answer in completion.answers:
            afresh = sampling.afresh or len(completion.answers) > 1
            attempt = await self._try_answer(answer.text, afresh=afresh, again=votes)
            if attempt is None:
                continue
            attempts.append(attempt)
            if attempt.verdict.passed and not votes:
                break
        return attempts

    async def _choose(self, ended: Sequence[Attempt]) -> Attempt:
        """Of the attempts that end the work, the earliest that brings what most of them bring; asks on for a quorum."""
        attempts, sampling = list(ended), self.assignment.panel
        if sampling is None or not attempts[0].steps:
            return attempts[0]
        for _ in range(MAX_PANELS):
            if _is_clear(attempts) or self.budget.is_spent(self.spent + self.usage):
                break
            self.wrong = ""  # nobody on the panel knows what the others said
            with suppress(ModelError):  # one answer is better than none
                for answer in (await self._think(sampling)).answers:
                    attempt = await self._try_answer(answer.text, afresh=True, again=True)
                    attempts += [attempt] if attempt and attempt.ends else []
        votes = Counter(attempt.essence for attempt in attempts)
        chosen = max(attempts, key=lambda attempt: votes[attempt.essence])  # the earliest of equals
        self.votes, self.heard = votes[chosen.essence], len(attempts)
        if chosen is self.latest:
            return chosen
        thought = f"{self.votes} of {self.heard} answers bring this."
        codes = tuple(step.action.code for step in chosen.steps)
        redone = await self._act(chosen.answer, thought, codes, afresh=True)
        return redone if redone.ends else chosen

    async def _try_answer(self, text: str, *, afresh: bool, again: bool = False) -> Attempt | None:
        """What comes of an answer; of one that was tried before, None, or with `again` what came of it then."""
        parsed = parse_answer(text)
        if not parsed.blocks:
            # Words alone are an answer where the model decides, but not before it has looked, or was told to.
            is_answer = self.assignment.check is None and (self.steps > 0 or self.nudged)
            objection = self.assignment.objection(text) if is_answer and not self.objected else ""
            self.nudged = True
            self.objected = self.objected or bool(objection)
            verdict = Verdict(passed=False, score=-1.0, text=objection or self.assignment.nudge)
            return Attempt(text, (), verdict, text if is_answer and not objection else None)
        codes = tuple(self.assignment.interpret(block) for block in parsed.blocks)
        if afresh and codes in self.tried:
            return self.tried[codes] if again else None
        self.tried[codes] = await self._act(text, parsed.thought, codes, afresh=afresh)
        return self.tried[codes]

    async def _act(self, text: str, thought: str, codes: Sequence[str], *, afresh: bool) -> Attempt:
        if afresh:
            await self.assignment.restart()
        steps: list[Step] = []
        for code in codes:
            if steps:
                self.tell(StepTaken(step=steps[-1]))
            action = Action(code)
            observation = await self.sandbox.execute(action)
            self.steps += 1
            steps.append(
                Step(
                    number=self.steps,
                    thought=thought,
                    action=action,
                    observation=observation,
                    afresh=afresh and not steps,
                )
            )
            thought = ""
            if observation.failure or observation.finished is not None:
                break
        verdict = await self.assignment.check() if self.assignment.check else Verdict(passed=False)
        steps[-1] = replace(steps[-1], observation=replace(steps[-1].observation, tests=verdict.report))
        self.tell(StepTaken(step=steps[-1]))
        finished = None
        if self.assignment.check is None:
            finished = steps[-1].observation.finished
            if finished is None and self.assignment.conclude:
                finished = await self.assignment.conclude(steps) or None
        attempt = Attempt(text, tuple(steps), verdict, finished)
        if self.assignment.essence and attempt.ends:
            attempt = replace(attempt, essence=await self.assignment.essence(steps))
        self.latest = attempt
        return attempt

    async def _go_on_from(self, best: Attempt) -> None:
        """Continue the conversation, and the view, after the best attempt of this turn."""
        if best.steps and best is not self.latest:
            await self.assignment.restart()
            for step in best.steps:
                await self.sandbox.execute(step.action)
        seen = self.assignment.describe([step.observation for step in best.steps]) if best.steps else ""
        words = "\n\n".join(part for part in (seen, best.verdict.text) if part)
        self.wrong = words
        pictures = _pictures(best.steps) if self.model.sees else ()
        self.messages += [Message("assistant", best.answer), Message("user", words, pictures)]

    def _end(self, ending: Ending, answer: str = "") -> Outcome:
        return Outcome(ending, answer, self.usage, self.votes, self.heard)


def _pictures(steps: Sequence[Step]) -> tuple[Artifact, ...]:
    """The last pictures that steps have shown."""
    shown = [made for step in steps for made in step.observation.artifacts if made.media_type == "image/png"]
    return tuple(shown[-MAX_PICTURES:])


def _is_clear(attempts: Sequence[Attempt]) -> bool:
    """Whether more attempts amount to one thing than to any other, by enough."""
    (_, most), *others = Counter(attempt.essence for attempt in attempts).most_common(2)
    return most >= LEAD + sum(count for _, count in others)


def _common_length(before: Sequence[Message], after: Sequence[Message]) -> int:
    length = 0
    for one, other in zip(before, after, strict=False):
        if one != other:
            break
        length += 1
    return length
