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
from typing import Any, Sequence

import pytest

from codeact_sandbox.places import Places

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


def kill_group(child: int) -> None:
    """End a fork that has its own session, and all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
