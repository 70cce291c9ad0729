"""Unsaved text overrides the disk, as saving it would."""

import codecs
from pathlib import Path

import pytest
from git_workspace import contents, fingerprint, make_repository, make_settings, write

from codeact.errors import WorkspaceError
from codeact.snapshot import read_file, take_snapshot


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "work"


@pytest.mark.parametrize("with_git", [True, False])
def test_buffers_override_the_disk_for_one_snapshot_only(tmp_path: Path, workspace: Path, with_git: bool) -> None:
    """The next snapshot shows the disk again, and the disk is as it was."""
    write(workspace, {"a.py": "a\n", "run.sh": "#!/bin/sh\n", "sub/b.py": "b\n", ".gitignore": "*.log\n"})
    (workspace / "run.sh").chmod(0o755)
    if with_git:
        make_repository(workspace)
    settings = make_settings(tmp_path, workspace)
    before, disk = fingerprint(workspace), take_snapshot(settings)
    buffers = {"a.py": "unsaved\n", "run.sh": "#!/bin/bash\n", "new/c.py": "new\n", "x.log": "ignored\n"}
    snapshot = take_snapshot(settings, buffers)
    assert contents(snapshot) == {
        ".gitignore": b"*.log\n",
        "a.py": b"unsaved\n",
        "new/c.py": b"new\n",
        "run.sh": b"#!/bin/bash\n",
        "sub/b.py": b"b\n",
    }
    assert snapshot.files == 5
    state = read_file(snapshot, "run.sh")
    assert state is not None
    assert state.mode == "100755"
    assert take_snapshot(settings) == disk
    assert take_snapshot(settings, {"a.py": "a\n"}).tree == disk.tree
    assert fingerprint(workspace) == before


@pytest.mark.parametrize(
    ("path", "disk", "text", "expected"),
    [
        ("plain.txt", b"old\n", "gr\u00fc\u00df\n", "gr\u00fc\u00df\n".encode()),
        ("crlf.txt", b"a\r\n", "a\r\nb\r\n", b"a\r\nb\r\n"),
        ("mixed.txt", b"", "a\r\nb\nc\r", b"a\r\nb\nc\r"),
        ("mark.txt", codecs.BOM_UTF8 + b"old", "\u00e9", codecs.BOM_UTF8 + "\u00e9".encode()),
        ("mark2.txt", codecs.BOM_UTF8 + b"old", "\ufeff\u00e9", codecs.BOM_UTF8 + "\u00e9".encode()),
        ("wide.txt", "old".encode("utf-16"), "n\u00e9w", "n\u00e9w".encode("utf-16")),
        ("wide_be.txt", codecs.BOM_UTF16_BE + b"\0o", "n", codecs.BOM_UTF16_BE + b"\0n"),
        ("latin.py", b"# coding: latin-1\n", "# coding: latin-1\n\u00e9\n", b"# coding: latin-1\n\xe9\n"),
        ("second.py", b"", "#!/x\n# -*- coding: cp1252 -*-\n\u20ac", b"#!/x\n# -*- coding: cp1252 -*-\n\x80"),
        ("third.py", b"", "x\n\n# coding: latin-1\n\u00e9", "x\n\n# coding: latin-1\n\u00e9".encode()),
        ("unknown.py", b"", "# coding: klingon\n\u00e9", "# coding: klingon\n\u00e9".encode()),
        ("unfit.py", b"", "# coding: ascii\n\u00e9", "# coding: ascii\n\u00e9".encode()),
        ("notes.txt", b"", "# coding: latin-1\n\u00e9", "# coding: latin-1\n\u00e9".encode()),
    ],
)
def test_a_buffer_is_encoded_as_its_file_is(
    tmp_path: Path, workspace: Path, path: str, disk: bytes, text: str, expected: bytes
) -> None:
    """By the byte order mark that the file has, or Python's cookie; else UTF-8. Line endings are the buffer's."""
    write(workspace, {path: disk})
    assert contents(take_snapshot(make_settings(tmp_path, workspace), {path: text}))[path] == expected


@pytest.mark.parametrize("path", ["../out.py", "/etc/passwd", "a/../../out.py", "", "/"])
def test_a_buffer_outside_of_the_workspace_is_an_error(tmp_path: Path, workspace: Path, path: str) -> None:
    """A door that hands in such a thing is wrong, and is told."""
    write(workspace, {"a.py": "a\n"})
    with pytest.raises(WorkspaceError, match="does not lie in"):
        take_snapshot(make_settings(tmp_path, workspace), {path: "x\n"})


def test_a_buffer_behind_a_symlink_is_the_file_that_saving_would_write(tmp_path: Path, workspace: Path) -> None:
    """The link stays; a link out of the workspace is not followed, and told."""
    write(workspace, {"real.py": "r\n", "pkg/a.py": "a\n"})
    write(tmp_path / "outside", {"o.py": "o\n"})
    (workspace / "link.py").symlink_to("real.py")
    (workspace / "folder").symlink_to("pkg")
    (workspace / "out").symlink_to("../outside")
    settings = make_settings(tmp_path, workspace)
    snapshot = take_snapshot(settings, {"link.py": "R\n", "folder/a.py": "A\n", "out/o.py": "O\n"})
    assert contents(snapshot) == {
        "folder": b"pkg",
        "link.py": b"real.py",
        "out": b"../outside",
        "pkg/a.py": b"A\n",
        "real.py": b"R\n",
    }
    assert [left.path for left in snapshot.left_out] == ["out/o.py"]


def test_a_buffer_of_gits_own_is_left_out_and_told(tmp_path: Path, workspace: Path) -> None:
    """A commit message is edited in the same editor."""
    make_repository(workspace, {"a.py": "a\n"})
    snapshot = take_snapshot(make_settings(tmp_path, workspace), {".git/COMMIT_EDITMSG": "m\n"})
    assert contents(snapshot) == {"a.py": b"a\n"}
    assert [left.path for left in snapshot.left_out] == [".git/COMMIT_EDITMSG"]


def test_a_buffer_may_stand_where_the_disk_has_something_else(tmp_path: Path, workspace: Path) -> None:
    """A file where a folder was deleted, a file in a folder that is a file on disk; and none at all on disk."""
    workspace.mkdir()
    settings = make_settings(tmp_path, workspace)
    assert contents(take_snapshot(settings, {"only.py": "o\n"})) == {"only.py": b"o\n"}
    write(workspace, {"was_file": "w\n", "folder/x.py": "x\n"})
    assert contents(take_snapshot(settings, {"was_file/in.py": "i\n"})) == {
        "folder/x.py": b"x\n",
        "was_file/in.py": b"i\n",
    }
    snapshot = take_snapshot(settings, {"folder": "f\n"})
    assert contents(snapshot) == {"folder/x.py": b"x\n", "was_file": b"w\n"}
    assert [left.path for left in snapshot.left_out] == ["folder"]
