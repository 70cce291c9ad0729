"""Any OpenAI-compatible endpoint: OpenAI, Azure's v1 address, OpenRouter, Ollama, vLLM, llama.cpp, LM Studio, ...

`sample` asks for answers, `_ask_adapting` learns what the endpoint does not accept, `_ask_with_retry` waits out what
passes, `_ask_once` makes one request. The client's own exceptions hold the request and so the key: none leaves
`_ask_once`, and whatever the endpoint says is quoted without the key.
"""

import asyncio
import json
import random
import time
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import openai

from codeact.errors import ModelError, ModelRefused
from codeact.models.base import GapForm, Listener, is_small
from codeact.models.embedded import SMALL_MODEL_SCHEDULE, find_gap
from codeact.models.gaps import fill_gap, weigh_text
from codeact.models.quirks import Body, Quirk, can_see, find_quirk, make_body
from codeact.models.replies import Reply, read_reply
from codeact.models.reports import DEFAULT_BASE_URL, Endpoint, report, scrub
from codeact.models.trouble import PASSING, Trouble, translate
from codeact.settings import ModelSettings, Secret
from codeact.trajectory import Answer, Completion, Gap, Message, Sampling, Usage

DEFAULT_CONTEXT = 128_000
# A large model makes good use of a long conversation: it is the budget of the run that ends it.
SCHEDULE = (Sampling(temperature=0.0, max_tokens=8192), *[Sampling(temperature=0.4, max_tokens=8192)] * 63)
CONNECT_TIMEOUT = 10.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0


@dataclass(frozen=True)
class ListedModel:
    """A model that an endpoint lists; `context` is 0 where it does not tell."""

    name: str
    context: int = 0


class OpenAIModel:
    """A model behind an OpenAI-compatible endpoint. Close it, or use it with `async with`."""

    def __init__(
        self,
        name: str,
        settings: ModelSettings,
        *,
        context: int = DEFAULT_CONTEXT,
        schedule: tuple[Sampling, ...] = (),
    ) -> None:
        self.name = name
        self.context = context
        self.schedule = schedule or (SMALL_MODEL_SCHEDULE if is_small(self) else SCHEDULE)
        self.sees = can_see(name, settings.pictures)
        self._form = GapForm(name, find_gap(name))
        self.fills = bool(self._form.text)
        self._endpoint = Endpoint.parse(settings.base_url)
        self._settings = settings
        self._quirks: frozenset[Quirk] = frozenset()
        if self._endpoint.url == DEFAULT_BASE_URL:
            self._quirks |= {Quirk.RENAMED_LIMIT}
        self._client = _make_client(self._endpoint, settings)
        self._headers: dict[str, str | openai.Omit] = {} if settings.api_key else {"Authorization": openai.Omit()}

    async def __aenter__(self) -> Self:
        """Ready to be asked; nothing is sent yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def sample(
        self, messages: Sequence[Message], sampling: Sampling, on_text: Listener | None = None
    ) -> Completion:
        """Ask for answers to a conversation; see `Model`."""
        start = time.monotonic()
        replies = [await self._ask_adapting(messages, sampling, on_text or _ignore)]
        missing = sampling.samples - len(replies[0].answers)
        if missing > 0:
            self._quirks |= {Quirk.ONE_SAMPLE}
            replies += await _gather_some(self._ask_adapting(messages, sampling, _ignore) for _ in range(missing))
        answers = [_begin_with(sampling.opening, answer) for reply in replies for answer in reply.answers]
        return Completion(
            tuple(answers[: sampling.samples]),
            Usage(
                model_calls=len(replies),
                prompt_tokens=sum(_count_prompt(reply, messages) for reply in replies),
                completion_tokens=sum(_count_completion(reply) for reply in replies),
                seconds=time.monotonic() - start,
            ),
        )

    async def fill(self, gap: Gap, sampling: Sampling) -> Completion:
        """Ask what belongs into a gap; see `Filler`."""
        return await fill_gap(self._settings, self._form, gap, sampling)

    async def weigh(self, gap: Gap, text: str) -> Completion:
        """Ask how likely a text is in a gap; see `Filler`. Only llama.cpp's server can tell."""
        return await weigh_text(self._settings, self._form, gap, text)

    async def list_models(self) -> tuple[ListedModel, ...]:
        """The models that the endpoint lists, in its order; empty if it has no such list.

        Raises:
            ModelUnavailable: it does not answer, or not as such an endpoint does.
            ModelRefused: it does not accept the key.
        """
        try:
            return await self._list_once()
        except Trouble as error:
            trouble = error
        if trouble.kind in {"path", "refused", "parameter"}:
            return ()
        raise self._report(trouble)

    async def _ask_adapting(self, messages: Sequence[Message], sampling: Sampling, on_text: Listener) -> Reply:
        known = self._quirks
        while True:
            body = make_body(self.name, messages, sampling, self._quirks)
            try:
                return await self._ask_with_retry(body, on_text)
            except Trouble as error:
                trouble = error
            quirk = find_quirk(trouble.words, body) if trouble.kind in {"parameter", "context"} else None
            if quirk is None or (trouble.kind == "context" and quirk is not Quirk.NO_LIMIT):
                self._quirks = known  # what was tried in vain says nothing about the endpoint
                raise await self._explain(trouble)
            self._quirks |= {quirk}

    async def _ask_with_retry(self, body: Body, on_text: Listener) -> Reply:
        for attempt in range(self._settings.retries + 1):
            try:
                return await self._ask_once(body, on_text)
            except Trouble as error:
                trouble = error
            pause = FIRST_PAUSE * 2**attempt * random.uniform(0.75, 1.25)  # noqa: S311 - spreads retries, no secret
            if trouble.wait is not None:
                pause = trouble.wait
            if trouble.kind not in PASSING or attempt == self._settings.retries or pause > LONGEST_PAUSE:
                break
            await asyncio.sleep(pause)
        raise trouble

    async def _ask_once(self, body: Body, on_text: Listener) -> Reply:
        try:
            chat = self._client.chat.completions.with_streaming_response
            async with chat.create(**body, extra_headers=self._headers) as response:
                media_type = response.headers.get("content-type", "")
                return await read_reply(response.iter_bytes(), media_type, self._settings.timeout, on_text)
        except Exception as error:  # noqa: BLE001 - whatever a reply makes the client raise may hold the key
            trouble = scrub(translate(error), self._settings)
        raise trouble

    async def _list_once(self) -> tuple[ListedModel, ...]:
        try:
            response = await self._client.models.with_raw_response.list(extra_headers=self._headers)
            return _parse_models(json.loads(response.content))
        except Exception as error:  # noqa: BLE001 - as above
            trouble = scrub(translate(error), self._settings)
        raise trouble

    async def _explain(self, trouble: Trouble) -> ModelError:
        """The error for the developer, who is helped by the right names when the name was wrong."""
        names: tuple[str, ...] = ()
        if trouble.kind == "model":
            try:
                names = tuple(model.name for model in await self._list_once())
            except Trouble:
                names = ()
        return self._report(trouble, names)

    def _report(self, trouble: Trouble, names: tuple[str, ...] = ()) -> ModelError:
        return report(trouble, self._endpoint, self.name, self._settings, names)


def _make_client(endpoint: Endpoint, settings: ModelSettings) -> openai.AsyncOpenAI:
    if not _is_plain(settings.api_key):
        raise ModelRefused("The API key holds characters that no key has. Set CODEACT_API_KEY again.")
    key = settings.api_key.value.strip() if settings.api_key else ""
    return openai.AsyncOpenAI(
        base_url=endpoint.url,
        # Never None: the client would then take OPENAI_API_KEY, which may not be meant for this endpoint.
        api_key=key or "none",
        max_retries=0,
        timeout=openai.Timeout(settings.timeout, connect=min(CONNECT_TIMEOUT, settings.timeout)),
        # A proxy for the web must not be asked for this machine's own servers.
        http_client=openai.DefaultAsyncHttpxClient(trust_env=not endpoint.loopback),
    )


def _is_plain(key: Secret | None) -> bool:
    return key is None or (key.value.strip().isascii() and key.value.strip().isprintable())


def _parse_models(value: object) -> tuple[ListedModel, ...]:
    entries = value.get("data") if isinstance(value, Mapping) else None
    if not isinstance(entries, list):
        raise Trouble("garbled", "its list of models is none")
    names = (entry for entry in entries if isinstance(entry, Mapping) and isinstance(entry.get("id"), str))
    return tuple(ListedModel(entry["id"], _read_context(entry)) for entry in names)


def _read_context(entry: Mapping[str, object]) -> int:
    """Tokens of context, under the names that vLLM, OpenRouter, Groq and LM Studio give it."""
    for key in ("max_model_len", "context_length", "context_window", "max_context_length"):
        value = entry.get(key)
        if isinstance(value, int) and value > 0:
            return value
    return 0


async def _gather_some(requests: Iterable[Coroutine[Any, Any, Reply]]) -> list[Reply]:
    """The replies to requests made at once. Those that fail are left out: one answer is there already."""
    tasks = [asyncio.create_task(request) for request in requests]
    try:
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        for task in tasks:
            task.cancel()
    return [outcome for outcome in outcomes if isinstance(outcome, Reply)]


def _begin_with(opening: str, answer: Answer) -> Answer:
    """The answer with its opening, which some servers give back and others do not."""
    return answer if answer.text.startswith(opening) else replace(answer, text=opening + answer.text)


def _count_prompt(reply: Reply, messages: Sequence[Message]) -> int:
    return reply.prompt_tokens or sum(len(message.content) for message in messages) // 4


def _count_completion(reply: Reply) -> int:
    return reply.completion_tokens or sum(len(answer.text) for answer in reply.answers) // 4


def _ignore(_: str) -> None:
    """Nobody listens."""
