"""A private git repository beside the workspace's own: where snapshots are kept, and the only one that is written to.

Its attributes switch off every filter and line-ending rule, its configuration every hook and monitor, so that what git
stores is what is on disk, byte for byte, and nothing of the workspace runs.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from git import Git
from git.exc import GitCommandError, GitCommandNotFound

from codeact.errors import SnapshotError
from codeact.settings import Settings

ATTRIBUTES = "* -text -eol -filter -ident -working-tree-encoding -diff -merge\n"
CONFIG = """[core]
	repositoryformatversion = 0
	bare = false
	fileMode = true
	symlinks = true
	autocrlf = false
	safecrlf = false
	fsmonitor = false
	untrackedCache = false
	hooksPath = /dev/null
	trustctime = false
	checkStat = minimal
	precomposeunicode = false
	protectNTFS = false
	protectHFS = false
[gc]
	auto = 0
[index]
	version = 4
"""
ENVIRONMENT = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


@dataclass(frozen=True)
class GitStore:
    """The private repository of one workspace."""

    folder: Path
    workspace: Path

    def run(
        self,
        *arguments: str | Path,
        tree: Path | None = None,
        index: Path | None = None,
        data: bytes = b"",
    ) -> bytes:
        """Run git on the store and return what it printed.

        Args:
            arguments: the subcommand and its arguments.
            tree: the work tree; the workspace by default.
            index: the index file; the store's own by default.
            data: standard input.

        Raises:
            SnapshotError: git failed, or is not installed.
        """
        environ = {
            **ENVIRONMENT,
            "GIT_DIR": str(self.folder),
            "GIT_WORK_TREE": str(tree or self.workspace),
            "GIT_INDEX_FILE": str(index or self.folder / "index"),
        }
        return run_git(tree or self.workspace, environ, arguments, data)


def open_store(settings: Settings) -> GitStore:
    """The store of a workspace, made if there is none yet."""
    name = hashlib.sha256(os.fsencode(settings.workspace)).hexdigest()[:20]
    folder = settings.state / "snapshots" / name
    store = GitStore(folder, settings.workspace)
    if not (folder / "HEAD").exists():
        try:
            for sub in ("objects", "refs", "info"):
                (folder / sub).mkdir(parents=True, exist_ok=True, mode=0o700)
            (folder / "config").write_text(CONFIG, "utf-8")
            (folder / "info" / "attributes").write_text(ATTRIBUTES, "utf-8")
            (folder / "workspace").write_bytes(os.fsencode(settings.workspace))
            (folder / "HEAD").write_text("ref: refs/heads/none\n", "utf-8")
        except OSError as error:
            raise SnapshotError(f"The folder for snapshots {folder} cannot be written: {error.strerror}.") from error
    return store


def run_git(folder: Path, environ: Mapping[str, str], arguments: Sequence[str | Path], data: bytes = b"") -> bytes:
    """Run git in a folder with an environment of its own.

    Raises:
        SnapshotError: git failed, or is not installed.
    """
    read, write = os.pipe()
    options: dict[str, Any] = {"stdout_as_string": False, "strip_newline_in_stdout": False, "env": dict(environ)}
    try:
        if len(data) > 60_000:  # noqa: PLR2004 - what a pipe holds before it blocks
            return _run_with_file(folder, options, arguments, data, (read, write))
        os.write(write, data)
        os.close(write)
        with os.fdopen(read, "rb") as source:
            output: bytes = Git(folder).execute(["git", *map(str, arguments)], istream=source, **options)
    except GitCommandNotFound:
        raise SnapshotError("git is not installed. Install it, for instance: apt-get install git") from None
    except GitCommandError as error:
        raise SnapshotError(f"git {arguments[0]} failed in {folder}: {str(error.stderr).strip()[:500]}") from None
    return output


def _run_with_file(
    folder: Path, options: dict[str, Any], arguments: Sequence[str | Path], data: bytes, pipe: tuple[int, int]
) -> bytes:
    import tempfile  # noqa: PLC0415 - only for the first snapshot of a large workspace

    for descriptor in pipe:
        os.close(descriptor)
    with tempfile.TemporaryFile() as source:
        source.write(data)
        source.seek(0)
        output: bytes = Git(folder).execute(["git", *map(str, arguments)], istream=source, **options)
        return output


def split(output: bytes) -> list[bytes]:
    """The entries of output that was asked for with `-z`."""
    return [entry for entry in output.split(b"\0") if entry]


def join(entries: Iterable[bytes]) -> bytes:
    """Entries as input for `-z`."""
    return b"".join(entry + b"\0" for entry in entries)
