"""What the core knows of a model."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeGuard, runtime_checkable

from codeact.trajectory import Completion, Gap, Message, Sampling

Listener = Callable[[str], None]


SMALL_CONTEXT = 16_384
SMALL_BILLIONS = 4.0
# "qwen2.5-coder:1.5b", "SmolLM2-135M-Instruct", "Llama-3.2-3B": how many parameters, as names tell it.
PARAMETERS = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)([bm])(?![a-z0-9])", re.IGNORECASE)


class Model(Protocol):
    """A conversation partner.

    Attributes:
        name: what the journal and the user see, e.g. `local:qwen2.5-coder-1.5b` or `gpt-5`.
        context: tokens that prompt and answer may have together.
        schedule: how to ask on the first, second, ... turn; when it is used up, the agent gives up. A small model is
            asked for several diverse samples, since repeating it at temperature 0 repeats its mistake.
        sees: whether it takes pictures.
    """

    name: str
    context: int
    schedule: tuple[Sampling, ...]
    sees: bool

    async def sample(
        self, messages: Sequence[Message], sampling: Sampling, on_text: Listener | None = None
    ) -> Completion:
        """Ask for answers to a conversation.

        Args:
            messages: the conversation, system message first, user message last.
            sampling: how many answers, and how.
            on_text: called with each piece of the first answer as it arrives.

        Raises:
            ModelUnavailable: the endpoint does not answer, also after retries.
            ModelRefused: it answers that it will not (key, model name, quota).
            ContextTooLong: the conversation does not fit.
        """
        ...


@dataclass(frozen=True)
class GapForm:
    """A model, and how a gap is put to it: with `{before}` and `{after}`, between marks that it was trained with."""

    model: str
    text: str


@runtime_checkable
class Filler(Protocol):
    """A model that has also been trained to fill gaps in a text.

    Attributes:
        fills: whether it has.
    """

    fills: bool

    async def fill(self, gap: Gap, sampling: Sampling) -> Completion:
        """Ask what belongs into a gap. The answers are what is to stand there, and nothing else.

        Raises:
            ModelError: as for `Model.sample`.
        """
        ...

    async def weigh(self, gap: Gap, text: str) -> Completion:
        """Ask how likely a text is in a gap. The answer is the logarithm of its probability, as a decimal number.

        Raises:
            ModelError: as for `Model.sample`.
        """
        ...


def can_fill(model: object) -> TypeGuard[Filler]:
    """Whether a model fills gaps."""
    return isinstance(model, Filler) and model.fills


def is_small(model: Model) -> bool:
    """Whether a model does better with few words and several tries than with a long talk."""
    return model.context <= SMALL_CONTEXT or is_called_small(model.name)


def is_called_small(name: str) -> bool:
    """Whether a model's name tells that it has few parameters."""
    found = PARAMETERS.findall(name)
    sizes = [float(number) / (1 if unit in "bB" else 1000) for number, unit in found]
    return bool(sizes) and max(sizes) <= SMALL_BILLIONS
