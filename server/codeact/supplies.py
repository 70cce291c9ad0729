"""A sandbox that fetches what turns out to be missing, if it may: then it is opened anew, and the step is tried again.

Fetching is a prepare step on the host, with the configured index; the sandbox itself never has a network.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from codeact.environments import add_package, find_addition, find_missing, find_package, with_additions
from codeact.errors import PrepareError
from codeact.events import PackagesAdded
from codeact.sandboxes.base import Completed, Interpreter, Sandbox, ViewChanges
from codeact.snapshot import Snapshot
from codeact.trajectory import Action, FileState, Observation, TestReport
from codeact.verify import Bench, open_bench
from codeact.walk import Recording, Walk

MAX_ADDED = 6
Files = Mapping[str, FileState | None]


@asynccontextmanager
async def open_supplied(
    walk: Walk, bench: Bench, snapshot: Snapshot, recorded: Recording | None = None
) -> AsyncIterator["SuppliedSandbox"]:
    """A fresh sandbox with a view of a snapshot, which grows by packages; `recorded` brings its own."""
    sandbox = SuppliedSandbox(walk, bench, snapshot)
    async with AsyncExitStack() as stack:
        await sandbox.open(stack)
        for pin in recorded.packages if recorded else ():
            await sandbox.add(pin, pin)
        yield sandbox


@dataclass
class SuppliedSandbox:
    """A Sandbox that passes all calls on to the present one. `bench` is what a proof of its work needs."""

    walk: Walk
    bench: Bench
    snapshot: Snapshot
    refused: set[str] = field(default_factory=set)
    done: list[Action | Files] = field(default_factory=list)

    async def open(self, stack: AsyncExitStack) -> None:
        """Open the first sandbox; what is opened later takes its place in `stack` too."""
        self._stack = stack
        self._inner_stack = await stack.enter_async_context(AsyncExitStack())
        self.inner: Sandbox = await self._inner_stack.enter_async_context(open_bench(self.bench, self.snapshot))
        self.name, self.python, self.environment = self.inner.name, self.inner.python, self.inner.environment

    async def execute(self, action: Action) -> Observation:
        """See Sandbox; what misses a package that may be fetched is run again."""
        observation = await self.inner.execute(action)
        while observation.failure and await self.supply(find_missing([observation.failure.traceback])):
            observation = await self.inner.execute(action)
        self.done.append(action)
        return observation

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        environ: Mapping[str, str] | None = None,
        on_report: Callable[[bytes], None] | None = None,
        warm: bool = False,
    ) -> Completed:
        """See Sandbox; a program that misses a package that may be fetched is run again, unless it reports."""
        done = await self.inner.spawn(argv, timeout=timeout, environ=environ, on_report=on_report, warm=warm)
        while done.exit_code and on_report is None and await self.supply(find_missing([done.stderr])):
            done = await self.inner.spawn(argv, timeout=timeout, environ=environ, warm=warm)
        return done

    async def preload(self) -> None:
        """See Sandbox."""
        await self.inner.preload()

    async def attach(self, files: Files) -> None:
        """See Sandbox."""
        await self.inner.attach(files)

    async def write(self, files: Files) -> None:
        """See Sandbox."""
        self.done.append(files)
        await self.inner.write(files)

    async def changes(self) -> ViewChanges:
        """See Sandbox."""
        return await self.inner.changes()

    async def restore(self) -> None:
        """See Sandbox."""
        self.done.clear()
        await self.inner.restore()

    async def supply(self, modules: Sequence[str]) -> bool:
        """Fetch what has these modules, as far as it is known and allowed; whether there is something new."""
        wanted = {module: find_package(module, self.bench.settings.workspace) for module in modules}
        news = False
        for module, package in wanted.items():
            room = len(self.refused) < MAX_ADDED  # what was added counts too: it cannot be missing again
            if package and room and package not in self.refused and self.bench.interpreter:
                self.refused.add(package)
                news = (await self._may_fetch(module, package) and await self.add(module, package)) or news
        return news

    async def add(self, module: str, requirement: str) -> bool:
        """Fetch a package, and go on in a sandbox that has it; whether that worked."""
        interpreter, settings = self._interpreter(), self.bench.settings
        try:
            added = await asyncio.to_thread(add_package, settings, requirement, interpreter, self.walk.say)
        except PrepareError as error:
            self.walk.say(str(error))
            return False
        self.walk.tell(PackagesAdded(module=module, pins=added.pins))
        self.bench = replace(self.bench, interpreter=with_additions(interpreter, [added]))
        await self._inner_stack.aclose()
        await self.open(self._stack)
        for done in self.done:
            await (self.inner.execute(done) if isinstance(done, Action) else self.inner.write(done))
        return True

    async def _may_fetch(self, module: str, package: str) -> bool:
        settings = self.bench.settings
        if settings.packages == "always" or find_addition(settings, package, self._interpreter()):
            return True
        if settings.packages == "ask" and self.walk.consent:
            self.walk.say("waiting for your answer")
            return await self.walk.consent(f"The module {module} is missing. Fetch the package {package} for it?")
        how = f"To have it: codeact prepare --with {package}, or the setting packages = always"
        self.walk.say(f"The module {module} is missing. {how}")
        return False

    def _interpreter(self) -> Interpreter:
        assert self.bench.interpreter  # noqa: S101 - what an image has cannot be added to, and is not
        return self.bench.interpreter


def missing_in(report: TestReport) -> tuple[str, ...]:
    """The modules that tests failed for."""
    texts = [text for result in report.failing for text in (result.message, result.traceback)]
    return find_missing([*texts, report.problem])
