"""Think, act, observe.

The core of CodeAct, after "Executable Code Actions Elicit Better LLM Agents" (Wang et al., 2024): what the model wants
done it says in Python, which runs in a sandbox, and what came of it is the next thing it reads. This file knows a
Model, a Sandbox, and a `check` that tells whether the work is done; nothing of tests, editors or containers.

A small model is asked for several answers at once. Each is tried from a clean view, the first that passes wins, and
otherwise the conversation goes on from the best.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from codeact.answers import parse_answer
from codeact.events import Event, ModelAnswered, ModelText, StepTaken
from codeact.models.base import Model
from codeact.sandboxes.base import Sandbox
from codeact.settings import Budget
from codeact.trajectory import Action, Artifact, Completion, Message, Observation, Sampling, Step, TestReport, Usage

MAX_EMPTY_TURNS = 2
MAX_PICTURES = 3


class Ending(StrEnum):
    """Why the loop ended."""

    SOLVED = "the check passed"
    ANSWERED = "the model gave its final answer"
    OUT_OF_STEPS = "the step limit was reached"
    OUT_OF_TOKENS = "the token budget was used up"
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
        retell: begun anew, the conversation ends with what was wrong with the last attempt, which itself is left out:
            a small model that sees its mistake repeats it.
        conclude: the answer that steps amount to without any words of the model; empty to go on.
    """

    brief: tuple[Message, ...]
    interpret: Callable[[str], str]
    describe: Callable[[Sequence[Observation]], str]
    restart: Callable[[], Awaitable[None]]
    check: Callable[[], Awaitable[Verdict]] | None = None
    nudge: str = ""
    objection: Callable[[str], str] = lambda _: ""
    conclude: Callable[[Sequence[Step]], str] = lambda _: ""
    retell: bool = False


@dataclass(frozen=True)
class Outcome:
    """How the loop ended, with the model's final words and what all its answers cost."""

    ending: Ending
    answer: str = ""
    usage: Usage = Usage()


@dataclass(frozen=True)
class Attempt:
    """One answer, what its actions brought, and how near it came."""

    answer: str
    steps: tuple[Step, ...]
    verdict: Verdict
    finished: str | None = None


async def work(
    assignment: Assignment,
    model: Model,
    sandbox: Sandbox,
    budget: Budget,
    tell: Callable[[Event], None],
    schedule: Sequence[Sampling] | None = None,
) -> Outcome:
    """Let the model act until the check passes, it says that it is done, or the budget is used up.

    Args:
        assignment: what is to be done.
        model: whom to ask.
        sandbox: where its actions run.
        budget: when to give up.
        tell: hears of every step.
        schedule: how to ask on each turn; the model's own by default.

    Raises:
        ModelError: the model cannot be asked any more.
        SandboxDied: the sandbox is gone.
    """
    turns = (model.schedule if schedule is None else schedule)[: budget.max_steps]
    return await _Loop(assignment, model, sandbox, budget, tell, turns).run()


@dataclass
class _Loop:
    """One conversation, its budget, and what has been tried in it."""

    assignment: Assignment
    model: Model
    sandbox: Sandbox
    budget: Budget
    tell: Callable[[Event], None]
    turns: Sequence[Sampling]
    messages: list[Message] = field(default_factory=list)
    recorded: list[Message] = field(default_factory=list)
    tried: set[tuple[str, ...]] = field(default_factory=set)
    usage: Usage = Usage()
    steps: int = 0
    nudged: bool = False
    objected: bool = False
    wrong: str = ""

    async def run(self) -> Outcome:
        self.messages = list(self.assignment.brief)
        empty, ending = 0, Ending.OUT_OF_STEPS
        for sampling in self.turns:
            if self.usage.prompt_tokens + self.usage.completion_tokens >= self.budget.max_tokens:
                return self._end(Ending.OUT_OF_TOKENS)
            completion = await self._think(sampling)
            attempts = await self._try_answers(completion, sampling)
            best = max(attempts, key=lambda attempt: attempt.verdict.score, default=None)
            if best is None:
                ending = Ending.REPEATED
                continue
            if best.verdict.passed:
                return self._end(Ending.SOLVED, best.answer)
            if best.finished is not None and self.assignment.check is None:
                return self._end(Ending.ANSWERED, best.finished)
            empty = 0 if best.steps else empty + 1
            if empty > MAX_EMPTY_TURNS:
                return self._end(Ending.EMPTY, best.answer)
            ending = Ending.OUT_OF_STEPS
            await self._go_on_from(best, attempts)
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
        """Try each answer that was not tried before, up to the first that passes."""
        attempts: list[Attempt] = []
        for answer in completion.answers:
            attempt = await self._try_answer(answer.text, afresh=sampling.afresh or len(completion.answers) > 1)
            if attempt is None:
                continue
            attempts.append(attempt)
            if attempt.verdict.passed:
                break
        return attempts

    async def _try_answer(self, text: str, *, afresh: bool) -> Attempt | None:
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
            return None
        self.tried.add(codes)
        return await self._act(text, parsed.thought, codes, afresh=afresh)

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
        finished = steps[-1].observation.finished
        if finished is None:
            finished = self.assignment.conclude(steps) or None
        return Attempt(text, tuple(steps), verdict, finished)

    async def _go_on_from(self, best: Attempt, attempts: Sequence[Attempt]) -> None:
        """Continue the conversation, and the view, after the best attempt of this turn."""
        if best is not attempts[-1]:
            await self.assignment.restart()
            for step in best.steps:
                await self.sandbox.execute(step.action)
        seen = self.assignment.describe([step.observation for step in best.steps]) if best.steps else ""
        words = "\n\n".join(part for part in (seen, best.verdict.text) if part)
        self.wrong = words
        pictures = _pictures(best.steps) if self.model.sees else ()
        self.messages += [Message("assistant", best.answer), Message("user", words, pictures)]

    def _end(self, ending: Ending, answer: str = "") -> Outcome:
        return Outcome(ending, answer, self.usage)


def _pictures(steps: Sequence[Step]) -> tuple[Artifact, ...]:
    """The last pictures that steps have shown."""
    shown = [made for step in steps for made in step.observation.artifacts if made.media_type == "image/png"]
    return tuple(shown[-MAX_PICTURES:])


def _common_length(before: Sequence[Message], after: Sequence[Message]) -> int:
    length = 0
    for one, other in zip(before, after, strict=False):
        if one != other:
            break
        length += 1
    return length
