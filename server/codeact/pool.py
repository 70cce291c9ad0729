"""Sandboxes that are started before somebody needs them, so that nobody waits for a start.

One that was started on an older snapshot becomes one of the newer by content: only the files that differ are sent to
it. So a language server can keep one ready for its workspace, whatever is typed meanwhile, and a run can have the
proof's sandbox started while it still searches. Each is used once. Where none is ready, or it has died, one is started.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from codeact.errors import CodeActError, SandboxError
from codeact.sandboxes import open_sandbox
from codeact.sandboxes.base import Interpreter, Sandbox, SandboxSpec
from codeact.settings import SandboxSettings, Settings
from codeact.snapshot import Snapshot, difference, materialise
from codeact.trajectory import FileState

IDLE_SECONDS = 600.0
NAME = "ahead"  # stands for the run in the names of what the sandbox leaves on the host


@dataclass(frozen=True)
class Order:
    """What makes two sandboxes interchangeable, but for their files."""

    workspace: Path
    interpreter: Interpreter | None
    sandbox: SandboxSettings
    state: Path


def order_for(settings: Settings, interpreter: Interpreter | None) -> Order:
    """The order of a run with these settings."""
    return Order(settings.workspace, interpreter, settings.sandbox, settings.state / "sandboxes")


@asynccontextmanager
async def open_view(order: Order, snapshot: Snapshot, run: str) -> AsyncIterator[Sandbox]:
    """Start a sandbox with a view of a snapshot.

    Raises:
        SandboxUnavailable: the backend does not work here.
        SnapshotError: the snapshot is not kept any more.
    """
    files = materialise(snapshot)
    folder = await asyncio.to_thread(files.__enter__)
    try:
        spec = SandboxSpec(
            run=run,
            snapshot=folder,
            workspace=order.workspace,
            interpreter=order.interpreter,
            limits=order.sandbox.limits,
            image=order.sandbox.image,
            runtime=order.sandbox.runtime,
            state=order.state,
        )
        async with open_sandbox(spec, order.sandbox.backend) as sandbox:
            yield sandbox
    finally:
        files.__exit__(None, None, None)


class Pool:
    """One sandbox for each order, as many in all as the settings say; one that nobody wants for `idle` seconds ends.

    Leaving the pool as a context ends all of them.
    """

    def __init__(self, *, idle: float = IDLE_SECONDS) -> None:
        self.idle = idle
        self._ready: dict[Order, _Ahead] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._last: tuple[Order, Snapshot] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self.close()

    def prepare(self, order: Order, snapshot: Snapshot, *, warm: bool = False) -> None:
        """Begin to start a sandbox, if none is there for the order.

        Args:
            order: which.
            snapshot: what its view is likely to be, or near to.
            warm: let it load pytest and an interpreter, too. A proof wants none of that.
        """
        most = order.sandbox.ready
        if not most:
            return
        ahead = self._ready.pop(order, None)
        if ahead is None:
            while len(self._ready) >= most:
                self._drop(next(iter(self._ready)))
            ahead = _Ahead(order, snapshot, NAME)
        self._ready[order] = ahead  # the last one used stands at the end
        ahead.expire(self.idle, lambda: self._drop(order))
        if warm:
            ahead.warm()

    @asynccontextmanager
    async def open(self, order: Order, snapshot: Snapshot, run: str) -> AsyncIterator[Sandbox]:
        """A sandbox with a view of a snapshot, in which nothing has run: the one that is ready, or a new one.

        Raises:
            SandboxUnavailable: the backend does not work here.
            SnapshotError: the snapshot is not kept any more.
        """
        self._last = order, snapshot
        ahead = await self._take(order, snapshot) or _Ahead(order, snapshot, run)
        try:
            yield await ahead.sandbox()
        finally:
            await ahead.close()

    async def warmed(self) -> None:
        """Wait until all that were begun have started, and those that load something have begun to."""
        await asyncio.gather(*(ahead.started() for ahead in self._ready.values()))

    def settle(self) -> None:
        """A run is over: have one ready for the next, which likely wants the same."""
        if self._last:
            self.prepare(*self._last, warm=True)

    async def refresh(self, snapshot: Snapshot) -> None:
        """Exchange what is ready for a workspace, if it is too far from what the workspace has become."""
        for order, ahead in list(self._ready.items()):
            if order.workspace != snapshot.workspace or await ahead.distance(snapshot) is not None:
                continue
            if self._ready.get(order) is ahead:
                self._drop(order)
                self.prepare(order, snapshot, warm=True)

    def holds(self, workspace: Path) -> bool:
        """Whether a sandbox is ready, or soon, for a workspace."""
        return any(order.workspace == workspace for order in self._ready)

    async def close(self) -> None:
        """End all sandboxes that nobody has taken."""
        for order in list(self._ready):
            self._drop(order)
        if self._closing:
            await asyncio.wait(self._closing)

    async def _take(self, order: Order, snapshot: Snapshot) -> "_Ahead | None":
        ahead = self._ready.pop(order, None)
        if ahead is None:
            return None
        try:
            await ahead.become(snapshot)
        except CodeActError:  # it has died, or never lived; a new one tells why, if it is still so
            await ahead.close()
            return None
        except BaseException:
            await ahead.close()
            raise
        return ahead

    def _drop(self, order: Order) -> None:
        closing = asyncio.ensure_future(self._ready.pop(order).close())
        self._closing.add(closing)
        closing.add_done_callback(self._forget)

    def _forget(self, closing: asyncio.Task[None]) -> None:
        self._closing.discard(closing)
        if not closing.cancelled():
            closing.exception()  # a sandbox that ended badly is gone all the same


class _Ahead:
    """A sandbox, and the task that starts, holds and ends it."""

    def __init__(self, order: Order, snapshot: Snapshot, run: str) -> None:
        self._snapshot = snapshot
        self._released = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._warming: asyncio.Task[None] | None = None
        self._sandbox: asyncio.Future[Sandbox] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._hold(order, run))

    async def sandbox(self) -> Sandbox:
        """The sandbox, when it has started.

        Raises:
            CodeActError: it could not be.
        """
        return await asyncio.shield(self._sandbox)

    async def started(self) -> None:
        """Wait until it has started, or cannot."""
        with suppress(CodeActError):
            await self.sandbox()
        if self._warming:
            await self._warming

    def warm(self) -> None:
        """Have it load what the first action and the first tests need."""
        if self._warming is None:
            self._warming = asyncio.create_task(self._warm())

    def expire(self, seconds: float, act: Callable[[], None]) -> None:
        """Call something when that time has passed and nobody has taken it."""
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, act)

    async def distance(self, snapshot: Snapshot) -> Mapping[str, FileState | None] | None:
        """What it needs to become a view of a snapshot; None if that is too much.

        Raises:
            SnapshotError: the snapshot that it was started on is not kept any more.
        """
        if snapshot.tree == self._snapshot.tree:
            return {}
        return await asyncio.to_thread(difference, self._snapshot, snapshot)

    async def become(self, snapshot: Snapshot) -> None:
        """Make it a view of a snapshot; nobody else will take it from now on.

        Raises:
            CodeActError: it cannot be, or it is dead.
        """
        if self._timer:
            self._timer.cancel()
        files = await self.distance(snapshot)
        if files is None:
            raise SandboxError("Too much has changed since the sandbox was started.")
        await (await self.sandbox()).attach(files)

    async def close(self) -> None:
        """End it, or its start, and wait until it is gone."""
        if self._timer:
            self._timer.cancel()
        self._released.set()
        if not self._sandbox.done():
            self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled() and (error := self._task.exception()):
            raise error

    async def _hold(self, order: Order, run: str) -> None:
        try:
            async with open_view(order, self._snapshot, run) as sandbox:
                self._sandbox.set_result(sandbox)
                await self._released.wait()
        except Exception as error:
            if self._sandbox.done():
                raise
            self._sandbox.set_exception(error)
            self._sandbox.exception()  # whoever asks for the sandbox is told; if nobody does, nobody needs to know
        finally:
            self._sandbox.cancel()

    async def _warm(self) -> None:
        with suppress(CodeActError):
            await (await self.sandbox()).preload()
