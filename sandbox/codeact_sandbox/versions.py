"""Forks that each see a version of a file of their own, and run pytest as it was configured once for all of them.

Nothing of the project is imported before a fork, and what a fork sees is seen by its own imports only: the file stays
as it is, so that as many versions run side by side as there are processors.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import os
import signal
import sys
import time
from typing import Any, Callable, Iterator, Sequence, TypeVar

import pytest

from codeact_sandbox.places import Places

POLL = 0.001
Source = TypeVar("Source")
Begin = Callable[[], tuple[int, Source]]  # forks a session of its own: its process id, and where its words come from
OPTIONS = ["-q", "-s", "-p", "no:cacheprovider", "--no-header", "--tb=no", "--assert=plain"]


def prepare(arguments: list[str]) -> Any:  # noqa: ANN401 - pytest's own type is private
    """Pytest's configuration, for all forks to use; None if making it imports code of the workspace."""
    child = os.fork()
    if child == 0:
        clean = False
        try:
            be_quiet()
            clean = _configure(arguments) is not None and not _has_own_modules()
        finally:
            os._exit(0 if clean else 1)
    return None if os.waitpid(child, 0)[1] else _configure(arguments)


def _configure(arguments: list[str]) -> Any:  # noqa: ANN401
    with contextlib.suppress(Exception, SystemExit):
        from _pytest.config import _prepareconfig

        return _prepareconfig(arguments)
    return None


def _has_own_modules() -> bool:
    places = Places(os.getcwd())
    return any(places.inside(getattr(module, "__file__", None) or "") for module in list(sys.modules.values()))


def run(config: Any, arguments: Sequence[str], plugin: object) -> None:  # noqa: ANN401
    """Run tests with one more plugin, in this process, with a configuration made earlier if there is one."""
    if config is None:
        pytest.main(list(arguments), plugins=[plugin])
    else:
        config.pluginmanager.register(plugin)
        config.hook.pytest_cmdline_main(config=config)


def see(edit: dict[str, Any]) -> None:
    """Have imports of this process see the edit; the file stays as it is."""
    path = os.path.realpath(edit["path"])
    with open(path, "rb") as file:
        old = file.read()
    edited = old[: edit["start"]] + edit["text"].encode("utf-8", "surrogateescape") + old[edit["stop"] :]
    loader: Any = importlib.machinery.SourceFileLoader
    read, stat = loader.get_data, loader.path_stats

    def get_data(self: Any, wanted: str) -> bytes:  # noqa: ANN401
        return edited if os.path.realpath(wanted) == path else read(self, wanted)  # type: ignore[no-any-return]

    def path_stats(self: Any, wanted: str) -> Any:  # noqa: ANN401
        if os.path.realpath(wanted) == path:
            raise OSError("no compiled file is this version's")
        return stat(self, wanted)

    loader.get_data, loader.path_stats = get_data, path_stats


def be_quiet() -> None:
    """Read nothing, print nothing."""
    sink = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(sink, descriptor)


def side_by_side(begins: Sequence[Begin[Source]], seconds: float) -> Iterator[tuple[int, Source]]:
    """The places of forks and their sources, each when it has ended, with one fork running for each processor.

    One that takes longer than so many seconds by the clock is ended, and so are all when nobody asks for more.
    """
    waiting = list(enumerate(begins))[::-1]
    running: dict[int, tuple[int, float, Source]] = {}
    processors = len(os.sched_getaffinity(0))
    try:
        while waiting or running:
            while waiting and len(running) < processors:
                number, begin = waiting.pop()
                child, source = begin()
                running[child] = number, time.monotonic() + seconds, source
            ended, _ = os.waitpid(-1, os.WNOHANG)
            now = time.monotonic()
            late = [child for child, (_, deadline, _) in running.items() if child != ended and now >= deadline]
            for child in late:
                _kill_group(child)
                os.waitpid(child, 0)
            for child in (ended, *late):
                if child in running:
                    number, _, source = running.pop(child)
                    _kill_group(child)  # and what it has left
                    yield number, source
            if not ended and not late:
                time.sleep(POLL)
    finally:
        for child in running:
            _kill_group(child)


def _kill_group(child: int) -> None:
    """End a fork that has its own session, and all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
