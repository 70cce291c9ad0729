"""What is frozen: a workspace, the repository it belongs to, and what is left out of it."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from codeact.errors import WorkspaceError
from codeact.settings import Settings, SnapshotSettings
from codeact.snapshot.command import Reply, run_git
from codeact.snapshot.files import put_text
from codeact.snapshot.repository import Repository, excludes_file, find_repository
from codeact.snapshot.sensitive import FOLDERS, HARMLESS, NAMES, Judge, make_judge
from codeact.snapshot.store import Store

FORMAT = "1"  # another one makes every index afresh
CACHES = ("__pycache__/", ".pytest_cache/", ".mypy_cache/", ".ruff_cache/", ".hypothesis/")
CACHES_WITHOUT_GIT = (*CACHES, ".tox/", ".nox/", ".eggs/", "node_modules/", ".ipynb_checkpoints/", ".hg/", ".svn/")


@dataclass(frozen=True)
class Source:
    """A workspace, ready to be looked through.

    Attributes:
        workspace: the folder, without symlinks in its path.
        top: the folder that git's rules count from: the repository's, or the workspace itself.
        repository: the one that the workspace belongs to, if any.
        excludes: path of the user's excludes file, empty for git's default.
        judge: which files may hold secrets.
        limits: caps on files and bytes.
        own: folders of CodeAct that lie inside the workspace.
    """

    workspace: Path
    top: Path
    repository: Repository | None
    excludes: str
    judge: Judge
    limits: SnapshotSettings
    own: tuple[Path, ...]

    @property
    def prefix(self) -> str:
        """The workspace's path from the top, with a `/` at its end; empty if they are the same."""
        return "" if self.workspace == self.top else f"{self.workspace.relative_to(self.top)}/"

    @property
    def options(self) -> tuple[str, ...]:
        """Options of git that make it ignore what the user's configuration says."""
        return ("-c", f"core.excludesFile={self.excludes}") if self.excludes else ()


def resolve_workspace(settings: Settings) -> Path:
    """The workspace without symlinks in its path.

    Raises:
        WorkspaceError: there is no such folder, or it cannot be read.
    """
    workspace = settings.workspace.expanduser()
    try:
        resolved = workspace.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise WorkspaceError(f"There is no folder {workspace}. Name the one to work on: --workspace DIR") from error
    if not resolved.is_dir():
        raise WorkspaceError(f"{workspace} is a file. Name the folder to work on: --workspace DIR")
    if not os.access(resolved, os.R_OK | os.X_OK):
        raise WorkspaceError(f"The folder {workspace} cannot be read. Give yourself the right to (chmod u+rx).")
    return resolved


def find_source(settings: Settings, workspace: Path, store: Store) -> Source:
    """Look where a workspace belongs; make the store's index afresh if other rules hold than did last time."""
    repository = find_repository(workspace)
    own = tuple(path for path in (settings.state.resolve(), settings.cache.resolve()) if workspace in path.parents)
    source = Source(
        workspace=workspace,
        top=repository.top if repository else workspace,
        repository=repository,
        excludes=excludes_file(store, repository),
        judge=make_judge(workspace, settings.snapshot.secrets),
        limits=settings.snapshot,
        own=own,
    )
    write_excludes(source, store, ())
    if source.prefix and _is_ignored(source, store):
        source = replace(source, top=workspace, repository=None)
        write_excludes(source, store, ())
    _forget_on_new_rules(source, store)
    return source


def look(source: Source, store: Store, *arguments: str, stdin: bytes = b"", check: bool = True) -> Reply:
    """Run a git command on the store's index and the workspace, from the workspace's folder.

    Raises:
        SnapshotError: it failed.
    """
    command = ("-C", str(source.workspace), *source.options, *arguments)
    return run_git(store, *command, environ={"GIT_WORK_TREE": source.top}, stdin=stdin, check=check)


def write_excludes(source: Source, store: Store, environments: Iterable[str]) -> None:
    """Put down what is ignored beside the `.gitignore` files, which outrank it.

    Args:
        source: the workspace.
        store: its store.
        environments: the virtual environments, relative to the workspace.
    """
    lines = list(CACHES if source.repository else CACHES_WITHOUT_GIT)
    own = [f"{path.relative_to(source.workspace)}" for path in source.own]
    lines += [f"/{_escape(source.prefix + path)}/" for path in (*own, *environments) if "\n" not in path]
    text = "".join(f"{line}\n" for line in lines)
    theirs = source.repository.common / "info" / "exclude" if source.repository else None
    if theirs and theirs.is_file():
        text += os.fsdecode(theirs.read_bytes())
    put_text(store.path / "info" / "exclude", text)


def _escape(path: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\*?[ " else letter for letter in path)


def _is_ignored(source: Source, store: Store) -> bool:
    """Whether the repository around a workspace ignores all of it: then it is a folder without git."""
    return look(source, store, "check-ignore", "-q", "--no-index", str(source.workspace), check=False).status == 0


def _forget_on_new_rules(source: Source, store: Store) -> None:
    rules = "\n".join((FORMAT, source.prefix, *source.limits.secrets, *NAMES, *FOLDERS, *HARMLESS))
    digest = hashlib.sha256(os.fsencode(rules)).hexdigest()
    known = store.path / "rules"
    if not known.exists() or known.read_text("utf-8") != digest:
        store.index.unlink(missing_ok=True)
        put_text(known, digest)
