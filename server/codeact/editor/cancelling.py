"""`$/cancelRequest` for commands that run long.

pygls cancels only the answer to a request, not the coroutine that works on it. Here each request is known to the
coroutines that it starts, by a context variable, so that those can be cancelled with it.
"""

import asyncio
from contextvars import ContextVar
from typing import Any

from pygls.protocol import LanguageServerProtocol

_REQUEST: ContextVar[int | str | None] = ContextVar("request", default=None)


class CancellingProtocol(LanguageServerProtocol):
    """Cancels the work that a cancelled request has begun."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - pygls's own
        super().__init__(*arguments, **named)
        self._work: dict[int | str, asyncio.Task[Any]] = {}

    def bind(self, task: "asyncio.Task[Any]") -> None:
        """Have `task` cancelled when the request that is being answered is."""
        request = _REQUEST.get()
        if request is not None:
            self._work[request] = task
            task.add_done_callback(lambda _: self._work.pop(request, None))

    def _handle_request(self, msg_id: int | str, method_name: str, params: Any) -> None:  # noqa: ANN401
        token = _REQUEST.set(msg_id)
        try:
            super()._handle_request(msg_id, method_name, params)
        finally:
            _REQUEST.reset(token)

    def _handle_cancel_notification(self, msg_id: int | str) -> None:
        task = self._work.get(msg_id)
        super()._handle_cancel_notification(msg_id)
        if task:
            task.cancel()
