"""The user's git repositories: where they are and what they leave out. Everything here only reads."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from codeact.errors import SnapshotError
from codeact.snapshot.store import SHA1, SHA256, Store, make_reader, run_git


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


@dataclass(frozen=True)
class Configuration:
    """What matters of the user's configuration: the excludes file, empty for git's default, and the hash in use."""

    excludes: str = ""
    hash: str = SHA1


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


def read_configuration(store: Store, repository: Repository | None) -> Configuration:
    """Ask git for the user's configuration, from all the places where it looks."""
    wanted = r"^(core\.excludesfile|extensions\.objectformat)$"
    # Empty is not unset for git: these name the user's files again, in git's own order.
    environ: dict[str, str | Path] = {"GIT_CONFIG_GLOBAL": _global_file(), "GIT_CONFIG_NOSYSTEM": "0"}
    environ |= {"GIT_DIR": repository.git} if repository else {}
    reply = run_git(store, "config", "-z", "--type=path", "--get-regexp", wanted, environ=environ, check=False)
    values = dict(entry.partition("\n")[::2] for entry in reply.paths)
    kind = SHA256 if values.get("extensions.objectformat") == SHA256 else SHA1
    return Configuration(values.get("core.excludesfile", ""), kind)
