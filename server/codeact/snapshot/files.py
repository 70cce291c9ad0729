"""Small files and locks: written in one go, so that whoever looks sees all of it or nothing."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path


def put_text(file: Path, text: str) -> None:
    """Make a small file hold a text, in one go; leave it alone if it does."""
    content = os.fsencode(text)
    try:
        if file.read_bytes() == content:
            return
    except FileNotFoundError:
        file.parent.mkdir(parents=True, exist_ok=True)
    replace(file, content)


def stamp(file: Path) -> str:
    """Another text when a file has changed; empty if there is none."""
    try:
        status = file.stat()
    except OSError:
        return ""
    return f"{status.st_mtime_ns} {status.st_size} {status.st_ino}"


def replace(file: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file so that whoever looks sees all of it or nothing."""
    descriptor, beside = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}.")
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        os.fchmod(descriptor, mode)
    Path(beside).replace(file)


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it, if it is there; also where it may not be written."""
    shutil.rmtree(folder, ignore_errors=True)


def try_lock(descriptor: int, kind: int) -> bool:
    """Take a lock if that is possible at once."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
