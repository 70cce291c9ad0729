r"""The values of a run as JSON and back: for `--json`, the journal and the editor.

The rules, the same everywhere:

- A dataclass is an object with its fields' names, an enum its value, a tuple a list.
- Bytes are `{"text": "..."}` if they are UTF-8, else `{"base64": "..."}`. The journal keeps large ones in files beside
  itself and writes `{"sha256": "..."}` instead.
- An event has its name in `event`; `started` and `result` also have the version of these rules in `schema`.
- A `Secret` is `"***"`, and cannot be read back.
- Text is pure ASCII with `\u` escapes, so bytes of file names that are not UTF-8 (lone surrogates) survive.
"""

import base64
import json
import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from codeact.errors import WireError
from codeact.events import (
    SCHEMA_VERSION,
    CauseTried,
    Event,
    Grouped,
    Localised,
    ModelAnswered,
    ModelChosen,
    ModelText,
    PackagesAdded,
    Progress,
    Recalled,
    RunEnded,
    RunStarted,
    SnapshotTaken,
    StepTaken,
    TestsRan,
    Triaged,
)
from codeact.settings import Secret

T = TypeVar("T")

EVENTS: Mapping[str, type] = {
    "started": RunStarted,
    "progress": Progress,
    "snapshot": SnapshotTaken,
    "tests": TestsRan,
    "triaged": Triaged,
    "grouped": Grouped,
    "tried": CauseTried,
    "recalled": Recalled,
    "localised": Localised,
    "packages": PackagesAdded,
    "chosen": ModelChosen,
    "text": ModelText,
    "model": ModelAnswered,
    "step": StepTaken,
    "result": RunEnded,
}
VERSIONED = (RunStarted, RunEnded)
TAGS: Mapping[type, Mapping[str, object]] = {
    cls: {"event": name} | ({"schema": SCHEMA_VERSION} if cls in VERSIONED else {}) for name, cls in EVENTS.items()
}


def to_json(value: object) -> Any:  # noqa: ANN401 - JSON has no better type
    """Turn a value of the project into what `json` can write."""
    return _CONVERTER.unstructure(value)


def from_json(cls: type[T], data: object) -> T:
    """Read back a value.

    Raises:
        WireError: a field is missing, unknown or of the wrong type; the message names it.
    """
    return structure(_CONVERTER, cls, data)


def event_from_json(data: object) -> Event:
    """Read back an event of any kind, by its name.

    Raises:
        WireError: no such event, or a field of it is wrong.
    """
    name = data.get("event") if isinstance(data, Mapping) else None
    if not isinstance(name, str) or name not in EVENTS:
        raise WireError(f"No event is called {name!r}. Known are: {', '.join(EVENTS)}.")
    event: Event = from_json(EVENTS[name], data)
    return event


def to_line(value: object) -> str:
    """Write a value as one line of ASCII, without its line end."""
    return dump(to_json(value))


def dump(data: object) -> str:
    """Write JSON compactly, in ASCII."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False)


def printable(text: str) -> str:
    """Text that any terminal takes: what cannot be encoded, and control characters, become escapes; lines stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def encode_bytes(content: bytes) -> dict[str, str]:
    """Bytes as `{"text": ...}` if they are UTF-8, else as `{"base64": ...}`."""
    try:
        return {"text": content.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode("ascii")}


def decode_bytes(data: object) -> bytes:
    """The opposite of `encode_bytes`.

    Raises:
        ValueError: it is something else.
    """
    match data:
        case {"text": str(text), **rest} if not rest:
            return text.encode("utf-8")
        case {"base64": str(text), **rest} if not rest:
            return base64.b64decode(text, validate=True)
    raise ValueError("expected an object with either text or base64")


def structure(converter: cattrs.Converter, cls: type[T], data: object) -> T:
    """Read a value with a converter from `make_converter`; errors as in `from_json`."""
    try:
        return converter.structure(data, cls)
    except cattrs.BaseValidationError as error:
        details = "; ".join(line.replace("$.", "") for line in cattrs.transform_error(error, path="$"))
        raise WireError(f"This is no valid {cls.__name__}: {details}.") from None
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise WireError(f"This is no valid {cls.__name__}: {error}.") from None


def make_converter(
    encode: Callable[[bytes], object] = encode_bytes, decode: Callable[[object], bytes] = decode_bytes
) -> cattrs.Converter:
    """A converter that follows the rules above, with other rules for bytes if wanted."""
    converter = cattrs.Converter(forbid_extra_keys=True, unstruct_collection_overrides={tuple: list})
    for cls in (str, bool, int, float):
        converter.register_structure_hook(cls, _read_plain)
    converter.register_structure_hook(StrEnum, lambda data, cls: cls(_read_plain(data, str)))  # else read as `str`
    converter.register_unstructure_hook(float, lambda value: value if math.isfinite(value) else 0.0)  # JSON has no NaN
    converter.register_unstructure_hook(bytes, encode)
    converter.register_structure_hook(bytes, lambda data, _: decode(data))
    converter.register_unstructure_hook(Path, str)
    converter.register_unstructure_hook_func(lambda cls: isinstance(cls, type) and issubclass(cls, Path), str)
    converter.register_structure_hook(Path, lambda data, _: Path(_read_plain(data, str)))
    converter.register_unstructure_hook(Secret, lambda _: "***")
    converter.register_structure_hook(Secret, _refuse_secret)
    # Factories, since the code that reads and writes a class takes milliseconds to generate: only what is used is made.
    converter.register_unstructure_hook_factory(TAGS.__contains__, lambda cls: _make_writer(converter, cls))
    converter.register_structure_hook_factory(TAGS.__contains__, lambda cls: _make_reader(converter, cls))
    return converter


def _make_writer(converter: cattrs.Converter, cls: type) -> Callable[[Any], dict[str, Any]]:
    write: Callable[[Any], dict[str, Any]] = make_dict_unstructure_fn(cls, converter)
    return lambda event: {**TAGS[cls], **write(event)}


def _make_reader(converter: cattrs.Converter, cls: type) -> Callable[[object, type], Any]:
    read: Callable[[Any, Any], Any] = make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=True)

    def read_tagged(data: object, _: type) -> Any:  # noqa: ANN401 - an instance of `cls`
        if not isinstance(data, Mapping):
            raise TypeError(f"expected an object, not {data!r:.80}")
        for tag, expected in TAGS[cls].items():
            if data.get(tag) != expected:
                raise ValueError(f"expected {tag} to be {expected!r}, not {data.get(tag)!r:.80}")
        return read({key: value for key, value in data.items() if key not in TAGS[cls]}, cls)

    return read_tagged


def _read_plain(data: object, cls: type) -> Any:  # noqa: ANN401 - an instance of `cls`
    # Never coerce: a number that arrives as text is a mistake on the other side.
    kinds = (int, float) if cls is float else (cls,)
    if not isinstance(data, kinds) or (isinstance(data, bool) and cls is not bool):
        raise TypeError(f"expected {cls.__name__}, not {data!r:.80}")
    return cls(data)


def _refuse_secret(_data: object, _cls: type) -> Secret:
    raise ValueError("a secret is never read from JSON")


_CONVERTER = make_converter()
