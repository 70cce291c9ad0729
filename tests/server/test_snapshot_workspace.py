"""What taking a snapshot does to the workspace: nothing. And which workspaces it can and cannot take."""

import os
import shutil
from pathlib import Path

import pytest
from git_workspace import contents, fingerprint, git, make_repository, make_settings, take_elsewhere, write

from codeact.errors import SnapshotError, WorkspaceError
from codeact.snapshot import list_files, materialise, take_snapshot, write_tree
from codeact.trajectory import FileChange, FileState


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "work"


def arm(workspace: Path, marker: Path) -> None:
    """Configure everything that git could be made to run, so that it leaves a mark."""
    program = tracer(marker)
    for hook in ("post-index-change", "pre-commit", "post-checkout", "fsmonitor-watchman", "reference-transaction"):
        write(workspace, {f".git/hooks/{hook}": f"#!/bin/sh\n{program}\n"})
        (workspace / ".git/hooks" / hook).chmod(0o755)
    write(workspace, {".gitattributes": "* filter=evil diff=evil merge=evil\n"})
    git(workspace, "config", "core.fsmonitor", str(workspace / ".git/hooks/fsmonitor-watchman"))
    git(workspace, "config", "core.untrackedCache", "true")
    for key in ("filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "diff.evil.textconv", "core.pager"):
        git(workspace, "config", key, f"{program}; cat")


def tracer(marker: Path) -> str:
    return f"touch {marker}"


def test_the_users_git_folder_is_untouched_and_nothing_of_theirs_is_run(tmp_path: Path, workspace: Path) -> None:
    """Not a byte, time, mode or inode in the workspace changes, and no hook or filter runs, whatever is done."""
    make_repository(workspace, {"a.py": "a\n", "b.py": "b\n", "sub/c.py": "c\n"})
    make_repository(workspace / "nested", {"n.py": "n\n"})
    arm(workspace, marker := tmp_path / "something-ran")
    os.utime(workspace / "a.py", (1, 1))  # the user's index is out of date: git would like to refresh it
    write(workspace, {"b.py": "changed\n", "new.py": "new\n"})
    marker.unlink(missing_ok=True)
    before = fingerprint(workspace)
    settings = make_settings(tmp_path, workspace)

    snapshot = take_snapshot(settings, {"a.py": "unsaved\n", "fresh.py": "f\n"})
    take_snapshot(settings)
    proposed = write_tree(snapshot, [FileChange("a.py", None, FileState(b"proposed\n"))])
    with materialise(snapshot), materialise(proposed):
        pass

    assert fingerprint(workspace) == before
    assert not marker.exists()


@pytest.mark.parametrize("kind", ["split", "sha256", "sparse", "worktree", "version 4"])
def test_every_kind_of_index_is_read_and_not_written(tmp_path: Path, workspace: Path, kind: str) -> None:
    """What the user tracks is read from split, sparse and SHA-256 indexes, and from worktrees."""
    if kind == "sha256":
        workspace.mkdir()
        git(workspace, "init", "-q", "--object-format=sha256")
    make_repository(workspace, {"a.py": "a\n", ".gitignore": "*.log\n", "far/away/x.py": "x\n"})
    write(workspace, {"kept.log": "k\n", "lost.log": "l\n"})
    git(workspace, "add", "-f", "kept.log")
    git(workspace, "commit", "-qm", "kept")
    expected = {".gitignore", "a.py", "far/away/x.py", "kept.log"}
    if kind == "split":
        git(workspace, "update-index", "--split-index")
    if kind == "version 4":
        git(workspace, "update-index", "--index-version", "4")
    if kind == "sparse":
        git(workspace, "sparse-checkout", "set", "--cone", "--sparse-index", "near")
        expected -= {"far/away/x.py"}
    if kind == "worktree":
        git(workspace, "worktree", "add", "-q", "../tree")
    folder = tmp_path / "tree" if kind == "worktree" else workspace
    before = fingerprint(workspace)
    assert set(list_files(take_snapshot(make_settings(tmp_path, folder)))) == expected
    assert fingerprint(workspace) == before


def test_a_damaged_git_index_is_told(tmp_path: Path, workspace: Path) -> None:
    """What the user tracks is not guessed."""
    make_repository(workspace, {"a.py": "a\n"})
    write(workspace, {".git/index": "garbage"})
    with pytest.raises(SnapshotError, match=r"The git index .*/\.git/index cannot be read"):
        take_snapshot(make_settings(tmp_path, workspace))


@pytest.mark.parametrize("content", ["gitdir: /nowhere\n", "nonsense", ""])
def test_a_git_file_that_leads_nowhere_is_no_repository(tmp_path: Path, workspace: Path, content: str) -> None:
    """A copied worktree or submodule has such a file; its files count."""
    write(workspace, {".git": content, "a.py": "a\n", "sub/.git": content, "sub/b.py": "b\n"})
    assert list_files(take_snapshot(make_settings(tmp_path, workspace))) == ("a.py", "sub/b.py")


def test_a_workspace_behind_a_symlink_is_the_one_it_leads_to(tmp_path: Path, workspace: Path) -> None:
    """Both paths are one workspace, with one store."""
    make_repository(workspace, {"a.py": "a\n"})
    (tmp_path / "link").symlink_to(workspace)
    direct = take_snapshot(make_settings(tmp_path, workspace))
    linked = take_snapshot(make_settings(tmp_path, tmp_path / "link"))
    assert linked == direct
    assert linked.workspace == workspace


def test_state_and_cache_inside_the_workspace_are_no_part_of_it(workspace: Path) -> None:
    """Else each snapshot would hold the ones before."""
    write(workspace, {"a.py": "a\n"})
    settings = make_settings(workspace, workspace)
    assert list_files(take_snapshot(settings)) == list_files(take_snapshot(settings)) == ("a.py",)


def test_a_folder_that_is_missing_or_a_file_is_told(tmp_path: Path) -> None:
    """The message names the folder and the option."""
    with pytest.raises(WorkspaceError, match=r"There is no folder .*/missing\. .*--workspace"):
        take_snapshot(make_settings(tmp_path, tmp_path / "missing"))
    write(tmp_path, {"file": ""})
    with pytest.raises(WorkspaceError, match="is a file"):
        take_snapshot(make_settings(tmp_path, tmp_path / "file"))


def test_a_state_folder_that_cannot_be_made_is_told(tmp_path: Path, workspace: Path) -> None:
    """The message names the folder."""
    write(workspace, {"a.py": ""})
    write(tmp_path, {"state": "a file is in its place"})
    with pytest.raises(SnapshotError, match=r"Snapshots cannot be kept in .*/state"):
        take_snapshot(make_settings(tmp_path, workspace))


def test_a_machine_without_git_is_told_so(tmp_path: Path, workspace: Path) -> None:
    """Both when CodeAct starts there, and when git vanishes meanwhile."""
    write(workspace, {"a.py": ""})
    told = take_elsewhere(tmp_path, env={**os.environ, "PATH": str(tmp_path)})
    assert told.startswith("SnapshotError git is not installed")
    settings = make_settings(tmp_path, workspace)
    take_snapshot(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with pytest.raises(SnapshotError, match="git is not installed"):
            take_snapshot(settings)


def test_variables_of_another_git_do_not_lead_astray(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server started by a hook, or in a configured shell, has variables that name other folders."""
    make_repository(workspace, {"a.py": "a\n"})
    other = make_repository(tmp_path / "other", {"other.py": "o\n"})
    settings = make_settings(tmp_path, workspace)
    before, expected = fingerprint(other), take_snapshot(settings).tree
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(other / ".git/objects"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.autocrlf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    write(workspace, {"crlf.py": "a\r\n"})
    snapshot = take_snapshot(settings)
    assert snapshot.tree != expected
    assert contents(snapshot) == {"a.py": b"a\n", "crlf.py": b"a\r\n"}
    assert fingerprint(other) == before


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may read everything")
def test_what_cannot_be_read_is_left_out_and_told(tmp_path: Path, workspace: Path) -> None:
    """A file or folder of somebody else does not keep the rest from being taken."""
    write(workspace, {"a.py": "a\n", "closed.py": "c\n", "folder/b.py": "b\n"})
    (workspace / "closed.py").chmod(0)
    (workspace / "folder").chmod(0)
    rights = "-dac_override,-dac_read_search"
    told = (
        take_elsewhere(tmp_path, "setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}")
        if os.geteuid() == 0
        else take_elsewhere(tmp_path)
    )
    (workspace / "folder").chmod(0o755)
    assert told.splitlines()[1:] == [
        "closed.py: it cannot be read (permission denied)",
        "folder: it cannot be read (permission denied)",
    ]
