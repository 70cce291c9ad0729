"""A file that the user has already."""

from pathlib import Path

from codeact.models.embedded import EmbeddedModel
from codeact.models.sources.base import BLOCK, Done, SourceFailed


class CopySource:
    """A file on this machine. It is copied, since the user may change or remove it."""

    key = "copy"

    def __init__(self, file: Path) -> None:
        self.name = str(file)
        self._file = file

    def fetch(self, model: EmbeddedModel, partial: Path, on_done: Done) -> None:
        """Copy the file; see `Source`."""
        if not self._file.is_file():
            raise SourceFailed("there is no such file")
        if self._file.stat().st_size != model.size:
            raise SourceFailed(f"it has {self._file.stat().st_size} bytes, the model has {model.size}")
        with self._file.open("rb") as source, partial.open("wb") as target:
            while block := source.read(BLOCK):
                target.write(block)
                on_done(target.tell())
