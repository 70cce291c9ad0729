"""The empty image: folders to mount on and a few files of /etc, so that nothing is fetched and nothing is built."""

import hashlib
import io
import tarfile
from functools import cache

from docker import APIClient

from codeact.sandboxes import layout

NAME = "codeact-base"
FOLDERS = ("dev", "etc", "etc/fonts", "proc", "run", "sys", "tmp", "usr", "var", "var/tmp")


def tag() -> str:
    """The image's name: another content has another name."""
    return f"{NAME}:{hashlib.sha256(_archive()).hexdigest()[:16]}"


def ensure(client: APIClient) -> None:
    """Give the engine the image, unless it has it."""
    name, _, version = tag().partition(":")
    if not client.images(tag(), quiet=True):
        client.import_image_from_data(_archive(), repository=name, tag=version)


@cache
def _archive() -> bytes:
    """The image's content as a tar file; the same bytes for the same content."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name in FOLDERS:
            archive.addfile(_entry(name, tarfile.DIRTYPE, mode=0o1777 if name.endswith("tmp") else 0o755))
        for path, link in layout.system_folders():
            entry = _entry(path.lstrip("/"), tarfile.SYMTYPE if link else tarfile.DIRTYPE)
            entry.linkname = link or ""
            archive.addfile(entry)
        for path, text in layout.etc_files().items():
            entry = _entry(path.lstrip("/"), tarfile.REGTYPE, mode=0o644)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return content.getvalue()


def _entry(name: str, kind: bytes, mode: int = 0o755) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = kind, mode, 0
    return entry
