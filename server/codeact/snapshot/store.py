"""The private git folder in which the snapshots of one workspace are kept. The workspace's own `.git` is never used.

One bare folder per workspace below the state folder, with an index of its own. Its `info/attributes` outranks every
`.gitattributes`, so that git copies bytes and runs no filter.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from codeact.errors import SnapshotError
from codeact.settings import Settings

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


@dataclass(frozen=True)
class Reply:
    """What a git command said."""

    status: int
    output: bytes
    problem: str

    @property
    def paths(self) -> list[str]:
        """The output as names that end with NUL."""
        return os.fsdecode(self.output).split("\0")[:-1]


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
        SnapshotError: it cannot be written, or another server has it for too long.
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
    finally:
        os.close(descriptor)


def try_lock(descriptor: int, kind: int) -> bool:
    """Take a lock if that is possible at once."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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


def make_reader(store: Store, sha256: bool) -> Path:  # noqa: FBT001 - git knows two hashes
    """A git folder without content, with which the index of a user's repository is read, and nothing of it written."""
    reader = store.path / ("reader-sha256" if sha256 else "reader")
    _fill(reader, {"HEAD": FILES["HEAD"], "config": SHA256_CONFIG if sha256 else FILES["config"]})
    put_text(reader / "info" / "exclude", (store.path / "info" / "exclude").read_text("utf-8", "surrogateescape"))
    return reader


def run_git(
    store: Store,
    *arguments: str,
    environ: Mapping[str, str | Path] | None = None,
    stdin: bytes = b"",
    check: bool = True,
    mask: int = 0o077,
    configured: bool = False,
) -> Reply:
    """Run git on a store, with no configuration but the store's.

    Args:
        store: the store.
        arguments: what to run.
        environ: variables on top.
        stdin: what git reads.
        check: whether a status other than 0 is an error.
        mask: umask for the files that git makes.
        configured: whether the user's configuration counts, too; only for asking what it is.

    Raises:
        SnapshotError: git is missing or failed.
    """
    # Imported here, since it takes 0.2 s and fails where git is missing.
    try:
        from git import Git, GitCommandNotFound  # noqa: PLC0415 - see above
    except ImportError as error:
        raise SnapshotError(MISSING) from error
    variables = {"GIT_DIR": str(store.path), **FIXED, **({} if configured else UNCONFIGURED)}
    variables |= {name: str(value) for name, value in (environ or {}).items()}
    command = [*_without_foreign(variables), "git", *arguments]
    with ExitStack() as stack:
        stream = stack.enter_context(_readable(stdin)) if stdin else None
        try:
            status, output, problem = Git(store.path).execute(
                command,
                istream=stream,
                env=variables,
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
                strip_newline_in_stdout=False,
                umask=mask,
                # A git that outlives a killed server keeps the lock until it ends, too.
                pass_fds=() if store.held is None else (store.held,),
            )
        except GitCommandNotFound as error:
            raise SnapshotError(MISSING) from error
    if check and status:
        raise SnapshotError(f"git {_verb(arguments)} failed on the snapshots in {store.path}: {problem.strip()}")
    return Reply(status, output if isinstance(output, bytes) else os.fsencode(output), problem)


@contextmanager
def _readable(content: bytes) -> Iterator[BinaryIO]:
    """A content as a file, which unlike a pipe is never full while git waits for someone to read."""
    with tempfile.TemporaryFile() as stream:
        stream.write(content)
        stream.seek(0)
        yield stream


MISSING = "git is not installed, and snapshots are made with it. Install it (apt install git, brew install git)."
FIXED = {
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
    # glibc would give back and ask again for the same 256 KiB with each compressed file: half of a first snapshot
    "MALLOC_TOP_PAD_": "16777216",
    "MALLOC_TRIM_THRESHOLD_": "268435456",
}
UNCONFIGURED = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def _without_foreign(variables: Mapping[str, str]) -> list[str]:
    """What takes away variables that would lead git elsewhere: whoever is started by a git hook has them."""
    foreign = [name for name in os.environ if name.startswith("GIT_") and name not in {*variables, *UNCONFIGURED}]
    return ["env", *(part for name in foreign for part in ("-u", name))] if foreign else []


def _verb(arguments: tuple[str, ...]) -> str:
    options = ("-c", "-C")
    plain = [word for before, word in zip(("", *arguments), arguments, strict=False) if before not in options]
    return next(word for word in plain if word not in options)


def write_blob(store: Store, content: bytes) -> str:
    """Keep a content, and return its id. Written without git, since a process takes a hundred times longer."""
    framed = b"blob %d\0%b" % (len(content), content)
    name = hashlib.sha1(framed, usedforsecurity=False).hexdigest()
    file = _loose(store, name)
    try:
        os.utime(file)  # used again: young for `prune`
    except FileNotFoundError:
        file.parent.mkdir(exist_ok=True)
        replace(file, zlib.compress(framed, 1), 0o444)
    return name


def read_blob(store: Store, name: str) -> bytes:
    """A content that was kept.

    Raises:
        SnapshotError: it is damaged or gone.
    """
    try:
        framed = zlib.decompress(_loose(store, name).read_bytes())
    except FileNotFoundError:
        return run_git(store, "cat-file", "blob", name).output
    except zlib.error as error:
        raise SnapshotError(f"The object {name} in {store.path} is damaged. Remove that folder.") from error
    return framed.partition(b"\0")[2]


def _loose(store: Store, name: str) -> Path:
    return store.path / "objects" / name[:2] / name[2:]
