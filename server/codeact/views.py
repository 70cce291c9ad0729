"""Several views of one snapshot, so that several candidates are validated at once.

Each is the view of a sandbox of its own, an overlay above the same frozen files: nothing is copied, and candidates
share no scratch, no ports and no limits. They are started when they are first wanted, and kept for the next candidates.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from codeact.sandboxes.base import Sandbox
from codeact.settings import Limits
from codeact.snapshot import Snapshot
from codeact.testing import Selection, run_tests
from codeact.trajectory import FileState, TestReport
from codeact.verify import Bench, open_bench

Files = Mapping[str, FileState | None]
Result = tuple[int, TestReport] | Exception


@asynccontextmanager
async def open_views(bench: Bench, snapshot: Snapshot, count: int) -> AsyncIterator["Views"]:
    """Up to `count` views of a snapshot; leaving the context ends their sandboxes."""
    async with AsyncExitStack() as stack:
        yield Views(lambda: open_bench(bench, snapshot), count, bench.settings.sandbox.limits, stack)


class Views:
    """The views, and which of them are started. One call at a time."""

    def __init__(
        self,
        open_one: Callable[[], AbstractAsyncContextManager[Sandbox]],
        count: int,
        limits: Limits,
        stack: AsyncExitStack,
    ) -> None:
        self._open_one = open_one
        self._limits = limits
        self._stack = stack
        self._sandboxes: list[Sandbox | None] = [None] * count

    async def try_changes(
        self, candidates: Sequence[Files], selection: Selection
    ) -> AsyncIterator[tuple[int, TestReport]]:
        """Run tests on each candidate; its place in `candidates` and the report, as they come.

        Whoever has heard enough closes the generator (`contextlib.aclosing`), which ends what still runs.

        Args:
            candidates: each the files to change in the snapshot, None for those to delete.
            selection: the tests to run.

        Raises:
            SandboxError: a candidate cannot be written, or a sandbox died.
        """
        waiting = deque(enumerate(candidates))
        results: asyncio.Queue[Result] = asyncio.Queue()
        lanes = range(min(len(self._sandboxes), len(candidates)))
        tasks = [asyncio.create_task(self._work(lane, waiting, selection, results)) for lane in lanes]
        try:
            for _ in candidates:
                result = await results.get()
                if isinstance(result, Exception):
                    raise result
                yield result
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(
        self, lane: int, waiting: deque[tuple[int, Files]], selection: Selection, results: asyncio.Queue[Result]
    ) -> None:
        """Take candidates until there are none."""
        try:
            while waiting:
                number, files = waiting.popleft()
                sandbox = await self._clean(lane)
                await sandbox.write(files)
                results.put_nowait((number, await run_tests(sandbox, selection, self._limits, warm=True)))
        except Exception as error:  # noqa: BLE001 - raised again where somebody waits
            results.put_nowait(error)

    async def _clean(self, lane: int) -> Sandbox:
        """A lane's sandbox, with its view as the snapshot is."""
        known = self._sandboxes[lane]
        if known:
            await known.restore()
            return known
        sandbox = await self._stack.enter_async_context(self._open_one())
        await sandbox.preload()
        self._sandboxes[lane] = sandbox
        return sandbox
