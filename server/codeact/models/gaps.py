"""Asking a model to fill a gap in a text, or how likely a text is there, without a conversation around it."""

import json
import math
import time
from collections.abc import Mapping
from typing import Any

import openai

from codeact.errors import ModelUnavailable
from codeact.models.base import GapForm
from codeact.models.reports import Endpoint, report, scrub
from codeact.models.trouble import translate
from codeact.settings import ModelSettings
from codeact.trajectory import Answer, Completion, Gap, Sampling, Usage

# Where a model that goes on after the gap has left it: another definition begins, or another file.
ENDS = ("\n\n\n", "\ndef ", "\nclass ", "\n@")


async def fill_gap(settings: ModelSettings, form: GapForm, gap: Gap, sampling: Sampling) -> Completion:
    """Ask what belongs into a gap; see `Filler.fill`."""
    body = {"n": sampling.samples, "max_tokens": sampling.max_tokens, "temperature": sampling.temperature}
    reply, seconds = await _complete(settings, form, gap, {**body, "stop": list(ENDS)})
    answers = tuple(Answer(choice.text, cut=choice.finish_reason == "length") for choice in reply.choices)
    return Completion(answers, _usage(reply, seconds, len(answers)))


async def weigh_text(settings: ModelSettings, form: GapForm, gap: Gap, text: str) -> Completion:
    """Ask how likely a text is in a gap; see `Filler.weigh`.

    A grammar leaves the model nothing else to say, and what it thinks of each token is in the reply.
    """
    grammar = f"root ::= {json.dumps(text, ensure_ascii=False)}"
    body = {"max_tokens": len(text) + 8, "temperature": 0.0, "logprobs": 1}
    reply, seconds = await _complete(settings, form, gap, {**body, "extra_body": {"grammar": grammar}})
    likelihood = _likelihood(reply.choices[0].model_dump() if reply.choices else {})
    return Completion((Answer(f"{likelihood:.3f}"),), _usage(reply, seconds, 1))


async def _complete(settings: ModelSettings, form: GapForm, gap: Gap, options: Mapping[str, Any]) -> tuple[Any, float]:
    """One request, and how long it took."""
    started = time.monotonic()
    prompt = form.text.format(before=gap.before, after=gap.after)
    key = settings.api_key.value if settings.api_key else "none"
    endpoint = Endpoint.parse(settings.base_url)
    http = openai.DefaultAsyncHttpxClient(trust_env=not endpoint.loopback)
    try:
        async with openai.AsyncOpenAI(
            base_url=endpoint.url, api_key=key, max_retries=0, timeout=settings.timeout, http_client=http
        ) as client:
            reply = await client.completions.create(model=form.model, prompt=prompt, **options)
            return reply, time.monotonic() - started
    except Exception as error:  # noqa: BLE001 - whatever the client raises may hold the key
        trouble = scrub(translate(error), settings)
    raise report(trouble, endpoint, form.model, settings, ())


def _usage(reply: Any, seconds: float, answers: int) -> Usage:  # noqa: ANN401 - of the client's own type
    """The price. The server counts the tokens of one answer only, whatever it gave."""
    usage = reply.usage
    return Usage(
        model_calls=1,
        prompt_tokens=usage.prompt_tokens if usage else 0,
        completion_tokens=(usage.completion_tokens if usage else 0) * answers,
        seconds=seconds,
    )


def _likelihood(choice: Mapping[str, Any]) -> float:
    """The logarithm of a text's probability, as a reply tells it.

    Raises:
        ModelUnavailable: it does not.
    """
    try:
        tokens = choice["logprobs"]["content"]
        return math.fsum(float(token["logprob"]) for token in tokens)
    except (KeyError, TypeError, ValueError):
        raise ModelUnavailable("The model's server does not tell how likely a text is.") from None
