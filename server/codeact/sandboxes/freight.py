"""Folders that travel to an engine by content: into a volume of its own, each version once, and of it only what is new.

The volume holds trees: folders that are written once and never change. A file that an earlier tree has too becomes a
hard link to it there, so that a snapshot after an edit is a list of names and one file. What is complete is noted last.
Containers that never start carry the files in: nothing runs on the engine for this.
"""

import hashlib
import io
import json
import os
import secrets
import stat
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

from docker import APIClient
from docker.errors import NotFound

HOLD = "hold"  # where the carrier has the volume
LEFT_OUT = frozenset({"__pycache__"})
SMALL = 32 << 20
MAX_TREES = 40  # in one volume


@dataclass(frozen=True)
class Tree:
    """A folder's content: for each path its mode, and what it holds (a digest, or a link's target).

    What is new of a tree is sought in the last one of its `kind`.
    """

    kind: str
    root: Path
    entries: Mapping[str, tuple[int, str]]

    @property
    def id(self) -> str:
        """The same for the same content, after `KIND/`."""
        return f"{self.kind}/{hashlib.sha256(json.dumps(sorted(self.entries.items())).encode()).hexdigest()[:32]}"


def read_tree(kind: str, root: Path) -> Tree:
    """Read a folder, with the digests of its files."""
    entries = {}
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in LEFT_OUT]
        for name in (*names, *files):
            path = Path(folder, name)
            found = path.lstat()
            if stat.S_ISREG(found.st_mode):
                digest = _digest(str(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns)
                content = f"{stat.S_IMODE(found.st_mode):o}-{digest}"  # links share the mode
            else:
                content = str(path.readlink()) if stat.S_ISLNK(found.st_mode) else ""
            entries[str(path.relative_to(root))] = (found.st_mode, content)
    return Tree(kind, root, entries)


def known_trees(client: APIClient, carrier: str) -> dict[str, str]:
    """The trees that the carrier's volume holds, by id, and the name of each one's folder; the newest last."""
    listed = _fetch(client, carrier, f"/{HOLD}/done")
    return {tree_id: content.decode("ascii") for tree_id, content in listed.items()}


def pack(
    client: APIClient,
    carrier: str,
    known: dict[str, str],
    tree: Tree,
    user: tuple[int, int],
    archive: tarfile.TarFile,
) -> str:
    """Add to an archive what the volume lacks of a tree; tell its folder there."""
    if tree.id in known:
        return known[tree.id]
    name = f"{tree.id.replace('/', '-')}-{secrets.token_hex(4)}"  # two servers may send the same at once
    last = next((tree_id for tree_id in reversed(known) if tree_id.startswith(f"{tree.kind}/")), "")
    have = _held(client, carrier, last, known[last]) if last else {}
    for entry, content in _entries(tree, name, have):
        entry.uid, entry.gid = user
        archive.addfile(entry, content)
        if content:
            content.close()
    held = {content: path for path, (mode, content) in tree.entries.items() if stat.S_ISREG(mode)}
    _add_text(archive, f"{HOLD}/manifests/{tree.id}", json.dumps(held))
    _add_text(archive, f"{HOLD}/done/{tree.id}", name)
    return name


def open_archive() -> tuple[IO[bytes], tarfile.TarFile]:
    """A place for an archive, and the archive."""
    place = tempfile.SpooledTemporaryFile(SMALL)  # noqa: SIM115 - whoever asked for it closes it
    return place, tarfile.open(fileobj=place, mode="w:gz", compresslevel=1, format=tarfile.PAX_FORMAT)


def add_folder(archive: tarfile.TarFile, name: str, user: tuple[int, int]) -> None:
    """Add an empty folder that a user owns."""
    entry = _entry(name, tarfile.DIRTYPE, 0o755)
    entry.uid, entry.gid = user
    archive.addfile(entry)


def _held(client: APIClient, carrier: str, tree_id: str, name: str) -> dict[str, str]:
    """Where in the volume the content of a tree's files lies."""
    manifest = _fetch(client, carrier, f"/{HOLD}/manifests/{tree_id}").get("", b"{}")
    return {content: f"{HOLD}/trees/{name}/{path}" for content, path in json.loads(manifest).items()}


def _entries(tree: Tree, name: str, have: Mapping[str, str]) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    yield _entry(f"{HOLD}/trees/{name}", tarfile.DIRTYPE, 0o755), None
    for path, (mode, content) in sorted(tree.entries.items()):
        target = f"{HOLD}/trees/{name}/{path}"
        if stat.S_ISDIR(mode):
            yield _entry(target, tarfile.DIRTYPE, mode), None
        elif stat.S_ISLNK(mode):
            yield _entry(target, tarfile.SYMTYPE, mode, content), None
        elif content in have:
            yield _entry(target, tarfile.LNKTYPE, mode, have[content]), None
        else:
            file = (tree.root / path).open("rb")
            entry = _entry(target, tarfile.REGTYPE, mode)
            entry.size = os.fstat(file.fileno()).st_size
            yield entry, file


def _entry(name: str, kind: bytes, mode: int, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname, entry.mtime = kind, stat.S_IMODE(mode), link, int(time.time())
    return entry


def _add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    entry = _entry(name, tarfile.REGTYPE, 0o644)
    entry.size = len(text.encode())
    archive.addfile(entry, io.BytesIO(text.encode()))


def _fetch(client: APIClient, carrier: str, path: str) -> dict[str, bytes]:
    """Small files of a carrier's volume, the oldest first, by their path below the one asked for."""
    try:
        stream, _ = client.get_archive(carrier, path)
    except NotFound:
        return {}
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        files = sorted((member for member in archive if member.isfile()), key=lambda member: member.mtime)
        found = {}
        for member in files:
            content = archive.extractfile(member)
            found[member.name.partition("/")[2]] = content.read() if content else b""
    return found


@lru_cache(maxsize=200_000)
def _digest(path: str, size: int, _mtime: int, _ctime: int) -> str:
    """A file's digest, worked out again when its size or times change."""
    with open(path, "rb") as file:  # noqa: PTH123 - for a path in text
        return f"{size}-{hashlib.file_digest(file, 'sha256').hexdigest()[:40]}"
