"""The private git folder in which the snapshots of one workspace are kept. The workspace's own `.git` is never used.

One bare folder per workspace below the state folder, with an index of its own. Its `info/attributes` outranks every
`.gitattributes`, so that git copies bytes and runs no filter.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from codeact.errors import SnapshotError
from codeact.settings import Settings
from codeact.snapshot.files import put_text, try_lock

PATIENCE = 120.0  # seconds to wait for another server that takes a snapshot of the same workspace
REGULAR, EXECUTABLE, SYMLINK = "100644", "100755", "120000"
MODES = frozenset({REGULAR, EXECUTABLE, SYMLINK})
FILES: Mapping[str, str] = {
    "HEAD": "ref: refs/heads/none\n",
    "config": """[core]
	repositoryformatversion = 0
	bare = false
	fileMode = true
	symlinks = true
	ignoreCase = false
	precomposeUnicode = false
	protectHFS = false
	protectNTFS = false
	autocrlf = false
	safecrlf = false
	fsmonitor = false
	untrackedCache = false
	splitIndex = false
	sparseCheckout = false
	hooksPath = /dev/null
	compression = 1
[gc]
	auto = 0
	packRefs = false
	writeCommitGraph = false
[maintenance]
	auto = false
""",
    # `!working-tree-encoding`, since git takes `-working-tree-encoding` for a mistake
    "info/attributes": "* -text -crlf -eol -filter -ident !working-tree-encoding\n",
}
SHA256_CONFIG = """[core]
	repositoryformatversion = 1
	bare = false
	fsmonitor = false
[extensions]
	objectFormat = sha256
"""


@dataclass(frozen=True)
class Store:
    """A workspace's private git folder. `held` is the descriptor of its lock, which children inherit."""

    path: Path
    held: int | None = None

    @property
    def index(self) -> Path:
        """What the newest snapshot holds, with what git remembers of each file to see whether it changed."""
        return self.path / "index"


def store_path(settings: Settings, workspace: Path) -> Path:
    """Where a workspace's store is; it need not exist."""
    name = hashlib.sha256(os.fsencode(workspace)).hexdigest()[:20]
    return settings.state / "snapshots" / name


def mirrors_path(settings: Settings, store: Path) -> Path:
    """Where a store's snapshots appear as files; it need not exist."""
    return settings.cache / "mirrors" / store.name


@contextmanager
def lock_store(path: Path, workspace: Path) -> Iterator[Store]:
    """Make a store if there is none, and have it alone.

    Raises:
        SnapshotError: it cannot be written, also later, or another server has it for too long.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SnapshotError(f"Snapshots cannot be kept in {path}: {error.strerror}. Make it writable.") from error
    try:
        _wait_for(descriptor, workspace)
        for stale in path.glob("*.lock"):  # of a git that was killed: nobody else can be at work here
            stale.unlink()
        _fill(path, {**FILES, "workspace": f"{workspace}\n"})
        yield Store(path, descriptor)
    except OSError as error:
        raise SnapshotError(f"A snapshot of {workspace} cannot be kept in {path}: {error}.") from error
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, workspace: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not try_lock(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            raise SnapshotError(
                f"Another CodeAct has been taking a snapshot of {workspace} for {PATIENCE:.0f} s. "
                "End it, then try again."
            )
        time.sleep(0.01)


def _fill(path: Path, files: Mapping[str, str]) -> None:
    for folder in ("objects", "refs", "info", "scratch"):
        (path / folder).mkdir(exist_ok=True, parents=True)
    for name, text in files.items():
        put_text(path / name, text)


def make_reader(store: Store, sha256: bool) -> Path:  # noqa: FBT001 - git knows two hashes
    """A git folder without content, with which the index of a user's repository is read, and nothing of it written."""
    reader = store.path / ("reader-sha256" if sha256 else "reader")
    _fill(reader, {"HEAD": FILES["HEAD"], "config": SHA256_CONFIG if sha256 else FILES["config"]})
    put_text(reader / "info" / "exclude", (store.path / "info" / "exclude").read_text("utf-8", "surrogateescape"))
    return reader
