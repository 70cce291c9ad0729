"""Plugins as pytest's search for fixtures sees them, looked through once for many runs.

Each session of pytest looks at every name of every plugin for fixtures, some thousands of objects, and finds the same
each time. A template remembers for each plugin's module the few names that matter.
"""

from __future__ import annotations

import types
from typing import Any, Iterable

WRAPPED = (classmethod, staticmethod, property)


def remember(plugins: Iterable[Any]) -> None:
    """From now on, in this process and its forks, have pytest look for fixtures only where these modules have some."""
    from _pytest.fixtures import FixtureManager

    original: Any = FixtureManager.parsefactories
    known = {id(module): (len(vars(module)), module, _shorten(module)) for module in plugins if _is_plain(module)}

    def shortened(holder: Any) -> Any:  # noqa: ANN401 - whatever may hold fixtures
        count, module, short = known.get(id(holder), (0, None, None))
        return short if module is holder and len(vars(module)) == count else holder

    def parsefactories(self: Any, *args: Any, **named: Any) -> None:  # noqa: ANN401 - what pytest passes
        if "holder" in named:
            named["holder"] = shortened(named["holder"])
        elif args[1:] or "nodeid" in named:  # what is searched, and where it counts: so pytest called it up to 9.0
            args = (*map(shortened, args[:1]), *args[1:])
        original(self, *args, **named)

    FixtureManager.parsefactories = parsefactories  # type: ignore[method-assign]


def _is_plain(plugin: object) -> bool:
    return type(plugin) is types.ModuleType and not {"__getattr__", "__dir__"} & set(vars(plugin))


def _shorten(module: types.ModuleType) -> types.ModuleType:
    """A module with those attributes only that may be fixtures, or hide one."""
    short = types.ModuleType(module.__name__)
    for name, value in vars(module).items():
        if _matters(value):
            setattr(short, name, value)
    return short


def _matters(value: object) -> bool:
    """Whether it may be a fixture, or hide one; so does what cannot be looked at."""
    try:
        names = getattr(value, "__dict__", ())
        is_fixture = type(value).__name__ == "FixtureFunctionDefinition" or "_pytestfixturefunction" in names
        return is_fixture or isinstance(value, WRAPPED) or "__wrapped__" in names
    except Exception:  # noqa: BLE001 - a proxy of nothing, say
        return True
