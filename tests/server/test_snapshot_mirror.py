"""The files of a snapshot in a folder: exactly those, for as long as somebody uses them."""

import multiprocessing
import os
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from git_workspace import make_repository, make_settings, on_disk, write

from codeact.errors import SnapshotError
from codeact.sandboxes.base import sandbox_user
from codeact.snapshot import Snapshot, materialise, mirror, take_snapshot, write_tree
from codeact.trajectory import FileChange, FileState


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "work"


@pytest.fixture
def snapshots(tmp_path: Path, workspace: Path) -> tuple[Snapshot, Snapshot]:
    """Two of one workspace, some edits apart."""
    write(workspace, {f"d{number % 7}/f{number}.py": f"{number}\n" for number in range(60)} | {"run.sh": "#!\n"})
    (workspace / "run.sh").chmod(0o755)
    (workspace / "link").symlink_to("run.sh")
    first = take_snapshot(make_settings(tmp_path, workspace))
    changes = [
        FileChange("d1/f1.py", None, FileState(b"edited\n")),
        FileChange("d2/f2.py", None, None),
        FileChange("link", None, FileState(b"no link\n")),
        FileChange("run.sh", None, FileState(b"#!\n", "100644")),
        FileChange("new/deep.sh", None, FileState(b"n\n", "100755")),
        FileChange("other", None, FileState(b"/etc/passwd", "120000")),
    ]
    return first, write_tree(first, changes)


def expected(snapshot: Snapshot, workspace: Path) -> dict[str, tuple[str, bytes]]:
    """What must be there: the workspace for the first of the two snapshots."""
    disk = on_disk(workspace)
    if "new/deep.sh" in _paths(snapshot):
        del disk["d2/f2.py"]
        disk |= {"d1/f1.py": ("100644", b"edited\n"), "link": ("100644", b"no link\n"), "run.sh": ("100644", b"#!\n")}
        disk |= {"new/deep.sh": ("100755", b"n\n"), "other": ("120000", b"/etc/passwd")}
    return disk


def _paths(snapshot: Snapshot) -> str:
    command = ["git", f"--git-dir={snapshot.store}", "ls-tree", "-r", "--name-only", snapshot.tree]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_one_snapshot_after_the_other_appears_in_the_same_folder(
    snapshots: tuple[Snapshot, Snapshot], workspace: Path
) -> None:
    """Only what differs is written, and the files are exactly those of each."""
    first, second = snapshots
    with materialise(first) as folder:
        assert on_disk(folder) == expected(first, workspace)
        untouched = (folder / "d3/f3.py").stat()
    for snapshot in (second, first, second):
        with materialise(snapshot) as again:
            assert again == folder
            assert on_disk(again) == expected(snapshot, workspace)
            assert (again / "d3/f3.py").stat() == untouched


def test_a_folder_in_use_is_shared_and_never_changed(snapshots: tuple[Snapshot, Snapshot], workspace: Path) -> None:
    """The same snapshot is the same folder; another one is another folder."""
    first, second = snapshots
    with materialise(first) as one, materialise(second) as two, materialise(first) as three:
        assert one == three
        assert one != two
        assert on_disk(one) == expected(first, workspace)
        assert on_disk(two) == expected(second, workspace)
        with materialise(second) as four:
            assert four == two


def test_a_server_may_use_folders_for_as_long_as_it_lives(snapshots: tuple[Snapshot, Snapshot]) -> None:
    """No descriptor stays open, also not of the folders that are kept."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for snapshot in snapshots * 2:
        with materialise(snapshot):
            pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_few_folders_are_kept(snapshots: tuple[Snapshot, Snapshot]) -> None:
    """Any number in use at once, and then only the last ones used."""
    first, _ = snapshots
    trees = [write_tree(first, [FileChange("n", None, FileState(b"%d" % number))]) for number in range(5)]
    with ExitStack() as stack:
        folders = {stack.enter_context(materialise(tree)) for tree in trees}
        assert len(folders) == 5
        assert all((folder / "n").exists() for folder in folders)
    assert len(list(first.mirrors.iterdir())) == mirror.KEPT


@pytest.mark.parametrize("damage", ["edit", "delete", "add", "chmod", "link"])
@pytest.mark.parametrize("target", [0, 1])
def test_a_folder_that_somebody_changed_is_made_afresh(
    snapshots: tuple[Snapshot, Snapshot], workspace: Path, damage: str, target: int
) -> None:
    """Whether the same snapshot is wanted again or another one."""
    with materialise(snapshots[0]) as folder:
        pass
    file = folder / "d3/f3.py"
    match damage:
        case "edit":
            file.write_text("forged\n")
        case "delete":
            file.unlink()
        case "add":
            write(folder, {"d3/conftest.py": "forged\n"})
        case "chmod":
            file.chmod(0o755)
        case "link":
            file.unlink()
            file.symlink_to("f10.py")
    with materialise(snapshots[target]) as again:
        assert on_disk(again) == expected(snapshots[target], workspace)


def test_a_folder_that_somebody_changed_while_it_is_used_is_shared_no_more(
    snapshots: tuple[Snapshot, Snapshot], workspace: Path
) -> None:
    """It cannot be mended under its users' feet, so the next one gets another."""
    with materialise(snapshots[0]) as one:
        write(one, {"forged.py": "forged\n"})
        with materialise(snapshots[0]) as two:
            assert two != one
            assert on_disk(two) == expected(snapshots[0], workspace)


def test_the_files_belong_to_the_user_of_sandboxes(snapshots: tuple[Snapshot, Snapshot]) -> None:
    """Also those that were written when the folder went from one snapshot to the next, and the folders around them."""
    previous = os.umask(0o077)
    try:
        for snapshot in snapshots:
            with materialise(snapshot) as folder:
                for place in (folder, *folder.rglob("*")):
                    status = place.lstat()
                    assert (status.st_uid, status.st_gid) == sandbox_user()
                    if not place.is_symlink():
                        assert status.st_mode & 0o777 == (0o755 if place.is_dir() or status.st_mode & 0o100 else 0o644)
                assert folder.parent.stat().st_mode & 0o077 == 0
    finally:
        os.umask(previous)


def _hold(snapshot: Snapshot) -> None:
    with materialise(snapshot):
        pass


def test_a_server_killed_while_it_writes_leaves_nothing_half_done(tmp_path: Path, workspace: Path) -> None:
    """At whatever moment it dies, the next folder is whole, and nothing stays locked."""
    make_repository(workspace, {f"d{number % 30}/f{number}.py": f"{number}\n" * 50 for number in range(1500)})
    first = take_snapshot(make_settings(tmp_path, workspace))
    edits = [FileChange(f"d{number % 30}/f{number}.py", None, FileState(b"x\n")) for number in range(0, 1500, 2)]
    second = write_tree(first, edits)
    context = multiprocessing.get_context("fork")
    for number, milliseconds in enumerate((5, 15, 30, 60, 120, 20, 40)):
        process = context.Process(target=_hold, args=((first, second)[number % 2],))
        process.start()
        time.sleep(milliseconds / 1000)
        assert process.pid
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    with materialise(first) as folder:
        assert on_disk(folder) == {path: entry for path, entry in on_disk(workspace).items() if ".git/" not in path}
    with materialise(second) as folder:
        assert sum(content == b"x\n" for _, content in on_disk(folder).values()) == 750


def test_a_run_that_was_kept_is_shown_though_what_was_there_is_forgotten(
    snapshots: tuple[Snapshot, Snapshot], workspace: Path
) -> None:
    """A folder whose snapshot git no longer knows is made afresh."""
    first, second = snapshots
    with materialise(first) as folder:
        pass
    (folder.parent / "holds").write_text("1" * 40)
    with materialise(second) as again:
        assert on_disk(again) == expected(second, workspace)


def test_files_that_cannot_be_written_are_told(snapshots: tuple[Snapshot, Snapshot]) -> None:
    """The message names the folder."""
    snapshots[0].mirrors.parent.mkdir(parents=True)
    snapshots[0].mirrors.write_text("a file is in its place")
    with pytest.raises(SnapshotError, match="cannot be put into"), materialise(snapshots[0]):
        pass
