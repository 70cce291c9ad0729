"""Our values as LSP's: positions, edits and diagnostics."""

import re
from collections.abc import Sequence
from pathlib import Path

from lsprotocol import types
from pygls.uris import from_fs_path, to_fs_path

from codeact.evidence import Patch
from codeact.trajectory import FileState, TestReport, TestResult
from codeact.unified import is_text

SOURCE = "codeact"
BOM = "\ufeff"
LINE_END = re.compile(r"\r\n|\r|\n")


def to_path(uri: str) -> Path | None:
    """The file that a URI names, if it names one on disk."""
    path = to_fs_path(uri)
    return Path(path) if path else None


def to_uri(path: Path) -> str:
    """The URI of a file."""
    return from_fs_path(str(path)) or path.as_uri()


def to_edits(patch: Patch, encoding: types.PositionEncodingKind | str) -> list[types.TextEdit]:
    """The hunks of a patch to an existing text file as edits of the text that it had.

    A byte order mark is no character of an editor's text.
    """
    assert patch.before is not None  # noqa: S101 - the caller creates and deletes files otherwise
    text = patch.before.content.decode("utf-8")
    mark = text.startswith(BOM)
    lines = patch.before.content.split(b"\n")
    edits = []
    for hunk in patch.hunks:
        start = len(b"\n".join([*lines[: hunk.old_start - 1], b""]).decode("utf-8"))
        stop = start + len(hunk.old.decode("utf-8"))
        first, last = (to_position(text[mark:], max(offset - mark, 0), encoding) for offset in (start, stop))
        edits.append(types.TextEdit(types.Range(first, last), hunk.new.decode("utf-8").removeprefix(BOM)))
    return edits


def to_position(text: str, offset: int, encoding: types.PositionEncodingKind | str) -> types.Position:
    """The position of a character of a text, as the client counts."""
    line, begin = 0, 0
    for end in LINE_END.finditer(text, 0, offset):
        line, begin = line + 1, end.end()
    before = text[begin:offset]
    if encoding == types.PositionEncodingKind.Utf8:
        return types.Position(line, len(before.encode("utf-8")))
    if encoding == types.PositionEncodingKind.Utf32:
        return types.Position(line, len(before))
    return types.Position(line, len(before.encode("utf-16-le")) // 2)


def is_editable(patch: Patch) -> bool:
    """Whether a patch can be sent as edits of text: UTF-8, which is all that LSP has."""
    return all(is_text(state) and _is_utf8(state) for state in (patch.before, patch.after))


def _is_utf8(state: FileState | None) -> bool:
    try:
        return state is None or state.content.decode("utf-8") is not None
    except UnicodeDecodeError:
        return False


def to_diagnostics(report: TestReport, path: str) -> list[types.Diagnostic]:
    """The failing tests of one file, each on the line where it fails."""
    found = []
    for result in report.failing:
        if result.node_id.partition("::")[0] == path:
            lines = [frame.line for frame in result.frames if frame.path == path]
            line = max((lines[-1] if lines else 1) - 1, 0)
            found.append(
                types.Diagnostic(
                    range=types.Range(types.Position(line, 0), types.Position(line, 1000)),
                    message=result.message or "The test fails.",
                    severity=types.DiagnosticSeverity.Error,
                    source=SOURCE,
                    code=result.node_id,
                )
            )
    return found


def find_test(text: str, result: TestResult) -> types.Range:
    """Where a test is defined in the text that its file has now; the first line if it is not found."""
    name = result.node_id.partition("[")[0].rpartition("::")[2]
    match = re.search(rf"^[ \t]*(?:async[ \t]+)?def[ \t]+{re.escape(name)}\b", text, re.MULTILINE)
    line = len(LINE_END.findall(text, 0, match.start())) if match else 0
    return types.Range(types.Position(line, 0), types.Position(line, 0))


def fix_command(uri: str, tests: Sequence[str]) -> types.Command:
    """The command behind lenses and quick fixes."""
    return types.Command(
        title="Fix with CodeAct", command="codeact.fix", arguments=[{"uri": uri, "tests": list(tests)}]
    )
