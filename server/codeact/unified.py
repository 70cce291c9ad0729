r"""Patches as text, in git's own format, which `git apply` and every review tool read.

The text holds the files' bytes: what is not UTF-8 is there by `surrogateescape`, so that
`diff.encode("utf-8", "surrogateescape")` is exact.
"""

import base64
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence

from codeact.evidence import Patch
from codeact.lines import Region, changed_regions, split_lines
from codeact.trajectory import FileState

CONTEXT = 3
SYMLINK = "120000"
BINARY_LINE = 52  # bytes of a binary patch that go into one of its lines
NO_NEWLINE = b"\n\\ No newline at end of file\n"


def render(patches: Iterable[Patch], *, binary: bool = True) -> str:
    """The unified diff of some patches.

    Args:
        patches: what to show.
        binary: give the content of binary files too, so that the diff is complete; else only say that they differ.
    """
    pieces: list[bytes] = []
    for patch in patches:
        for before, after in _split_change_of_type(patch.before, patch.after):
            pieces.extend(_render_file(patch.path, before, after, binary=binary))
    return b"".join(pieces).decode("utf-8", "surrogateescape")


def is_text(state: FileState | None) -> bool:
    """Whether a file can be shown and merged line by line (git's own rule: no NUL near its beginning)."""
    return state is None or (state.mode != SYMLINK and b"\0" not in state.content[:8000])


def _split_change_of_type(
    before: FileState | None, after: FileState | None
) -> Iterator[tuple[FileState | None, FileState | None]]:
    # git has no words for a file that becomes a symlink: one goes, the other comes.
    if before and after and (before.mode == SYMLINK) != (after.mode == SYMLINK):
        yield before, None
        yield None, after
    else:
        yield before, after


def _render_file(path: str, before: FileState | None, after: FileState | None, *, binary: bool) -> Iterator[bytes]:
    old_name, new_name = _quote("a/" + path), _quote("b/" + path)
    yield b"diff --git %s %s\n" % (old_name, new_name)
    yield from _render_modes(before, after)
    old, new = before.content if before else b"", after.content if after else b""
    if before and after and old == new:
        return
    text = all(b"\0" not in content[:8000] for content in (old, new))
    digits = 12 if text else 40
    unchanged = b" " + before.mode.encode() if before and after and before.mode == after.mode else b""
    yield b"index %s..%s%s\n" % (_blob_id(before, digits), _blob_id(after, digits), unchanged)
    names = (old_name if before else b"/dev/null", new_name if after else b"/dev/null")
    if text and (old or new):
        yield b"--- %s\n+++ %s\n" % tuple(name + b"\t" * (b" " in name) for name in names)
        yield from _render_hunks(split_lines(old), split_lines(new))
    elif not text and binary:
        yield b"GIT binary patch\n"
        yield from (*_render_literal(new), *_render_literal(old))
    elif not text:
        yield b"Binary files %s and %s differ\n" % names


def _render_modes(before: FileState | None, after: FileState | None) -> Iterator[bytes]:
    if before is None and after:
        yield b"new file mode %s\n" % after.mode.encode()
    elif before and after is None:
        yield b"deleted file mode %s\n" % before.mode.encode()
    elif before and after and before.mode != after.mode:
        yield b"old mode %s\nnew mode %s\n" % (before.mode.encode(), after.mode.encode())


def _render_hunks(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[bytes]:
    for group in _group(changed_regions(old, new)):
        lead = min(CONTEXT, group[0].old_start)
        trail = min(CONTEXT, len(old) - group[-1].old_stop)
        old_span = _span(group[0].old_start - lead, group[-1].old_stop + trail)
        yield b"@@ -%s +%s @@\n" % (old_span, _span(group[0].new_start - lead, group[-1].new_stop + trail))
        at = group[0].old_start - lead
        for region in group:
            yield from _marked(b" ", old[at : region.old_start])
            yield from _marked(b"-", old[region.old_start : region.old_stop])
            yield from _marked(b"+", new[region.new_start : region.new_stop])
            at = region.old_stop
        yield from _marked(b" ", old[at : at + trail])


def _group(regions: Sequence[Region]) -> Iterator[list[Region]]:
    """Regions whose contexts would overlap or touch go together."""
    group: list[Region] = []
    for region in regions:
        if group and region.old_start - group[-1].old_stop > 2 * CONTEXT:
            yield group
            group = []
        group.append(region)
    if group:
        yield group


def _span(start: int, stop: int) -> bytes:
    # An empty span is named by the line before it.
    count = stop - start
    return b"%d" % (start + 1) if count == 1 else b"%d,%d" % (start + bool(count), count)


def _marked(mark: bytes, lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in lines:
        yield mark + line if line.endswith(b"\n") else mark + line + NO_NEWLINE


def _render_literal(content: bytes) -> Iterator[bytes]:
    yield b"literal %d\n" % len(content)
    packed = zlib.compress(content)
    for start in range(0, len(packed), BINARY_LINE):
        piece = packed[start : start + BINARY_LINE]
        size = len(piece) + (ord("A") - 1 if len(piece) <= 26 else ord("a") - 27)  # noqa: PLR2004 - letters
        yield b"%c%s\n" % (size, base64.b85encode(piece, pad=True))
    yield b"\n"


def _blob_id(state: FileState | None, digits: int) -> bytes:
    if state is None:
        return b"0" * digits
    head = b"blob %d\0" % len(state.content)
    return hashlib.sha1(head + state.content, usedforsecurity=False).hexdigest()[:digits].encode()


def _quote(name: str) -> bytes:
    """A file name as git writes it: as it is, or as a C string if it holds anything that could confuse a reader."""
    raw = name.encode("utf-8", "surrogateescape")
    try:
        raw.decode("utf-8")
        odd = re.search(rb'[\x00-\x1f\x7f"\\]', raw)
    except UnicodeDecodeError:
        odd = re.search(rb"[\x80-\xff]", raw)
    if not odd:
        return raw
    return b'"%s"' % re.sub(rb"[^ !#-\[\]-~]", lambda m: b"\\" + (m[0] if m[0] in b'"\\' else b"%03o" % ord(m[0])), raw)
