"""Running git on a store: with the store's configuration, and with nothing else of this machine or user."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from codeact.errors import SnapshotError
from codeact.snapshot.store import Store

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


def _without_foreign(variables: Mapping[str, str]) -> list[str]:
    """What takes away variables that would lead git elsewhere: whoever is started by a git hook has them."""
    foreign = [name for name in os.environ if name.startswith("GIT_") and name not in {*variables, *UNCONFIGURED}]
    return ["env", *(part for name in foreign for part in ("-u", name))] if foreign else []


def _verb(arguments: tuple[str, ...]) -> str:
    options = ("-c", "-C")
    plain = [word for before, word in zip(("", *arguments), arguments, strict=False) if before not in options]
    return next(word for word in plain if word not in options)
