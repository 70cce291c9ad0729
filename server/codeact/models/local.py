"""The embedded model: llama.cpp in a process of its own, shared by all runs of this user on this machine.

`open_local` takes a lease, finds the server or starts it, and talks to it as to any OpenAI-compatible endpoint. The
lease ends with this process, or `KEEP` seconds after the model was closed: so a terminal command leaves nothing
behind, and an editor that asks again and again does not load the model each time.
"""

import asyncio
import atexit
import importlib
import importlib.util
import json
import os
import platform
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from codeact.errors import ModelUnavailable
from codeact.models.base import GapForm, Listener
from codeact.models.cores import count_cores
from codeact.models.daemons import poll_daemon, reap_daemons, start_daemon
from codeact.models.embedded import EmbeddedModel, find_embedded
from codeact.models.leases import drop_lock, is_locked, take_lock
from codeact.models.local_server import ADDRESS, ALIVE, LEASES, LOG, TAKEN
from codeact.models.pull import model_path
from codeact.settings import ModelSettings, Secret, Settings
from codeact.trajectory import Completion, Gap, Message, Sampling

KEEP = 300.0
SILENCE = 900.0  # a long prompt is read for minutes before the first token
STARTING = 180.0
ENDING = 1.0
Progress = Callable[[str], None]
_leases: set[int] = set()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which server is wanted: same plan, same server.

    Attributes:
        model: the embedded model.
        file: its file.
        folder: where the server and its users meet.
        context: tokens.
        threads: CPU threads.
    """

    model: EmbeddedModel
    file: Path
    folder: Path
    context: int
    threads: int


@dataclass(frozen=True)
class Address:
    """Where a server listens, and what it wants to hear."""

    url: str
    token: Secret


class LocalModel:
    """The embedded model. Starts its server again if that died since."""

    def __init__(self, plan: Plan, on_progress: Progress) -> None:
        self.name = f"local:{plan.model.name}"
        self.context = plan.context
        self.schedule = plan.model.schedule
        self.fills = bool(plan.model.gap)
        self.sees = False
        self._plan = plan
        self._form = GapForm(plan.model.name, plan.model.gap)
        self._on_progress = on_progress

    async def sample(
        self, messages: Sequence[Message], sampling: Sampling, on_text: Listener | None = None
    ) -> Completion:
        """Ask for answers to a conversation; see `Model`."""

        async def ask(settings: ModelSettings) -> Completion:
            # Half a second, in which others want to be answered; and often no model is asked at all.
            openai = await asyncio.to_thread(importlib.import_module, "codeact.models.openai")
            async with openai.OpenAIModel(self._plan.model.name, settings, context=self.context) as model:
                completion: Completion = await model.sample(messages, sampling, on_text)
                return completion

        return await self._ask(ask)

    async def fill(self, gap: Gap, sampling: Sampling) -> Completion:
        """Ask what belongs into a gap; see `Filler`."""
        gaps = await asyncio.to_thread(importlib.import_module, "codeact.models.gaps")
        return await self._ask(lambda settings: gaps.fill_gap(settings, self._form, gap, sampling))

    async def weigh(self, gap: Gap, text: str) -> Completion:
        """Ask how likely a text is in a gap; see `Filler`."""
        gaps = await asyncio.to_thread(importlib.import_module, "codeact.models.gaps")
        return await self._ask(lambda settings: gaps.weigh_text(settings, self._form, gap, text))

    async def _ask(self, ask: Callable[[ModelSettings], Awaitable[Completion]]) -> Completion:
        try:
            return await ask(await self._find_server())
        except ModelUnavailable:
            if is_locked(self._plan.folder / ALIVE):
                raise
        self._on_progress("the embedded model's server ended: starting it again")
        return await ask(await self._find_server())

    async def _find_server(self) -> ModelSettings:
        address = await ensure_server(self._plan, self._on_progress)
        return ModelSettings(base_url=address.url, api_key=address.token, timeout=SILENCE, retries=0)


@asynccontextmanager
async def open_local(
    settings: Settings, name: str = "", on_progress: Progress = lambda _: None, *, keep: float = KEEP
) -> AsyncIterator[LocalModel]:
    """The embedded model. It is being loaded while the caller does other things; the first question waits for it.

    Args:
        settings: threads, context, and where model and server live.
        name: which embedded model; empty for the default one.
        on_progress: told what is being waited for.
        keep: seconds for which the server stays after this, for the next user, unless this process ends before.

    Raises:
        ModelUnavailable: it is not pulled, or `xllamacpp` is missing.
    """
    plan = await asyncio.to_thread(_make_plan, settings, find_embedded(name))
    lease = await _take_lease(plan.folder)
    loading = asyncio.create_task(ensure_server(plan, lambda _: None))
    try:
        yield LocalModel(plan, on_progress)
    finally:
        loading.cancel()
        await asyncio.wait([loading])
        asyncio.get_running_loop().call_later(keep, _drop_lease, lease)


async def ensure_server(plan: Plan, on_progress: Progress) -> Address:
    """Find the server, or start it and wait until it has loaded the model. The caller holds a lease.

    Raises:
        ModelUnavailable: it does not start.
    """
    start = time.monotonic()
    told = -1
    child: int | None = None
    while time.monotonic() - start < STARTING:
        alive = is_locked(plan.folder / ALIVE)
        if alive and (address := _read_address(plan.folder)):
            return address
        if child is None and not alive:
            child = _start(plan)
        if child is not None and (code := poll_daemon(child)) is not None:
            child = None
            if code != TAKEN:
                raise ModelUnavailable(_describe_failure(plan, code))
        if (seconds := int(time.monotonic() - start)) > told:
            told = seconds
            on_progress(f"loading {plan.model.name}" + (f", {seconds} s" if seconds else ""))
        await asyncio.sleep(0.05)
    raise ModelUnavailable(f"The model {plan.model.name} was not loaded within {STARTING:.0f} s. Is the machine busy?")


def _make_plan(settings: Settings, model: EmbeddedModel) -> Plan:
    file = model_path(settings, model.name)
    if file is None:
        raise ModelUnavailable(f"The model {model.name} is not on this machine. Run: codeact model pull {model.name}")
    if importlib.util.find_spec("xllamacpp") is None:
        raise ModelUnavailable(
            "The embedded model needs the package xllamacpp. Run: "
            f"{sys.executable} -m pip install 'codeact[local]', or set CODEACT_BASE_URL to a model server."
        )
    context = min(settings.model.context, model.context)
    threads = settings.model.threads or count_cores()
    # A home folder may be shared by several machines: the lock and the port of one mean nothing to another.
    folder = settings.state / "local" / f"{model.name}-{context}-{threads}-{platform.node() or 'host'}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return Plan(model=model, file=file, folder=folder, context=context, threads=threads)


async def _take_lease(folder: Path) -> int:
    """A shared lock on the server; only a server that is about to end holds it alone, for a moment."""
    while (lease := take_lock(folder / LEASES, shared=True)) is None:  # noqa: ASYNC110 - a file lock has no event
        await asyncio.sleep(0.02)
    _leases.add(lease)
    return lease


def _drop_lease(lease: int) -> None:
    if lease in _leases:
        _leases.discard(lease)
        drop_lock(lease)
        asyncio.get_running_loop().call_later(ENDING, reap_daemons)


@atexit.register
def _leave() -> None:
    """End the server with its last user, and wait the moment that takes: who looks finds nothing left."""
    while _leases:
        drop_lock(_leases.pop())
    reap_daemons(ENDING)


def _read_address(folder: Path) -> Address | None:
    try:
        value = json.loads((folder / ADDRESS).read_text("utf-8"))
        return Address(value["url"], Secret(value["token"]))
    except (OSError, ValueError, KeyError):
        return None


def _start(plan: Plan) -> int:
    command = [sys.executable, "-P", "-m", "codeact.models.local_server"]
    command += ["--folder", str(plan.folder), "--model", str(plan.file), "--name", plan.model.name]
    command += ["--context", str(plan.context), "--threads", str(plan.threads)]
    environ = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    # OpenMP's threads wait for each other by spinning, for long. On cores that others use too, that all but stops them:
    # measured on two cores, 24 tokens/s with either limit, but beside one busy process 12 with this one and 2 without.
    environ = {"GOMP_SPINCOUNT": "1000"} | environ
    return start_daemon(command, plan.folder / LOG, environ)


def _describe_failure(plan: Plan, code: int) -> str:
    tail = (plan.folder / LOG).read_text("utf-8", "replace").strip().splitlines()[-1:]
    reason = (
        "by signal 9: is the memory used up? The model needs about 3 GB"
        if code == -signal.SIGKILL
        else f"with code {code}"
    )
    said = f" ({tail[0][:300]})" if tail else ""
    remedy = " Install libgomp1 (or libgomp) with the system's package manager." if "libgomp" in said else ""
    return f"The server of the model {plan.model.name} ended {reason}{said}. Its log is {plan.folder / LOG}.{remedy}"
