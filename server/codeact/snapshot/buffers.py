"""Texts that are not saved yet: where they belong, and the bytes that saving them would write."""

import codecs
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from codeact.errors import SnapshotError, WorkspaceError
from codeact.snapshot.source import Source, look
from codeact.snapshot.store import EXECUTABLE, REGULAR, Store
from codeact.trajectory import FileState

COOKIE = re.compile(r"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
BLANK = re.compile(r"^[ \t\f]*(?:#.*)?$")
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"))
BIG_ENDIAN = ((codecs.BOM_UTF32_BE, "utf-32-be"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def place_buffers(
    source: Source, store: Store, buffers: Mapping[str, str]
) -> tuple[dict[str, FileState], dict[str, str]]:
    """What the buffers put into a snapshot, and which of them are left out, and why.

    Args:
        source: the workspace.
        store: its store, which is up to date.
        buffers: unsaved texts by path, relative to the workspace.

    Raises:
        WorkspaceError: a path names something outside of the workspace.
    """
    placed: dict[str, FileState] = {}
    left_out: dict[str, str] = {}
    for name, text in buffers.items():
        path = _locate(source.workspace, name)
        if reason := _reason(source, path):
            left_out[name] = reason
        elif path:
            placed[path] = _state(source.workspace / path, text)
    for path in _ignored(source, store, placed):
        del placed[path]
    return placed, left_out


def _locate(workspace: Path, name: str) -> str | None:
    """The file that saving a buffer would write, relative to the workspace; None if a symlink leads out of it."""
    if Path(name).is_absolute() or ".." in name.split("/") or "\0" in name or not name.strip("/"):
        raise WorkspaceError(f"The unsaved file {name!r} does not lie in {workspace}. Leave it out.")
    real = os.path.realpath(workspace / name)
    return os.path.relpath(real, workspace) if real.startswith(f"{workspace}{os.sep}") else None


def _reason(source: Source, path: str | None) -> str:
    if path is None:
        return "a symlink leads out of the workspace there"
    if ".git" in path.casefold().split("/"):
        return "it belongs to git"
    place = source.workspace / path
    if place.exists() and not place.is_file():
        return "it is no regular file"
    return source.judge(path)


def _ignored(source: Source, store: Store, paths: Mapping[str, FileState]) -> list[str]:
    """Those that the workspace's rules ignore, and that nobody tracks."""
    if not paths:
        return []
    stdin = os.fsencode("".join(f"{path}\0" for path in paths))
    reply = look(source, store, "check-ignore", "-z", "--stdin", stdin=stdin, check=False)
    if reply.status > 1:
        raise SnapshotError(f"git cannot tell whether an unsaved file is ignored: {reply.problem.strip()}")
    return reply.paths


def _state(place: Path, text: str) -> FileState:
    try:
        old, mode = place.read_bytes(), place.stat().st_mode
    except OSError:
        old, mode = b"", 0
    return FileState(encode(text, old, place.suffix), EXECUTABLE if mode & stat.S_IXUSR else REGULAR)


def encode(text: str, old: bytes, suffix: str) -> bytes:
    """A text in the encoding of the file that it will replace: that of its byte order mark, its cookie, or UTF-8.

    Args:
        text: the new content.
        old: the file's content now.
        suffix: of the file's name; only Python has cookies.
    """
    text = text.removeprefix("\ufeff") if old else text
    for mark, encoding in (*MARKS, *BIG_ENDIAN):
        if old.startswith(mark):
            return _try(text, encoding, mark if encoding.endswith("-be") else b"")
    return _try(text, _cookie(text) if suffix in (".py", ".pyi", ".pyw") else "utf-8", b"")


def _cookie(text: str) -> str:
    for line in text.splitlines()[:2]:
        if found := COOKIE.match(line):
            return found[1]
        if not BLANK.match(line):
            break
    return "utf-8"


def _try(text: str, encoding: str, mark: bytes) -> bytes:
    try:
        return mark + text.encode(encoding)
    except (LookupError, UnicodeError):
        return text.encode("utf-8", "surrogatepass")
