"""A model that says again what a recorded one said."""

from collections.abc import Sequence

from codeact.errors import ModelError
from codeact.models.base import Listener
from codeact.trajectory import Completion, Gap, Message, Sampling

UNBOUNDED = 1_000_000_000


class ReplayModel:
    """Gives recorded answers back, in order, whatever it is asked."""

    def __init__(
        self,
        recorded: Sequence[Completion],
        *,
        name: str = "replay",
        context: int = UNBOUNDED,
        schedule: Sequence[Sampling] | None = None,
        fills: bool = False,
    ) -> None:
        self.name = name
        self.context = context
        self.fills = fills
        self.schedule = tuple(schedule or (Sampling(samples=max(1, len(entry.answers))) for entry in recorded))
        self.sees = False
        self._recorded = tuple(recorded)
        self._next = 0

    async def sample(
        self,
        messages: Sequence[Message],  # noqa: ARG002 - what was said before does not matter
        sampling: Sampling,  # noqa: ARG002 - nor does how it is asked
        on_text: Listener | None = None,
    ) -> Completion:
        """The next recorded completion, with the usage it had then.

        Raises:
            ModelError: all were given.
        """
        completion = self._give_next()
        if on_text and completion.answers:
            on_text(completion.answers[0].text)
        return completion

    async def fill(self, gap: Gap, sampling: Sampling) -> Completion:  # noqa: ARG002 - as above
        """The next recorded completion; see `sample`."""
        return self._give_next()

    async def weigh(self, gap: Gap, text: str) -> Completion:  # noqa: ARG002 - as above
        """The next recorded completion; see `sample`."""
        return self._give_next()

    def _give_next(self) -> Completion:
        if self._next == len(self._recorded):
            raise ModelError(
                f"The replay went another way than the run: it asks for answer {self._next + 1}, and "
                f"{len(self._recorded)} were recorded."
            )
        completion = self._recorded[self._next]
        self._next += 1
        return completion
