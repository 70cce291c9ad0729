"""The user's git repositories: where they are and what they leave out. Everything here only reads."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeact.errors import SnapshotError
from codeact.snapshot.command import run_git
from codeact.snapshot.store import Store, make_reader


@dataclass(frozen=True)
class Repository:
    """A git repository.

    Attributes:
        top: the folder that holds its files.
        git: its git folder.
        common: what worktrees share of it.
    """

    top: Path
    git: Path
    common: Path


def find_repository(folder: Path) -> Repository | None:
    """The repository that a folder belongs to: the innermost, on the same file system, as git looks for it."""
    for top in _same_device(folder):
        if found := repository_at(top):
            return found
    return None


def _same_device(folder: Path) -> Iterator[Path]:
    device = folder.stat().st_dev
    for parent in (folder, *folder.parents):
        if parent.stat().st_dev != device:
            return
        yield parent


def repository_at(top: Path) -> Repository | None:
    """The repository whose files a folder holds: it has a `.git` folder, or a `.git` file that leads to one."""
    git = top / ".git"
    try:
        if git.is_file():
            text = os.fsdecode(git.read_bytes()).removesuffix("\n")
            if not text.startswith("gitdir: "):
                return None
            git = (top / text.removeprefix("gitdir: ")).resolve()
        if not (git / "HEAD").exists():
            return None
        shared = git / "commondir"
        common = (git / os.fsdecode(shared.read_bytes()).strip()).resolve() if shared.exists() else git
    except OSError:
        return None
    return Repository(top, git, common)


def excludes_file(store: Store, repository: Repository | None) -> str:
    """The excludes file that the user's configuration names; empty for git's default."""
    environ = {"GIT_DIR": repository.git} if repository else None
    question = ("config", "-z", "--type=path", "--get", "core.excludesFile")
    return "".join(run_git(store, *question, environ=environ, check=False, configured=True).paths)


def default_excludes() -> Path:
    """Where git looks for the user's excludes if the configuration names no file."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()) / "git" / "ignore"


def list_tracked(
    store: Store, repository: Repository, folder: Path, options: Sequence[str], *selection: str
) -> list[str]:
    """The files below a folder that a repository tracks, relative to the folder.

    The repository's index is read through a git folder of ours: git would note in the user's own that it was read.

    Args:
        store: whose ignore rules hold.
        repository: whose index is read.
        folder: where to look.
        options: of git.
        selection: which of them, as options of `git ls-files`.

    Raises:
        SnapshotError: the index is damaged.
    """
    index = repository.git / "index"
    if not index.exists():
        return []
    reader = make_reader(store, uses_sha256(repository))
    _copy_shared(repository, reader)
    environ = {"GIT_DIR": reader, "GIT_WORK_TREE": repository.top, "GIT_INDEX_FILE": index}
    command = (*options, "ls-files", "-z", *(("--sparse",) if _is_sparse(repository) else ()), *selection)
    reply = run_git(store, "-C", str(folder), *command, environ=environ, check=False)
    if reply.status:
        raise SnapshotError(f"The git index {index} cannot be read. Mend it (git status tells more): {reply.problem}")
    return reply.paths


def _copy_shared(repository: Repository, reader: Path) -> None:
    """Copy what a split index builds on: git looks for it in its own folder, and notes there that it was used."""
    shared = {file.name: file for file in repository.git.glob("sharedindex.*")}
    for copy in reader.glob("sharedindex.*"):
        if not shared.pop(copy.name, None):
            copy.unlink()
    for name, file in shared.items():
        shutil.copyfile(file, reader / name)


def _is_sparse(repository: Repository) -> bool:
    """Whether folders in the index stand for files that are not on disk, so that git would have to look them up."""
    return (repository.git / "info/sparse-checkout").exists() and b"sdir\0\0\0\0" in (
        repository.git / "index"
    ).read_bytes()


def uses_sha256(repository: Repository) -> bool:
    """Whether its object ids are SHA-256."""
    try:
        configuration = (repository.common / "config").read_text("utf-8", "replace").lower()
    except OSError:
        return False
    return re.search(r"^\s*objectformat\s*=\s*sha256", configuration, re.MULTILINE) is not None
