"""Adapters to models, one file a provider, behind one Protocol; and the choice between them."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from types import ModuleType
from typing import TYPE_CHECKING

from codeact.errors import ModelUnavailable
from codeact.models.base import Model
from codeact.models.pull import model_path
from codeact.settings import Settings

if TYPE_CHECKING:
    from codeact.models.local import LocalModel
    from codeact.models.openai import OpenAIModel

__all__ = ["Model", "open_model"]


@asynccontextmanager
async def open_model(
    settings: Settings,
    *,
    on_progress: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[Model]:
    """The model that the settings name.

    `auto` takes the first of these:

    1. the endpoint that is configured, by its address or its key;
    2. a model server on this machine that answers at its usual port;
    3. the embedded model.

    Args:
        settings: which model, and where.
        on_progress: told what is being waited for.

    Raises:
        ModelUnavailable: there is no such model, or it does not answer.
        ModelRefused: its endpoint does not accept the key.
    """
    kind, _, name = settings.model.name.partition(":")
    async with AsyncExitStack() as stack:
        if kind == "replay":
            raise ModelUnavailable("A recorded run is walked again by: codeact replay RUN")
        if kind == "editor":
            raise ModelUnavailable(
                "The model `editor` is the editor's own: it can be asked only inside an editor that offers its "
                "models to CodeAct. Name another one: `model.name` in the settings, or --model."
            )
        elif kind == "local":
            yield await _open_local(stack, settings, name, on_progress)
        elif kind == "auto":
            yield await _open_first(stack, settings, on_progress)
        else:
            openai = await _load("openai")
            yield await stack.enter_async_context(openai.OpenAIModel(settings.model.name, settings.model))


async def _open_first(stack: AsyncExitStack, settings: Settings, on_progress: Callable[[str], None]) -> Model:
    choice = await _load("choice")
    endpoint: OpenAIModel | None = await choice.choose_endpoint(settings.model)
    if endpoint is not None:
        return await stack.enter_async_context(endpoint)
    if model_path(settings, "") is None:
        raise ModelUnavailable(
            "No model is configured, and none answers on this machine. Run: codeact model pull (1.1 GB, then no key "
            "and no network is needed), or set CODEACT_API_KEY, or CODEACT_BASE_URL to a model server."
        )
    return await _open_local(stack, settings, "", on_progress)


async def _open_local(
    stack: AsyncExitStack, settings: Settings, name: str, on_progress: Callable[[str], None]
) -> Model:
    local = await _load("local")
    model: LocalModel = await stack.enter_async_context(local.open_local(settings, name, on_progress))
    return model


async def _load(name: str) -> ModuleType:
    """Import an adapter when it is needed: the `openai` package takes a second, in which others want to be answered."""
    return await asyncio.to_thread(importlib.import_module, f"codeact.models.{name}")
