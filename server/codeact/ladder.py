"""The ladder: the ways to mend a failing test, tried one after the other until one passes the check.

A small model is slow, and asking it twice repeats its mistake, so what needs no model comes first, and then what it is
best at: to fill in a statement that it does not see. A large model sees more than a template does, and keeps its
conversation to the end before edits are tried blindly.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from codeact.agent import Ending, work
from codeact.behaviour import Comparison
from codeact.errors import ModelError, ModelUnavailable
from codeact.events import Event, Localised, ModelAnswered, StepTaken
from codeact.facts import Facts
from codeact.fixing import Repair
from codeact.infill import Blank, choose, find_blanks, read_edits, show_gap
from codeact.lessons import Lesson
from codeact.models.base import Filler, Model, can_fill, is_small
from codeact.preference import rank, tell
from codeact.search import Candidate, Search, lessons_of, rank_edits
from codeact.settings import Rung
from codeact.trajectory import Completion, Message, Sampling, TestResult
from codeact.walk import Walk

SMALL = (Rung.EDITS, Rung.FILL, Rung.ANSWER, Rung.ANSWERS)
LARGE = (Rung.TALK, Rung.EDITS)
EDIT_SECONDS = 24.0  # of processor time that edits may take in a run
LEAST_SECONDS = 4.0  # of it for each further failing test
FILL_SECONDS = 8.0
FILLINGS = (Sampling(max_tokens=80), Sampling(samples=4, temperature=0.8, max_tokens=80))
MAX_NOTE = 1000  # characters of remarks, after which there are no more
MAX_DIVERSE = 5  # gaps that are filled in several ways


@dataclass
class Ladder:
    """All rungs for one run. Without a model, for the reason in `trouble`, edits are still tried.

    `lessons` are what earlier fixes have taught; `tried` has the ids of those by which edits were tried.
    """

    walk: Walk
    repair: Repair
    model: Model | None
    trouble: ModelUnavailable | None = None
    lessons: Sequence[Lesson] = ()
    tried: set[str] = field(default_factory=set)
    _found: Search = Search()
    _seconds: float = EDIT_SECONDS

    async def climb(self, target: TestResult) -> None:
        """Mend one failing test, unless mending another has mended it too."""
        if target in self.repair.mended:
            return
        self.walk.say(f"looking at {target.node_id}")
        facts = await self.repair.facts(target)
        self.walk.tell(Localised(target=target.node_id, suspects=facts.hottest()))
        self._found = Search()
        for rung in self._rungs():
            self.repair.rung = rung.value
            if await self._try(rung, facts):
                return
        self.repair.rung = Rung.EDITS.value
        if await self._take(self._found, facts, trusted=False):
            return
        self.walk.unsolved[target.node_id] = self.walk.why

    def _rungs(self) -> Sequence[Rung]:
        if self.model is None:
            return [Rung.EDITS]
        chosen = self.walk.settings.budget.ladder
        return tuple(map(Rung, chosen)) or (SMALL if is_small(self.model) else LARGE)

    async def _try(self, rung: Rung, facts: Facts) -> bool:
        if rung is Rung.EDITS or self.model is None:
            return await self._edit(facts)
        if rung is Rung.FILL:
            return can_fill(self.model) and await self._fill(self.model, facts)
        turns = {Rung.ANSWER: slice(0, 1), Rung.ANSWERS: slice(1, None), Rung.TALK: slice(None)}[rung]
        return await self._ask(self.model, facts, self.model.schedule[turns])

    async def _ask(self, model: Model, facts: Facts, schedule: Sequence[Sampling]) -> bool:
        """Let the model act. True if it mended the target."""
        if not schedule:
            return False
        self.walk.say(f"asking {model.name}")
        assignment = self.repair.assignment(facts, compact=is_small(model))
        outcome = await work(
            assignment, model, self.repair.sandbox, self.walk.settings.budget, self._tell, schedule, self.walk.usage
        )
        self.walk.usage += outcome.usage
        self.walk.why = outcome.ending
        if outcome.ending is Ending.SOLVED:
            return True
        await self.repair.take_back()
        return False

    async def _edit(self, facts: Facts) -> bool:
        """Try single edits without a model. True if one mended the target that is more than luck."""
        self.walk.say("trying single edits")
        edits = rank_edits(facts, self.repair.sources(facts), self.lessons)
        self._found = await self.repair.search(facts, edits, seconds=self._seconds)
        self._seconds = LEAST_SECONDS
        self.tried |= lessons_of(edits[: self._found.tried], self.lessons)
        self.walk.why = f"{self._found.tried} single edits tried without a model, none passes"
        return await self._take(self._found, facts, trusted=True)

    async def _fill(self, model: Filler, facts: Facts) -> bool:
        """Have the model fill in suspicious statements, each once, then the hottest in several ways."""
        sources = self.repair.sources(facts)
        blanks = find_blanks(facts, sources)
        for sampling in FILLINGS:
            chosen = blanks if sampling.samples == 1 else blanks[:MAX_DIVERSE]
            for number, blank in enumerate(chosen, 1):
                if self.walk.settings.budget.is_spent(self.walk.usage):
                    self.walk.why = Ending.OUT_OF_MONEY
                    return False
                self.walk.say(f"having line {blank.line} of {blank.definition.path} filled in ({number}/{len(chosen)})")
                try:
                    completion = self._record(blank, await model.fill(blank.gap, sampling), sampling)
                except ModelError as trouble:  # an endpoint may have such a model, and no way to ask it so
                    self.walk.why = str(trouble)
                    return False
                edits = read_edits(blank, completion, sources[blank.definition.path])
                found = await self.repair.search(facts, edits, seconds=FILL_SECONDS) if edits else Search()
                if await self._take(found, facts, trusted=True) or await self._take(found, facts, trusted=False):
                    return True
        self.walk.why = f"{len(blanks)} statements left out for the model to fill in, to no avail"
        return False

    def _record(self, blank: Blank, completion: Completion, sampling: Sampling, text: str = "") -> Completion:
        """Journal what the model was asked about a gap, and what it answered."""
        self.walk.usage += completion.usage
        asked = show_gap(blank.gap) + (f"\n\nHow likely is it that this belongs there: {text}" if text else "")
        self.walk.tell(ModelAnswered(kept=0, added=(Message("user", asked),), sampling=sampling, completion=completion))
        return completion

    async def _take(self, found: Search, facts: Facts, *, trusted: bool) -> bool:
        """Make one of the edits that were found: of several, what they do decides first, then the model."""
        candidates = [candidate for candidate in found.candidates if candidate.trusted == trusted]
        compared = await self._compare(candidates, facts)
        for tier in rank(candidates, compared):
            for candidate in await self._weigh(tier, facts):
                told = tell(candidate, candidates, compared)
                thought = _explain(candidate, candidates, found.tried)
                if step := await self.repair.take(candidate, facts, f"{thought} {told}".rstrip()):
                    self._tell(StepTaken(step=step))
                    self._remark(facts, told)
                    return True
        return False

    def _remark(self, facts: Facts, told: str) -> None:
        """Have the proposal say how one of several edits was chosen, for as many failing tests as there is room."""
        if told and len(self.walk.note) < MAX_NOTE:
            self.walk.remark(f"{facts.target.node_id}: {told}" if len(self.repair.targets()) > 1 else told)

    async def _compare(self, candidates: Sequence[Candidate], facts: Facts) -> Comparison | None:
        if len(candidates) <= 1:
            return None
        self.walk.say(f"{len(candidates)} edits pass: comparing what they do")
        return await self.repair.compare(candidates, facts)

    async def _weigh(self, candidates: Sequence[Candidate], facts: Facts) -> Sequence[Candidate]:
        """Have the model say which edits are the likeliest, if it can."""
        if can_fill(self.model) and len(candidates) > 1:
            self.walk.say(f"{len(candidates)} edits pass: asking which is the likeliest")
            with suppress(ModelError):  # as above
                return await choose(self.model, candidates, facts, self.repair.sources(facts), self._record)
        return candidates

    def _tell(self, event: Event) -> None:
        """Pass an event on; a step says which rung it was on."""
        if isinstance(event, StepTaken):
            event = StepTaken(step=replace(event.step, rung=self.repair.rung))
        self.walk.tell(event)


def _explain(candidate: Candidate, candidates: Sequence[Candidate], tried: int) -> str:
    """Why an edit is made."""
    others = "; ".join(other.edit.what for other in candidates if other is not candidate)
    thought = f"Of {tried} single edits that were tried, this one passes: {candidate.edit.what}."
    return thought + (f" Less likely, but passing too: {others}." if others else "")
