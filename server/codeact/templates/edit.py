"""One edit of a file, and the text that edits are made of."""

import ast
from dataclasses import dataclass
from itertools import accumulate

Position = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Edit:
    """Other text for a part of a file.

    Attributes:
        path: the file.
        line: 1-based line at which it is.
        what: the edit in a few words, for people: "`<` becomes `<=`".
        start: where the old text begins, as an offset into the file's bytes.
        stop: where it ends.
        text: what stands there instead.
        cost: how unlikely such a mistake is, and how much it may change; lower is tried first.
    """

    path: str
    line: int
    what: str
    start: int
    stop: int
    text: str
    cost: float

    def apply(self, source: str) -> str:
        """The file with the edit."""
        content = source.encode("utf-8", "surrogateescape")
        text = self.text.encode("utf-8", "surrogateescape")
        return (content[: self.start] + text + content[self.stop :]).decode("utf-8", "surrogateescape")


class Text:
    """A file's text, by the places of its nodes: a 1-based line, and a column in UTF-8 bytes."""

    def __init__(self, path: str, source: str) -> None:
        self.path = path
        self.lines = [line + b"\n" for line in source.encode("utf-8", "surrogateescape").split(b"\n")]
        self.offsets = [0, *accumulate(len(line) for line in self.lines)]

    def of(self, node: ast.expr | ast.stmt) -> str:
        """The text of a node."""
        return self.slice(begin(node), end(node))

    def slice(self, first: Position, last: Position) -> str:
        """The text between two places."""
        if first[0] == last[0]:
            return self.lines[first[0] - 1][first[1] : last[1]].decode("utf-8", "surrogateescape")
        middle = self.lines[first[0] : last[0] - 1]
        parts = [self.lines[first[0] - 1][first[1] :], *middle, self.lines[last[0] - 1][: last[1]]]
        return b"".join(parts).decode("utf-8", "surrogateescape")

    def whole_lines(self, node: ast.stmt) -> list[str]:
        """The lines that a statement is on, with their ends."""
        lines = self.lines[node.lineno - 1 : end(node)[0]]
        return [line.decode("utf-8", "surrogateescape") for line in lines]

    def replace(self, node: ast.expr | ast.stmt, text: str, cost: float, what: str = "") -> Edit:
        """Other text for a node."""
        what = what or f"`{self.of(node)}` becomes `{text}`"
        return self.replace_span(begin(node), end(node), text, node.lineno, what, cost)

    def replace_span(self, first: Position, last: Position, text: str, line: int, what: str, cost: float) -> Edit:
        """Other text for what is between two places."""
        return Edit(
            path=self.path,
            line=line,
            what=what,
            start=self.offsets[first[0] - 1] + first[1],
            stop=self.offsets[last[0] - 1] + last[1],
            text=text,
            cost=cost,
        )


def begin(node: ast.expr | ast.stmt) -> Position:
    """Where a node begins."""
    return node.lineno, node.col_offset


def end(node: ast.expr | ast.stmt) -> Position:
    """Where a node ends."""
    return node.end_lineno or node.lineno, node.end_col_offset or 0
