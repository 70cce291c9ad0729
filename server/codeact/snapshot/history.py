"""What became of some files before the snapshot: as the last commit has them, and as they were before a few commits.

It is read from the developer's repository, with no configuration of it, so nothing is fetched or run.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from codeact.errors import SnapshotError
from codeact.snapshot.command import run_git
from codeact.snapshot.frozen import Snapshot
from codeact.snapshot.repository import Repository, find_repository, uses_sha256
from codeact.snapshot.store import Store, make_reader

MAX_COMMITS = 30
MAX_VERSIONS = 4
MAX_SIZE = 1 << 20  # bytes of one file
COMMIT = re.compile(rb"commit (?P<id>[0-9a-f]{40,64})")


def list_versions(snapshot: Snapshot, paths: Sequence[str]) -> dict[str, tuple[bytes, ...]]:
    """Earlier contents of files, latest first: of the last commit, then before each of the last that changed it.

    Args:
        snapshot: whose workspace may be in a git repository.
        paths: relative to the workspace.

    Returns:
        At most MAX_VERSIONS contents for each path; nothing for paths, or workspaces, that have no history.
    """
    repository = find_repository(snapshot.workspace) if paths else None
    if repository is None:
        return {}
    try:
        return _list_versions(snapshot, repository, paths)
    except (SnapshotError, OSError):  # it only helps to guess, so a repository that cannot be read is like none
        return {}


def _list_versions(snapshot: Snapshot, repository: Repository, paths: Sequence[str]) -> dict[str, tuple[bytes, ...]]:
    store = Store(snapshot.store)
    head = run_git(store, "rev-parse", "--verify", "--quiet", "HEAD", environ={"GIT_DIR": repository.git}, check=False)
    commit = head.output.strip().decode("ascii", "replace")
    if head.status or not commit:
        return {}
    environ: dict[str, str | Path] = {
        "GIT_DIR": make_reader(store, uses_sha256(repository)),
        "GIT_OBJECT_DIRECTORY": repository.common / "objects",
    }
    prefix = os.path.relpath(snapshot.workspace, repository.top)
    inside = {path if prefix == "." else f"{prefix}/{path}": path for path in paths}
    command = (
        "log",
        f"--max-count={MAX_COMMITS}",
        "--format=commit %H",
        "--name-only",
        "--no-renames",
        "--no-ext-diff",
    )
    log = run_git(store, *command, "-z", commit, "--", *inside, environ=environ, check=False)
    wanted = [(path, f"{commit}:{name}") for name, path in inside.items()]
    for text in re.split(rb"[\0\n]+", log.output):
        if found := COMMIT.fullmatch(text):
            commit = found["id"].decode()
        elif path := inside.get(os.fsdecode(text)):
            wanted.append((path, f"{commit}^:{os.fsdecode(text)}"))
    chosen = [(path, name) for path, name in wanted if "\n" not in name]
    names = "".join(f"{name}\n" for _, name in chosen)
    reply = run_git(store, "cat-file", "--batch", environ=environ, stdin=os.fsencode(names), check=False)
    versions: dict[str, tuple[bytes, ...]] = {}
    for (path, _), content in zip(chosen, _split(reply.output), strict=False):
        if content is not None and len(versions.get(path, ())) < MAX_VERSIONS:
            versions[path] = (*versions.get(path, ()), content)
    return versions


def _split(output: bytes) -> list[bytes | None]:
    """The contents that `git cat-file --batch` gives, None for each that is missing or too large."""
    contents: list[bytes | None] = []
    place = 0
    while (end := output.find(b"\n", place)) >= 0:
        found = re.fullmatch(rb"[0-9a-f]+ \w+ (\d+)", output[place:end])
        if not found:
            contents.append(None)
            place = end + 1
            continue
        size = int(found[1])
        contents.append(output[end + 1 : end + 1 + size] if size <= MAX_SIZE else None)
        place = end + 1 + size + 1
    return contents
