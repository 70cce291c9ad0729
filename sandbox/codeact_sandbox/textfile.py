"""Text files as an editor should treat them: encoding, byte order mark and line ends stay as they are."""

from __future__ import annotations

import codecs
import difflib
import io
import tokenize
from pathlib import Path


def decode_source(data: bytes) -> str:
    """The text of a Python file in the encoding that it names, without a byte order mark; its line ends stay."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding)
    except (SyntaxError, UnicodeError, LookupError):
        return data.decode("utf-8", "replace")


class TextFile:
    """A file's text with plain line ends, and what it takes to write it back.

    Attributes:
        text: with a plain line feed at the end of every line, whatever the file has.
    """

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        self.path = path
        self.mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        self.encoding, self.errors = "utf-8", "surrogateescape"
        data = data[len(self.mark) :]
        text = self._decode(data)
        self.lines = text.split("\n")
        self.text = text.replace("\r\n", "\n")

    def write(self, text: str) -> None:
        """Write a new text. Lines that it shares with the old one keep their ends; others have the common one.

        Raises:
            ValueError: the file's encoding has no code for a character.
        """
        try:
            content = self._with_line_ends(text).encode(self.encoding, self.errors)
        except UnicodeEncodeError as error:
            letter = error.object[error.start]
            raise ValueError(f"{self.path.name} is encoded in {self.encoding}, which has no {letter!r}.") from None
        self.path.write_bytes(self.mark + content)

    def _decode(self, data: bytes) -> str:
        """Python files may name their encoding; all else is UTF-8, or bytes to be kept as they are."""
        if self.path.suffix == ".py" and not self.mark:
            try:
                encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
                text = data.decode(encoding)
            except (SyntaxError, UnicodeError, LookupError):
                return data.decode(self.encoding, self.errors)
            self.encoding, self.errors = encoding, "strict"
            return text
        return data.decode(self.encoding, self.errors)

    def _with_line_ends(self, text: str) -> str:
        windows = sum(line.endswith("\r") for line in self.lines)
        if not windows or "\r\n" in text:
            return text
        if windows >= len(self.lines) - 1:
            return text.replace("\n", "\r\n")
        old, new = self.text.split("\n"), text.split("\n")
        usual = "\r" if windows * 2 > len(self.lines) else ""
        ended = [line + usual for line in new[:-1]] + new[-1:]
        for block in difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
            ended[block.b : block.b + block.size] = self.lines[block.a : block.a + block.size]
        return "\n".join(ended)
