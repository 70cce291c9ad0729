"""A second snapshot: it costs what changed, misses nothing that did, and is consistent."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from git_workspace import contents, make_repository, make_settings, take_elsewhere, write

from codeact.errors import SnapshotError
from codeact.snapshot import folders, intake, list_files, store, take_snapshot
from codeact.snapshot.verdicts import Verdicts


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "work"


@pytest.fixture(autouse=True, params=["small", "large"])
def _size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of this holds for large workspaces too, whose second look goes by the times of folders."""
    monkeypatch.setattr(folders, "LARGE", 0 if request.param == "large" else folders.LARGE)


def test_files_that_come_while_others_are_taken(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second look finds what came after the first, in old folders and in new ones."""
    write(workspace, {"a/one.txt": "1\n", "b/two.txt": "2\n"})
    settings = make_settings(tmp_path, workspace)
    take_snapshot(settings)
    write(workspace, {"a/one.txt": "edited\n"})
    update = intake.Intake._update
    late = {"a/late.txt": "l\n", "c/deep/new.txt": "n\n"}

    def update_and_write(self: intake.Intake, verdicts: Verdicts) -> str:
        said = update(self, verdicts)
        write(workspace, late)
        return said

    monkeypatch.setattr(intake.Intake, "_update", update_and_write)
    assert set(contents(take_snapshot(settings))) == {"a/one.txt", "b/two.txt", *late}


@pytest.mark.parametrize("with_git", [True, False])
def test_every_kind_of_change_is_seen(tmp_path: Path, workspace: Path, with_git: bool) -> None:
    """Edits, modes, and all swaps of files, folders and links."""
    names = ("same", "edited", "gone", "mode", "to_link", "to_folder", "retargeted")
    write(workspace, {name: f"{name}\n" for name in names})
    write(workspace, {"folder/x": "x\n", "folder/y": "y\n", "linked/z": "z\n", "emptied/e": "e\n", "target/x": "t\n"})
    (workspace / "link").symlink_to("same")
    (workspace / "to_file").symlink_to("same")
    if with_git:
        make_repository(workspace)
    settings = make_settings(tmp_path, workspace)
    take_snapshot(settings)
    for name in ("gone", "to_link", "to_folder", "folder/x", "folder/y", "linked/z", "emptied/e", "link", "to_file"):
        (workspace / name).unlink()
    (workspace / "folder").rmdir()
    (workspace / "linked").rmdir()
    (workspace / "mode").chmod(0o755)
    (workspace / "to_link").symlink_to("edited")
    (workspace / "link").symlink_to("gone")
    (workspace / "linked").symlink_to("target")
    write(workspace, {"edited": "edited!\n", "to_folder/in": "i\n", "folder": "a file now\n", "to_file": "f\n"})
    write(workspace, {"linked/z": "behind a link\n"})

    assert contents(take_snapshot(settings)) == {
        "edited": b"edited!\n",
        "folder": b"a file now\n",
        "link": b"gone",
        "linked": b"target",
        "mode": b"mode\n",
        "retargeted": b"retargeted\n",
        "same": b"same\n",
        "target/x": b"t\n",
        "target/z": b"behind a link\n",
        "to_file": b"f\n",
        "to_folder/in": b"i\n",
        "to_link": b"edited",
    }


@pytest.mark.parametrize("with_git", [True, False])
def test_an_edit_in_the_same_moment_of_the_same_size_is_seen(tmp_path: Path, workspace: Path, with_git: bool) -> None:
    """Neither size nor time need tell: a file as young as the snapshot is compared byte for byte."""
    write(workspace, {"a.py": "0000\n", "b.py": "same\n"})
    if with_git:
        make_repository(workspace)
    settings = make_settings(tmp_path, workspace)
    for number in range(40):
        text = f"{number:04}\n"
        before = (workspace / "a.py").stat()
        write(workspace, {"a.py": text})
        if number % 2:  # as an editor that keeps times does
            os.utime(workspace / "a.py", ns=(before.st_atime_ns, before.st_mtime_ns))
        assert contents(take_snapshot(settings))["a.py"] == text.encode()


def test_rules_that_change_count_for_files_that_do_not(tmp_path: Path, workspace: Path) -> None:
    """What becomes ignored leaves, what is ignored no more comes, wherever the rule stands."""
    make_repository(workspace, {"a.py": "a\n"})
    write(workspace, {"x.log": "x\n", "sub/y.dat": "y\n", "sub/z.dat": "z\n"})
    settings = make_settings(tmp_path, workspace)
    assert list_files(take_snapshot(settings)) == ("a.py", "sub/y.dat", "sub/z.dat", "x.log")
    write(workspace, {".gitignore": "*.log\n"})
    assert list_files(take_snapshot(settings)) == (".gitignore", "a.py", "sub/y.dat", "sub/z.dat")
    write(workspace, {".git/info/exclude": "y.dat\n"})
    assert list_files(take_snapshot(settings)) == (".gitignore", "a.py", "sub/z.dat")
    write(workspace, {"sub/.gitignore": "z.dat\n", ".gitignore": ""})
    assert list_files(take_snapshot(settings)) == (".gitignore", "a.py", "sub/.gitignore", "x.log")
    (workspace / "sub/.gitignore").unlink()
    (workspace / ".git/info/exclude").unlink()
    assert list_files(take_snapshot(settings)) == (".gitignore", "a.py", "sub/y.dat", "sub/z.dat", "x.log")


def test_a_folder_may_become_a_repository_and_stop_being_one(tmp_path: Path, workspace: Path) -> None:
    """`git init` above, at, and below the workspace changes nothing that is not ignored."""
    write(workspace, {"a.py": "a\n", "sub/b.py": "b\n"})
    settings = make_settings(tmp_path, workspace)
    tree = take_snapshot(settings).tree
    for place in (workspace, workspace / "sub", tmp_path):
        make_repository(place)
        assert take_snapshot(settings).tree == tree
    for place in (workspace, workspace / "sub", tmp_path):
        (place / ".git").rename(tmp_path / f"was-{place.name}")
        assert take_snapshot(settings).tree == tree


def test_a_snapshot_of_an_unchanged_workspace_writes_nothing(tmp_path: Path, workspace: Path) -> None:
    """It costs two looks, and is the same snapshot."""
    make_repository(workspace, {f"f{number}.py": f"{number}\n" for number in range(500)})
    settings = make_settings(tmp_path, workspace)
    first = take_snapshot(settings)
    objects = sorted((first.store / "objects").rglob("*"))
    stamp = (first.store / "index").stat()
    assert take_snapshot(settings) == first
    assert sorted((first.store / "objects").rglob("*")) == objects
    assert (first.store / "index").stat() == stamp


def test_a_second_snapshot_stores_only_what_changed(tmp_path: Path, workspace: Path) -> None:
    """One edit in a thousand files: its content, and the folders on the way to it."""
    make_repository(workspace, {f"d{number % 10}/f{number}.py": f"{number}\n" for number in range(1000)})
    settings = make_settings(tmp_path, workspace)
    first = take_snapshot(settings)
    before = {path for path in (first.store / "objects").rglob("*") if path.is_file()}
    write(workspace, {"d3/f3.py": "edited\n"})
    take_snapshot(settings)
    after = {path for path in (first.store / "objects").rglob("*") if path.is_file()}
    assert len(after - before) == 3


@contextmanager
def writing(workspace: Path, pause: float) -> Iterator[None]:
    """Somebody who all the time writes pairs of files that always belong together."""
    stop = threading.Event()

    def write_pairs() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            write(workspace, {"a/first.py": f"{number:08}\n" * 100, "z/second.py": f"{number:08}\n" * 100})
            time.sleep(pause)

    thread = threading.Thread(target=write_pairs)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_file_that_changes_while_it_is_taken_is_taken_again(tmp_path: Path, workspace: Path) -> None:
    """No snapshot holds half a file, or files that never were there together but for the moment between two writes."""
    write(workspace, {f"m/f{number}.py": f"{number}\n" for number in range(300)})
    write(workspace, {"a/first.py": f"{0:08}\n" * 100, "z/second.py": f"{0:08}\n" * 100})
    settings = make_settings(tmp_path, workspace)
    with writing(workspace, pause=0.4):
        for _ in range(5):
            taken = contents(take_snapshot(settings))
            first, second = set(taken["a/first.py"].split()), set(taken["z/second.py"].split())
            assert len(first) <= 1
            assert len(second) <= 1
            numbers = [int(*content) for content in (first, second) if content]
            assert max(numbers) - min(numbers) <= 1


def test_a_workspace_that_never_rests_is_told(tmp_path: Path, workspace: Path) -> None:
    """After some rounds taking gives up, and names a file."""
    write(workspace, {"a.py": "a\n"})
    settings = make_settings(tmp_path, workspace)
    with writing(workspace, pause=0), pytest.raises(SnapshotError, match=r"cannot be frozen, since [az]/\w+\.py"):
        take_snapshot(settings)


def test_two_servers_may_take_snapshots_of_one_workspace_at_once(tmp_path: Path, workspace: Path) -> None:
    """One waits for the other."""
    make_repository(workspace, {f"f{number}.py": f"{number}\n" for number in range(2000)})
    with ThreadPoolExecutor(3) as pool:
        trees = set(pool.map(take_elsewhere, [tmp_path] * 3))
    assert trees == {take_snapshot(make_settings(tmp_path, workspace)).tree}


def test_a_server_that_hangs_does_not_hang_the_next(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting has an end, with a message."""
    write(workspace, {"a.py": "a\n"})
    settings = make_settings(tmp_path, workspace)
    monkeypatch.setattr(store, "PATIENCE", 0.1)
    with (
        store.lock_store(store.store_path(settings, workspace), workspace),
        pytest.raises(SnapshotError, match="Another CodeAct has been taking a snapshot"),
    ):
        take_snapshot(settings)


def test_a_server_killed_while_it_takes_leaves_nothing_broken(tmp_path: Path, workspace: Path) -> None:
    """At whatever moment it dies, the next snapshot is right."""
    make_repository(workspace, {f"d{number % 30}/f{number}.py": f"{number}\n" * 50 for number in range(1500)})
    settings = make_settings(tmp_path, workspace)
    context = multiprocessing.get_context("fork")
    expected = take_snapshot(make_settings(tmp_path / "elsewhere", workspace)).tree
    for milliseconds in (5, 15, 30, 60, 90):
        process = context.Process(target=take_snapshot, args=(settings,))
        process.start()
        time.sleep(milliseconds / 1000)
        assert process.pid
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    assert take_snapshot(settings).tree == expected


def test_locks_and_indexes_of_a_git_that_was_killed_are_no_obstacle(tmp_path: Path, workspace: Path) -> None:
    """They are nobody's, once the store is locked."""
    write(workspace, {"a.py": "a\n"})
    settings = make_settings(tmp_path, workspace)
    first = take_snapshot(settings)
    write(first.store, {"index.lock": "half", "index": "DIRC half"})
    assert take_snapshot(settings) == first


def test_a_pack_is_made_for_many_files_and_none_for_few(tmp_path: Path, workspace: Path) -> None:
    """Thousands of small files in the store would take longer than all the rest."""
    write(workspace, {f"f{number}": f"{number}\n" for number in range(intake.LOOSE + 1)})
    settings = make_settings(tmp_path, workspace)
    packs = take_snapshot(settings).store / "objects/pack"
    assert len(list(packs.glob("*.pack"))) == 1
    write(workspace, {"f1": "edited\n"})
    take_snapshot(settings)
    assert len(list(packs.glob("*.pack"))) == 1
