"""What the commands of the language server take: one JSON object each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import cattrs
from pygls.exceptions import JsonRpcInvalidParams

T = TypeVar("T")
_CONVERTER = cattrs.Converter(forbid_extra_keys=True)


@dataclass(frozen=True)
class FixArguments:
    """`codeact.fix`, `codeact.test`: the folder that `uri` is in, and the tests; all of them if none are named."""

    uri: str = ""
    tests: tuple[str, ...] = ()
    instruction: str = ""


@dataclass(frozen=True)
class Selection:
    """What the developer has selected: lines `start` to `end` of a file, from 1."""

    uri: str
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class AskArguments:
    """`codeact.ask`, `codeact.script`: what is wanted; `run` is the earlier question that it goes on from."""

    instruction: str
    uri: str = ""
    run: str = ""
    selection: Selection | None = None


@dataclass(frozen=True)
class RunArguments:
    """A command about one run."""

    run: str


@dataclass(frozen=True)
class ChoiceArguments:
    """A command about a run's proposal: the hunks to keep, by id; all of it if None."""

    run: str
    hunks: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ArtifactArguments:
    """`codeact.artifact`: one file that a run handed over."""

    run: str
    sha256: str


@dataclass(frozen=True)
class ModelArguments:
    """`codeact.pullModel`: which embedded model; the default one if empty."""

    name: str = ""


def parse_arguments(cls: type[T], arguments: Sequence[Any]) -> T:
    """The one object that a command takes.

    Raises:
        JsonRpcInvalidParams: there are several, or a field is wrong.
    """
    try:
        if len(arguments) > 1:
            raise TypeError("expected one object")  # noqa: TRY301 - the same answer as for a wrong object
        return _CONVERTER.structure(arguments[0] if arguments else {}, cls)
    except (cattrs.BaseValidationError, TypeError, ValueError) as error:
        details = (
            "; ".join(cattrs.transform_error(error)) if isinstance(error, cattrs.BaseValidationError) else str(error)
        )
        raise JsonRpcInvalidParams(f"Wrong arguments for this command: {details}") from None
