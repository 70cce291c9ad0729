"""Which endpoint, and which of its models, when the settings leave that open."""

import asyncio
import importlib
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from codeact.errors import ModelError
from codeact.settings import ModelSettings

if TYPE_CHECKING:
    from codeact.models.openai import ListedModel, OpenAIModel

DEFAULT_NAME = "gpt-5-mini"
# Where model servers listen unless told otherwise: Ollama, LM Studio, llama.cpp, vLLM.
LOCAL_PORTS = (11434, 1234, 8080, 8000)
LOCAL_PATIENCE = 0.3
LOCAL_CONTEXT = 8192  # what such a server keeps of a conversation unless it says more
CODER = re.compile(r"cod(er|e)|codestral|devstral|starcoder", re.IGNORECASE)
NO_CHAT = re.compile(r"embed|rerank|\bbge\b|whisper|tts|moderation|dall-e|image", re.IGNORECASE)


async def choose_endpoint(settings: ModelSettings, ports: Sequence[int] = LOCAL_PORTS) -> "OpenAIModel | None":
    """The endpoint to ask when no model is named; None if none is configured and none answers on this machine.

    Raises:
        ModelUnavailable: one is configured and does not answer.
        ModelRefused: it does not accept the key.
    """
    if not (settings.base_url or settings.api_key):
        ports = await _listening(ports)
    if not (settings.base_url or settings.api_key or ports):
        return None  # without the `openai` package, whose import takes half a second
    await asyncio.to_thread(importlib.import_module, "codeact.models.openai")
    from codeact.models.openai import OpenAIModel  # noqa: PLC0415 - loaded by now

    if settings.base_url:
        return await _open_listed(settings)
    if settings.api_key:
        return OpenAIModel(DEFAULT_NAME, settings)
    found = await asyncio.gather(*(_probe(replace(settings, base_url=f"http://127.0.0.1:{port}/v1")) for port in ports))
    first = next((model for model in found if model is not None), None)
    for model in found:
        if model is not None and model is not first:
            await model.close()
    return first


async def _listening(ports: Sequence[int]) -> Sequence[int]:
    """Those of the ports at which anything on this machine listens."""

    async def listens(port: int) -> bool:
        try:
            async with asyncio.timeout(LOCAL_PATIENCE):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    answers = await asyncio.gather(*map(listens, ports))
    return [port for port, answer in zip(ports, answers, strict=True) if answer]


async def _open_listed(settings: ModelSettings) -> "OpenAIModel":
    from codeact.models.openai import DEFAULT_CONTEXT, OpenAIModel  # noqa: PLC0415 - see choose_endpoint

    async with OpenAIModel(DEFAULT_NAME, settings) as unnamed:
        chosen = choose_model(await unnamed.list_models())
    return OpenAIModel(chosen.name, settings, context=chosen.context or DEFAULT_CONTEXT)


async def _probe(settings: ModelSettings) -> "OpenAIModel | None":
    """A model of the server at this address, if one answers at once. It is not sent any key: none was meant for it."""
    from codeact.models.openai import OpenAIModel  # noqa: PLC0415 - see choose_endpoint

    async with OpenAIModel(DEFAULT_NAME, replace(settings, api_key=None, retries=0)) as unnamed:
        try:
            async with asyncio.timeout(LOCAL_PATIENCE):
                models = await unnamed.list_models()
        except (ModelError, TimeoutError):
            return None
    if not models:
        return None
    chosen = choose_model(models)
    return OpenAIModel(chosen.name, replace(settings, api_key=None), context=chosen.context or LOCAL_CONTEXT)


def choose_model(models: "Sequence[ListedModel]") -> "ListedModel":
    """The first that is made for code, else the first that can talk; the usual one if none is listed."""
    from codeact.models.openai import ListedModel  # noqa: PLC0415 - see choose_endpoint

    talking = [model for model in models if not NO_CHAT.search(model.name)]
    coders = [model for model in talking if CODER.search(model.name)]
    return next(iter(coders or talking or models), ListedModel(DEFAULT_NAME))
