"""Workspaces for tests, made with the git program as a developer would."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codeact.settings import Settings, SnapshotSettings
from codeact.snapshot import Snapshot, list_files, read_file

IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "protocol.file.allow=always")


def git(folder: Path, *arguments: str) -> str:
    """Run git as the developer."""
    command = ["git", *IDENTITY, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def make_repository(folder: Path, files: Mapping[str, str | bytes] | None = None) -> Path:
    """A repository with one commit."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    write(folder, files or {})
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "start")
    return folder


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files."""
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)


def make_settings(tmp_path: Path, workspace: Path, **snapshot: object) -> Settings:
    """Settings with state and cache beside the workspace."""
    return Settings(
        workspace=workspace,
        snapshot=SnapshotSettings(**snapshot),  # type: ignore[arg-type]  # the tests' own literals
        state=tmp_path / "state",
        cache=tmp_path / "cache",
    )


TAKE = """
import sys
from pathlib import Path
from codeact.errors import CodeActError
from codeact.settings import Settings
from codeact.snapshot import take_snapshot
folder = Path(sys.argv[1])
try:
    snapshot = take_snapshot(Settings(workspace=folder / "work", state=folder / "state", cache=folder / "cache"))
except CodeActError as error:
    print(type(error).__name__, error)
else:
    print(snapshot.tree, *(f"{left.path}: {left.reason}" for left in snapshot.left_out), sep="\\n")
"""


def take_elsewhere(folder: Path, *wrapper: str, **options: Any) -> str:
    """Take a snapshot of the folder's `work` in a process of its own; return its id and what it leaves out."""
    command = [*wrapper, sys.executable, "-c", TAKE, str(folder)]
    told: str = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout
    return told.strip()


def contents(snapshot: Snapshot) -> dict[str, bytes]:
    """All files of a snapshot."""
    states = {path: read_file(snapshot, path) for path in list_files(snapshot)}
    return {path: state.content for path, state in states.items() if state}


def on_disk(folder: Path) -> dict[str, tuple[str, bytes]]:
    """All files below a folder with kind and content; symlinks are not followed."""
    found = {}
    for parent, folders, names in os.walk(folder):
        for name in (*names, *(inner for inner in folders if Path(parent, inner).is_symlink())):
            place = Path(parent, name)
            path = os.path.relpath(place, folder)
            if place.is_symlink():
                found[path] = ("120000", os.fsencode(place.readlink()))
            else:
                found[path] = ("100755" if place.stat().st_mode & 0o100 else "100644", place.read_bytes())
    return found


def fingerprint(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything about every file and folder below a folder that a write could change."""
    found: dict[str, tuple[object, ...]] = {}
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names, "."):
            place = Path(parent, name)
            status = place.lstat()
            digest = hashlib.sha256(place.read_bytes()).hexdigest() if place.is_file() else ""
            facts = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, digest)
            found[os.path.relpath(place, folder)] = facts
    return found
