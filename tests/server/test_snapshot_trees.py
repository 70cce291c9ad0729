"""Reading snapshots, making new ones of them, keeping and forgetting them."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from git_workspace import contents, git, make_repository, make_settings, write

from codeact.errors import SnapshotError
from codeact.snapshot import (
    Snapshot,
    frozen,
    keep,
    materialise,
    open_snapshot,
    prune,
    prune_weekly,
    read_file,
    release,
    take_snapshot,
    write_tree,
)
from codeact.snapshot.store import Store, lock_store
from codeact.trajectory import FileChange, FileState

OLD = time.time() - 15 * 24 * 3600


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "work"


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    """As in another process: what was read before is not remembered."""
    frozen._entries.cache_clear()
    yield
    frozen._entries.cache_clear()


def change(path: str, content: bytes | None, mode: str = "100644") -> FileChange:
    return FileChange(path, None, None if content is None else FileState(content, mode))


def test_files_are_read_from_packs_and_loose_objects(tmp_path: Path, workspace: Path) -> None:
    """Many files are packed, few are not; both are read, and what is not there is None."""
    write(workspace, {f"f{number}": f"{number}\n" for number in range(300)})
    settings = make_settings(tmp_path, workspace)
    take_snapshot(settings)
    write(workspace, {"f7": "edited\n", "empty": ""})
    snapshot = take_snapshot(settings)
    assert read_file(snapshot, "f7") == FileState(b"edited\n")
    assert read_file(snapshot, "f8") == FileState(b"8\n")
    assert read_file(snapshot, "empty") == FileState(b"")
    for path in ("missing", "", "/", "../work/f8", str(workspace / "f8")):
        assert read_file(snapshot, path) is None


def test_changes_make_another_snapshot(tmp_path: Path, workspace: Path) -> None:
    """Edited, new, deleted, executable and linked; the first one stays what it was."""
    make_repository(workspace, {"a.py": "a\n", "b.py": "b\n", "pkg/c.py": "c\n", "file": "f\n"})
    snapshot = take_snapshot(make_settings(tmp_path, workspace))
    before = contents(snapshot)
    changes = [
        change("a.py", b"changed\xff\r\n"),
        change("b.py", None),
        change("missing.py", None),
        change("deep/er/new.sh", b"#!/bin/sh\n", "100755"),
        change("link", b"a.py", "120000"),
        change("pkg/c.py", None),
        change("pkg", b"now a file\n"),
        change("file/inside", b"now a folder\n"),
        change("odd\nname", b"o\n"),
    ]
    proposed = write_tree(snapshot, changes)
    assert contents(proposed) == {
        "a.py": b"changed\xff\r\n",
        "deep/er/new.sh": b"#!/bin/sh\n",
        "file/inside": b"now a folder\n",
        "link": b"a.py",
        "odd\nname": b"o\n",
        "pkg": b"now a file\n",
    }
    assert proposed.files == 6
    assert read_file(proposed, "deep/er/new.sh") == FileState(b"#!/bin/sh\n", "100755")
    assert contents(snapshot) == before
    assert write_tree(snapshot, []) == snapshot
    with materialise(proposed) as folder:
        assert (folder / "deep/er/new.sh").stat().st_mode & 0o111
        assert (folder / "link").is_symlink()
    write(workspace, {"a.py": "back to this\n"})
    assert write_tree(proposed, [change("a.py", b"a\n")]).tree != snapshot.tree


def test_a_workspace_of_a_monorepo_changes_the_same_way(tmp_path: Path) -> None:
    """Paths are relative to the workspace, not to the repository."""
    top = make_repository(tmp_path / "mono", {"pkg/a.py": "a\n", "other/b.py": "b\n"})
    snapshot = take_snapshot(make_settings(tmp_path, top / "pkg"))
    assert contents(write_tree(snapshot, [change("sub/n.py", b"n\n")])) == {"a.py": b"a\n", "sub/n.py": b"n\n"}


@pytest.mark.parametrize(
    "path", [".git/hooks/post-commit", "a/.GIT/x", "../out", "/etc/passwd", "a//b", "a/./b", "", "a\0b"]
)
def test_a_change_with_an_evil_path_is_refused(tmp_path: Path, workspace: Path, path: str) -> None:
    """What comes from a sandbox is hostile."""
    write(workspace, {"a.py": "a\n"})
    snapshot = take_snapshot(make_settings(tmp_path, workspace))
    with pytest.raises(SnapshotError, match="no path that a snapshot can hold"):
        write_tree(snapshot, [change(path, b"x")])


def test_a_change_to_something_that_is_no_file_is_refused(tmp_path: Path, workspace: Path) -> None:
    """A submodule's mode, or nonsense."""
    write(workspace, {"a.py": "a\n"})
    snapshot = take_snapshot(make_settings(tmp_path, workspace))
    with pytest.raises(SnapshotError, match="has the mode 160000"):
        write_tree(snapshot, [change("sub", b"x", "160000")])


def test_an_earlier_snapshot_is_opened_by_its_id(tmp_path: Path, workspace: Path) -> None:
    """In another process, after the workspace went on."""
    write(workspace, {"a.py": "a\n"})
    settings = make_settings(tmp_path, workspace)
    first = take_snapshot(settings)
    write(workspace, {"a.py": "b\n", "b.py": "b\n"})
    take_snapshot(settings)
    opened = open_snapshot(settings, first.tree)
    assert (opened.tree, opened.files, opened.store) == (first.tree, 1, first.store)
    assert contents(opened) == {"a.py": b"a\n"}
    for unknown in ("0" * 40, "HEAD", "--help", ""):
        with pytest.raises(SnapshotError):
            open_snapshot(settings, unknown)


def grow_old(snapshot: Snapshot) -> None:
    for path in snapshot.store.rglob("*"):
        os.utime(path, (OLD, OLD))
    for lock in snapshot.mirrors.glob("slot-*/lock"):
        os.utime(lock, (OLD, OLD))


def test_old_snapshots_are_forgotten_unless_a_run_keeps_them(tmp_path: Path, workspace: Path) -> None:
    """Two weeks; what the index needs, what a run keeps, and what is young stays whole."""
    write(workspace, {"a.py": "one\n"})
    settings = make_settings(tmp_path, workspace)
    one = take_snapshot(settings)
    write(workspace, {"a.py": "two\n"})
    two = take_snapshot(settings)
    proposed = write_tree(two, [change("a.py", b"proposed\n")])
    keep(two, "run-1")
    keep(proposed, "run-1")
    write(workspace, {"a.py": "three\n"})
    three = take_snapshot(settings)
    with materialise(one):
        pass
    grow_old(one)
    write(workspace, {"a.py": "four\n"})
    four = take_snapshot(settings)

    prune(settings)
    frozen._entries.cache_clear()

    for snapshot, content in ((two, b"two\n"), (proposed, b"proposed\n"), (four, b"four\n")):
        assert contents(open_snapshot(settings, snapshot.tree)) == {"a.py": content}
    for gone in (one, three):
        with pytest.raises(SnapshotError, match="not kept any more"):
            open_snapshot(settings, gone.tree)
    assert not list(one.mirrors.glob("slot-*"))
    assert take_snapshot(settings).tree == four.tree
    with materialise(two) as folder:
        assert (folder / "a.py").read_text() == "two\n"
    release(settings, "run-1")
    release(settings, "never-was")
    grow_old(one)
    prune(settings)
    frozen._entries.cache_clear()
    with pytest.raises(SnapshotError):
        open_snapshot(settings, two.tree)
    assert take_snapshot(settings).tree == four.tree


def test_pruning_comes_by_itself_once_a_week(tmp_path: Path, workspace: Path) -> None:
    """Not at the first run, nor before a week is over."""
    settings = make_settings(tmp_path, workspace)
    write(workspace, {"a.py": "one\n"})
    with materialise(snapshot := take_snapshot(settings)):
        pass
    grow_old(snapshot)
    for age, left in ((0, True), (6, True), (8, False)):
        prune_weekly(settings)
        then = time.time() - age * 24 * 3600
        os.utime(settings.state / "pruned", (then, then))
        prune_weekly(settings)
        assert any(snapshot.mirrors.glob("slot-*")) == left


def test_a_store_in_use_is_not_pruned_and_one_without_workspace_goes(tmp_path: Path, workspace: Path) -> None:
    """Once its workspace is gone, no run keeps anything and nothing was taken lately."""
    write(workspace, {"a.py": "a\n"})
    settings = make_settings(tmp_path, workspace)
    snapshot = take_snapshot(settings)
    keep(snapshot, "run-1")
    workspace.rename(tmp_path / "moved")
    grow_old(snapshot)
    prune(settings)
    assert snapshot.store.is_dir()
    workspace.mkdir()
    release(settings, "run-1")
    workspace.rmdir()
    grow_old(snapshot)
    with lock_store(snapshot.store, workspace):
        prune(settings)
        assert snapshot.store.is_dir()
    grow_old(snapshot)
    prune(settings)
    assert not snapshot.store.exists()
    prune(settings)


def test_a_run_with_an_odd_id_is_refused(tmp_path: Path, workspace: Path) -> None:
    """It becomes part of a path."""
    write(workspace, {"a.py": "a\n"})
    snapshot = take_snapshot(make_settings(tmp_path, workspace))
    with pytest.raises(SnapshotError, match="no id of a run"):
        keep(snapshot, "../../heads/main")


def test_a_damaged_store_is_told(tmp_path: Path, workspace: Path) -> None:
    """By name, so that it can be removed."""
    write(workspace, {"a.py": "a\n"})
    snapshot = take_snapshot(make_settings(tmp_path, workspace))
    blob = git(snapshot.store, "rev-parse", f"{snapshot.tree}:a.py").strip()
    file = Store(snapshot.store).path / "objects" / blob[:2] / blob[2:]
    file.chmod(0o644)
    file.write_bytes(b"garbage")
    with pytest.raises(SnapshotError, match=f"{blob} in .* is damaged"):
        read_file(snapshot, "a.py")
    file.unlink()
    with pytest.raises(SnapshotError, match="git cat-file failed"):
        read_file(snapshot, "a.py")
