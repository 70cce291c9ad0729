"""The provider `editor`: the server asks, a model that the developer has in the editor answers."""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

from pygls.exceptions import JsonRpcException

from codeact.editor.session import Session, server
from codeact.errors import ModelUnavailable
from codeact.models.base import Listener
from codeact.models.relay import RelayedModel
from codeact.settings import Settings
from codeact.trajectory import Message, Sampling

PROVIDER = "editor"
_LISTENERS: dict[str, Listener] = {}


def model_of_editor(ls: Session, settings: Settings) -> RelayedModel | None:
    """The editor's own model, if the settings name it and this editor offers it."""
    if settings.model.name.partition(":")[0] != PROVIDER or not ls.offers_models:
        return None

    async def ask(messages: Sequence[Message], sampling: Sampling, on_text: Listener) -> tuple[str, bool]:
        number = str(uuid.uuid4())
        _LISTENERS[number] = on_text
        request = {
            "id": number,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
        }
        try:
            return _read(await ls.protocol.send_request_async("codeact/chat", request))
        except JsonRpcException as error:
            raise ModelUnavailable(error.message or "The editor's model could not be asked.") from None
        except asyncio.CancelledError:
            ls.protocol.notify("codeact/cancelChat", {"id": number})
            raise
        finally:
            _LISTENERS.pop(number, None)

    return RelayedModel(settings.model.name, ask)


@server.feature("codeact/chatText")
def on_chat_text(_: Session, params: Any) -> None:  # noqa: ANN401 - JSON
    """A piece of an answer that is on its way."""
    number, text = getattr(params, "id", None), getattr(params, "text", None)
    if isinstance(text, str) and number in _LISTENERS:
        _LISTENERS[number](text)


def _read(answer: Any) -> tuple[str, bool]:  # noqa: ANN401 - JSON
    text = getattr(answer, "text", None)
    if not isinstance(text, str):
        raise ModelUnavailable("The editor answered without any text.")
    return text, getattr(answer, "cut", False) is True
