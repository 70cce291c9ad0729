"""The ladder: the ways to mend a failing test, tried one after the other until one passes the check.

A small model is slow, and asking it twice repeats its mistake, so what needs no model comes first. A large model sees
more than a template does, and keeps its conversation to the end before edits are tried blindly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from codeact.agent import Ending, work
from codeact.errors import ModelUnavailable
from codeact.events import Localised, StepTaken
from codeact.facts import Facts
from codeact.fixing import Repair
from codeact.models.base import Model, is_small
from codeact.search import Search
from codeact.settings import Rung
from codeact.trajectory import Sampling, TestResult
from codeact.walk import Walk

SMALL = (Rung.EDITS, Rung.ANSWER, Rung.ANSWERS)
LARGE = (Rung.TALK, Rung.EDITS)


@dataclass
class Ladder:
    """All rungs for one run. Without a model, for the reason in `trouble`, edits are still tried."""

    walk: Walk
    repair: Repair
    model: Model | None
    trouble: ModelUnavailable | None = None
    _found: Search = Search(0, ())

    async def climb(self, target: TestResult) -> None:
        """Mend one failing test, unless mending another has mended it too."""
        if target in self.repair.mended:
            return
        self.walk.say(f"looking at {target.node_id}")
        facts = await self.repair.facts(target)
        self.walk.tell(Localised(target=target.node_id, suspects=facts.hottest()))
        self._found = Search(0, ())
        for rung in self._rungs():
            if await self._try(rung, facts):
                return
        if await self._take(facts, trusted=False):
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
        turns = {Rung.ANSWER: slice(0, 1), Rung.ANSWERS: slice(1, None), Rung.TALK: slice(None)}[rung]
        return await self._ask(self.model, facts, self.model.schedule[turns])

    async def _ask(self, model: Model, facts: Facts, schedule: Sequence[Sampling]) -> bool:
        """Let the model act. True if it mended the target."""
        if not schedule:
            return False
        self.walk.say(f"asking {model.name}")
        assignment = self.repair.assignment(facts, compact=is_small(model))
        outcome = await work(
            assignment, model, self.repair.sandbox, self.walk.settings.budget, self.walk.tell, schedule
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
        self._found = await self.repair.search(facts)
        return await self._take(facts, trusted=True)

    async def _take(self, facts: Facts, *, trusted: bool) -> bool:
        """Make one of the edits that were found."""
        for candidate in self._found.candidates:
            if candidate.trusted == trusted and (step := await self.repair.take(candidate, facts, self._found.tried)):
                self.walk.tell(StepTaken(step=step))
                return True
        self.walk.why = f"{self._found.tried} single edits tried without a model, none passes"
        return False
