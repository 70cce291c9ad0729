"""What values are like: a text that two values share if code that is handed either would hardly tell them apart.

Bounded in size, and without addresses, so that texts from different processes can be compared.
"""

from __future__ import annotations

import collections
import itertools
import re
import reprlib
import types
from typing import Any, Iterable

MAX_PARTS = 2000  # of one value; what comes after them counts for nothing
MAX_DRAINED = 100  # elements of an iterator
MAX_DEPTH = 30
MAX_SHOWN = 100
MAX_ATTRIBUTES = 4
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
DIGITS = ".12g"  # of a float: further ones depend on the order of additions
PLAIN = (type(None), bool, int, str, bytes, bytearray, complex, range, slice, type(Ellipsis), type(NotImplemented))
NAMED = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)


class Unlike(Exception):
    """There is no telling what a value is like."""


def describe(value: object) -> str:
    """What a value is like. Iterators are drained, so this is the last use of it.

    Raises:
        Unlike: part of it is known by its address only.
    """
    return _Describer().describe(value, 0)


def drain(values: Iterable[Any]) -> tuple[list[Any], str]:
    """The elements of an iterator, up to a bound, and the name of the exception that it ends with, if any."""
    found: list[Any] = []
    try:
        for element in itertools.islice(values, MAX_DRAINED):
            found.append(element)  # noqa: PERF402 - what comes before an exception counts
    except Exception as error:  # noqa: BLE001 - it is part of what the iterator does
        return found, type(error).__name__
    return found, ""


def is_iterator(value: object) -> bool:
    """Whether a value gives its elements once only."""
    return hasattr(type(value), "__next__") and hasattr(type(value), "__iter__")


def show_value(value: object) -> str:
    """A value for people, in one short line; an object without a repr of its own by what it holds."""
    try:
        text = " ".join(_SHOWN.repr(value).split())
    except BaseException as error:  # noqa: BLE001 - a broken __repr__ is a value too
        return f"<no repr: {type(error).__name__}>"
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


class _Shown(reprlib.Repr):
    """Short reprs without addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = self.maxdeque = 12
        self.maxstring = self.maxother = self.maxlong = MAX_SHOWN

    def repr_instance(self, value: Any, level: int) -> str:  # noqa: ANN401
        """An object: `Name(attribute=...)` if it has no repr of its own."""
        name = type(value).__qualname__
        if _has_own_repr(value):
            return ADDRESS.sub("", super().repr_instance(value, level))
        if level <= 0:
            return f"{name}(...)"
        held = list(getattr(value, "__dict__", {}).items())
        parts = [f"{key}={self.repr1(part, level - 1)}" for key, part in held[:MAX_ATTRIBUTES]]
        return f"{name}({', '.join(parts)}{', ...' if len(held) > MAX_ATTRIBUTES else ''})"


_SHOWN = _Shown()


class _Describer:
    """Describes one value."""

    def __init__(self) -> None:
        self.left = MAX_PARTS
        self.around: set[int] = set()

    def describe(self, value: Any, depth: int) -> str:  # noqa: ANN401 - whatever code returns
        self.left -= 1
        if self.left < 0 or depth > MAX_DEPTH:
            return "..."
        name = type(value).__name__
        if isinstance(value, float):
            return f"{name} {value:{DIGITS}}"
        if type(value) in PLAIN:
            return f"{name} {value!r}"
        if isinstance(value, NAMED):
            return f"{name} {getattr(value, '__module__', '')}.{getattr(value, '__qualname__', value.__name__)}"
        if id(value) in self.around:
            return f"{name} itself"
        self.around.add(id(value))
        try:
            return f"{name}({', '.join(self._parts(value, depth + 1))})"
        finally:
            self.around.discard(id(value))

    def _parts(self, value: Any, depth: int) -> list[str]:  # noqa: ANN401
        """What a value consists of."""
        found = self._elements(value, depth)
        held = self._held(value)
        if found is None and held is None:
            found = [_own_repr(value)]
        pairs = [f"{name}={self.describe(part, depth)}" for name, part in sorted((held or {}).items())]
        return [*(found or []), *pairs]

    def _elements(self, value: Any, depth: int) -> list[str] | None:  # noqa: ANN401
        for kind in (str, bytes, int):
            if isinstance(value, kind):  # of a subclass, which may have a repr of its own
                return [kind.__repr__(value)]
        if isinstance(value, (list, tuple, set, frozenset, collections.deque)):
            parts = self._all(value, depth)
            return sorted(parts) if isinstance(value, (set, frozenset)) else parts
        if isinstance(value, dict):
            pairs = [f"{self.describe(key, depth)}: {self.describe(part, depth)}" for key, part in value.items()]
            return pairs if isinstance(value, collections.OrderedDict) else sorted(pairs)
        if isinstance(value, BaseException):
            return self._all(value.args, depth)
        if is_iterator(value):
            elements, error = drain(value)
            return [*self._all(elements, depth), *([f"raises {error}"] if error else [])]
        return None

    def _all(self, values: Iterable[Any], depth: int) -> list[str]:
        return [self.describe(value, depth) for value in itertools.islice(values, MAX_PARTS)]

    def _held(self, value: Any) -> dict[str, Any] | None:  # noqa: ANN401
        """The attributes of an object; None where it has none of its own."""
        slots = [slot for kind in type(value).__mro__ for slot in _slots(kind)]
        held = getattr(value, "__dict__", None)
        if not isinstance(held, dict) and not slots:
            return None
        found = {slot: getattr(value, slot) for slot in slots if hasattr(value, slot)}
        return {**found, **(held if isinstance(held, dict) else {})}


def _slots(kind: type) -> tuple[str, ...]:
    slots = kind.__dict__.get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))


def _own_repr(value: object) -> str:
    text = repr(value)
    if not _has_own_repr(value) or ADDRESS.search(text):
        raise Unlike(type(value).__name__)
    return text


def _has_own_repr(value: Any) -> bool:  # noqa: ANN401
    kind: Any = type(value)
    return kind.__repr__ is not object.__repr__
