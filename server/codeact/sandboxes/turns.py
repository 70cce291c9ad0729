"""Taking turns: no more programs run in sandboxes at once than the machine has cores, whatever number of servers asks.

Twenty test suites at once on two cores would each take ten times as long, and their tests' time be over for no fault of
theirs. Who waits in this process is served in order; processes are equals.
"""

import asyncio
import fcntl
import os
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
PLACES = max(2, os.cpu_count() or 2)
PAUSE = 0.02
_queues: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]" = weakref.WeakKeyDictionary()


def in_turn(call: Callable[P, Coroutine[Any, Any, T]], folder: Path) -> Callable[P, Coroutine[Any, Any, T]]:
    """The same call, which waits for one of the places that `folder` keeps."""

    async def wait_and_call(*arguments: P.args, **options: P.kwargs) -> T:
        async with take_place(folder):
            return await call(*arguments, **options)

    return wait_and_call


@asynccontextmanager
async def take_place(folder: Path) -> AsyncIterator[None]:
    """Hold one of the places; a process that dies leaves its own."""
    queue = _queues.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    async with queue:
        while (place := _try_places(folder)) is None:  # noqa: ASYNC110 - another process may hold them
            await asyncio.sleep(PAUSE)
    try:
        yield
    finally:
        os.close(place)


def _try_places(folder: Path) -> int | None:
    """A locked descriptor; None if all places are taken."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(PLACES):
        place = os.open(folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(place)
        else:
            return place
    return None
