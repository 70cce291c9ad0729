"""A model that somebody else asks for us: the editor, with the models that its user already has there."""

import time
from collections.abc import Awaitable, Callable, Sequence

from codeact.models.base import Listener
from codeact.trajectory import Answer, Completion, Message, Sampling, Usage

Ask = Callable[[Sequence[Message], Sampling, Listener], Awaitable[tuple[str, bool]]]
CONTEXT = 64_000
CHARACTERS = 4  # in a token, about
SCHEDULE = (Sampling(temperature=0.0, max_tokens=8192), *[Sampling(temperature=0.4, max_tokens=8192)] * 31)


class RelayedModel:
    """Asks through a function that returns an answer's text, and whether it was cut off."""

    def __init__(self, name: str, ask: Ask) -> None:
        self.name = name
        self.context = CONTEXT
        self.schedule = SCHEDULE
        self.sees = False
        self._ask = ask

    async def sample(
        self, messages: Sequence[Message], sampling: Sampling, on_text: Listener | None = None
    ) -> Completion:
        """Ask for answers to a conversation; see `Model`. Tokens are estimated, since nobody counts them."""
        start = time.monotonic()
        answers = []
        for number in range(sampling.samples):
            listener = on_text if on_text and number == 0 else _ignore
            text, cut = await self._ask(messages, sampling, listener)
            answers.append(Answer(text, cut=cut))
        usage = Usage(
            model_calls=sampling.samples,
            prompt_tokens=sampling.samples * sum(len(message.content) for message in messages) // CHARACTERS,
            completion_tokens=sum(len(answer.text) for answer in answers) // CHARACTERS,
            seconds=time.monotonic() - start,
        )
        return Completion(tuple(answers), usage)


def _ignore(_: str) -> None:
    return
