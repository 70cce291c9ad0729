"""What `pull` knows of a source."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from codeact.models.embedded import EmbeddedModel

BLOCK = 1024 * 1024
Done = Callable[[int], None]


class SourceFailed(Exception):
    """A source does not have the file, or cannot be reached; the text says why."""


class Source(Protocol):
    """One place.

    Attributes:
        name: for messages.
        key: for the names of files.
    """

    name: str
    key: str

    def fetch(self, model: EmbeddedModel, partial: Path, on_done: Done) -> None:
        """Make `partial` complete, going on where it ends; `on_done` is told how many bytes it has.

        Raises:
            SourceFailed: it cannot.
        """
        ...
