"""What libraries show or save while an action runs, noted as they do it: afterwards the figure may be closed."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` would take longer than the rest
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, Callable

MAX_NOTED = 10
noted: list[Any] = []


def watch() -> None:
    """From now on, note the figures that matplotlib saves and those that plotly shows."""
    sys.meta_path.insert(0, _Watcher())


def take() -> list[Any]:
    """The figures noted since the last time, each once."""
    found = list({id(figure): figure for figure in noted}.values())
    noted.clear()
    return found


def _note(figure: Any) -> None:  # noqa: ANN401 - figures of libraries that are not there when this is type-checked
    if len(noted) < MAX_NOTED:
        noted.append(figure)


def _wrap_savefig(module: ModuleType) -> None:
    save = module.Figure.savefig

    def savefig(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever matplotlib takes
        _note(self)
        return save(self, *args, **kwargs)

    module.Figure.savefig = savefig


def _replace_show(module: ModuleType) -> None:
    """There is no browser here; showing a figure means to hand it over."""
    module.BaseFigure.show = lambda self, *_, **__: _note(self)


CHANGES: dict[str, Callable[[ModuleType], None]] = {
    "matplotlib.figure": _wrap_savefig,
    "plotly.basedatatypes": _replace_show,
}


class _Watcher:
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:  # noqa: ANN401 - as in importlib
        spec = PathFinder.find_spec(name, path, target) if name in CHANGES else None
        if spec and spec.loader:
            loader: Any = _Changing(spec.loader, CHANGES[name])
            spec.loader = loader
        return spec


class _Changing:
    """Another loader, followed by a change of the module."""

    def __init__(self, loader: Any, change: Callable[[ModuleType], None]) -> None:  # noqa: ANN401 - as in importlib
        self.loader, self.change = loader, change

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self.loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        self.change(module)
