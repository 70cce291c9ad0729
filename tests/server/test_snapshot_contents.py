"""What a snapshot holds: everything of the workspace that is not ignored, byte for byte."""

import os
import socket
from pathlib import Path

import pytest
from git_workspace import contents, git, make_repository, make_settings, on_disk, write

from codeact.snapshot import list_files, materialise, read_file, take_snapshot


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "work"


def test_it_holds_committed_modified_staged_untracked_and_not_deleted_files(tmp_path: Path, workspace: Path) -> None:
    """A snapshot is what the developer sees in the folder, whatever git thinks of each file."""
    names = ("committed", "modified", "staged", "staged_then_modified", "deleted", "removed", "renamed")
    make_repository(workspace, {f"{name}.py": f"{name}\n" for name in names})
    write(workspace, {"modified.py": "m2\n", "staged.py": "s2\n", "staged_then_modified.py": "s2\n"})
    git(workspace, "add", "staged.py", "staged_then_modified.py")
    write(workspace, {"staged_then_modified.py": "s3\n", "added.py": "added\n", "deep/er/untracked.py": "u\n"})
    git(workspace, "add", "added.py")
    (workspace / "deleted.py").unlink()
    git(workspace, "rm", "-q", "removed.py")
    git(workspace, "mv", "renamed.py", "moved.py")

    snapshot = take_snapshot(make_settings(tmp_path, workspace))

    assert contents(snapshot) == {
        "added.py": b"added\n",
        "committed.py": b"committed\n",
        "deep/er/untracked.py": b"u\n",
        "modified.py": b"m2\n",
        "moved.py": b"renamed\n",
        "staged.py": b"s2\n",
        "staged_then_modified.py": b"s3\n",
    }
    assert snapshot.files == 7
    assert snapshot.left_out == ()


def test_its_id_is_the_tree_that_git_itself_makes(tmp_path: Path, workspace: Path) -> None:
    """The id of a clean checkout is the tree of its commit, so that everybody can check it."""
    make_repository(workspace, {"a.py": "a\n", "pkg/b.py": "b\n", "z": b"\0\xff"})
    (workspace / "pkg/run").symlink_to("b.py")
    git(workspace, "add", "-A")
    git(workspace, "commit", "-qm", "more")
    assert take_snapshot(make_settings(tmp_path, workspace)).tree == git(workspace, "rev-parse", "HEAD^{tree}").strip()


def test_executable_bits_and_symlinks_are_kept_and_links_never_followed(tmp_path: Path, workspace: Path) -> None:
    """A link is taken as a link: out of the workspace, to a folder, to itself, to nothing."""
    outside = tmp_path / "outside"
    write(outside, {"secret.txt": "not yours\n"})
    make_repository(workspace, {"run.sh": "#!/bin/sh\n", "pkg/a.py": "a\n"})
    (workspace / "run.sh").chmod(0o755)
    links = {"file": "run.sh", "folder": "pkg", "out": str(outside), "up": "../outside/secret.txt", "self": "self"}
    for name, target in {**links, "nothing": "nowhere"}.items():
        (workspace / name).symlink_to(target)

    snapshot = take_snapshot(make_settings(tmp_path, workspace))

    for name, target in links.items():
        state = read_file(snapshot, name)
        assert state is not None
        assert (state.mode, state.content) == ("120000", target.encode())
    state = read_file(snapshot, "run.sh")
    assert state is not None
    assert state.mode == "100755"
    assert not [path for path in list_files(snapshot) if path.startswith(("out/", "folder/"))]
    with materialise(snapshot) as folder:
        assert on_disk(folder) == {path: entry for path, entry in on_disk(workspace).items() if ".git/" not in path}


ODD_NAMES = (
    "with space.py",
    "quo\"te's.py",
    "new\nline.py",
    "tab\t.py",
    "back\\slash.py",
    "-leading-dash",
    "--stdin",
    ":(glob)magic",
    "*",
    "[a]?.py",
    "!bang",
    "#hash",
    " ends with space ",
    "ünïcödé/文件.py",
    "e\u0301.py",
    "\u00e9.py",
    "git~1",
    "CON",
    "a" * 255,
    os.fsdecode(b"latin-\xe9\xff.py"),
    "Readme",
    "README",
    "readme",
)


@pytest.mark.parametrize("with_git", [True, False])
def test_odd_names_are_kept_exactly(tmp_path: Path, workspace: Path, with_git: bool) -> None:
    """Quotes, newlines, bytes that are no UTF-8, a leading dash, names that differ in case only."""
    workspace.mkdir()
    write(workspace, {name: f"{number}\n" for number, name in enumerate(ODD_NAMES)})
    if with_git:
        git(workspace, "init", "-q")
    settings = make_settings(tmp_path, workspace)
    first = take_snapshot(settings)
    assert contents(first) == {name: f"{number}\n".encode() for number, name in enumerate(ODD_NAMES)}
    for name in ODD_NAMES[::2]:
        (workspace / name).unlink()
    write(workspace, dict.fromkeys(ODD_NAMES[1::2], "again\n"))
    assert contents(take_snapshot(settings)) == dict.fromkeys(ODD_NAMES[1::2], b"again\n")
    with materialise(first) as folder:
        assert set(on_disk(folder)) == set(ODD_NAMES)


@pytest.mark.parametrize("with_git", [True, False])
def test_it_is_byte_exact_whatever_attributes_and_configuration_say(
    tmp_path: Path, workspace: Path, with_git: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line endings are converted, no keyword expanded, nothing encoded anew, no filter run."""
    marker = tmp_path / "filter-ran"
    home = tmp_path / "home"
    program = f"touch {marker}; sed s/a/b/"
    configuration = f"""[core]\n autocrlf = true\n eol = crlf\n attributesFile = {home}/attributes
[filter "evil"]\n clean = {program}\n smudge = {program}\n required = true\n"""
    write(home, {".gitconfig": configuration, "attributes": "*.txt filter=evil\n"})
    monkeypatch.setenv("HOME", str(home))
    files: dict[str, str | bytes] = {
        ".gitattributes": "* text=auto\n*.txt text eol=crlf ident filter=evil\n*.u16 working-tree-encoding=UTF-16\n",
        "sub/.gitattributes": "* text filter=evil ident\n[attr]mine filter=evil\n",
        "crlf.txt": "a\r\nb\r\n",
        "lf.txt": "a\nb\n",
        "mixed.txt": "a\r\nb\nc\r",
        "id.txt": "$Id$ $Id: 0123 $\n",
        "wide.u16": "wide\n".encode("utf-16"),
        "broken.u16": b"\xff",
        "sub/x.txt": "a\n$Id$\r\n",
        "picture.png": b"\x89PNG\r\n\x1a\n\0" + bytes(range(256)),
        "empty": b"",
        "big.bin": os.urandom(3_000_000),
    }
    workspace.mkdir()
    if with_git:
        git(workspace, "init", "-q")
        write(workspace, {".git/info/attributes": "* filter=evil\n"})
    write(workspace, files)

    snapshot = take_snapshot(make_settings(tmp_path, workspace))

    expected = {path: content.encode() if isinstance(content, str) else content for path, content in files.items()}
    assert contents(snapshot) == expected
    with materialise(snapshot) as folder:
        assert {path: content for path, (_, content) in on_disk(folder).items()} == expected
    assert not marker.exists()


def test_submodules_and_nested_repositories_are_taken_as_files(tmp_path: Path, workspace: Path) -> None:
    """Git would store each as one link; a sandbox needs their files, and never their git folders."""
    library = make_repository(tmp_path / "library", {"lib.py": "lib\n", "data/kept.log": "tracked\n"})
    make_repository(workspace, {"a.py": "a\n", ".gitignore": "*.tmp\n"})
    git(workspace, "submodule", "add", "-q", str(library), "vendor/library")
    git(workspace, "commit", "-qm", "submodule")
    write(workspace, {"vendor/library/lib.py": "changed\n", "vendor/library/new.py": "new\n"})
    inner = make_repository(workspace / "tools/inner", {"tool.py": "tool\n", ".gitignore": "*.log\n"})
    write(inner, {"noise.log": "ignored\n", "kept.log": "tracked though ignored\n", "untracked.py": "u\n", "x.tmp": ""})
    git(inner, "add", "-f", "kept.log", "x.tmp")
    make_repository(inner / "deeper", {"deepest.py": "d\n"})
    git((workspace / "empty").parent, "init", "-q", "empty")
    git(workspace, "init", "-q", "unborn")
    write(workspace, {"unborn/only.py": "o\n"})
    settings = make_settings(tmp_path, workspace)

    snapshot = take_snapshot(settings)

    assert contents(snapshot) == {
        ".gitignore": b"*.tmp\n",
        ".gitmodules": (workspace / ".gitmodules").read_bytes(),
        "a.py": b"a\n",
        "tools/inner/.gitignore": b"*.log\n",
        "tools/inner/deeper/deepest.py": b"d\n",
        "tools/inner/kept.log": b"tracked though ignored\n",
        "tools/inner/tool.py": b"tool\n",
        "tools/inner/untracked.py": b"u\n",
        "tools/inner/x.tmp": b"",
        "unborn/only.py": b"o\n",
        "vendor/library/data/kept.log": b"tracked\n",
        "vendor/library/lib.py": b"changed\n",
        "vendor/library/new.py": b"new\n",
    }
    assert take_snapshot(settings).tree == snapshot.tree
    write(workspace, {"vendor/library/lib.py": "again\n", "tools/inner/fresh.py": "f\n", "empty/first.py": "1\n"})
    (inner / "deeper/deepest.py").unlink()
    after = contents(take_snapshot(settings))
    assert after["vendor/library/lib.py"] == b"again\n"
    assert after["tools/inner/fresh.py"] == b"f\n"
    assert after["empty/first.py"] == b"1\n"
    assert "tools/inner/deeper/deepest.py" not in after


def test_the_users_ignore_rules_are_all_respected(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`.gitignore` at all levels with negation, `.git/info/exclude`, and the excludes file of the configuration."""
    home = tmp_path / "home"
    write(home, {".gitconfig": "[core]\n excludesFile = ~/mine\n", "mine": "*.mine\n"})
    monkeypatch.setenv("HOME", str(home))
    make_repository(workspace, {".gitignore": "*.log\nbuild/\n", "pkg/.gitignore": "!keep.log\n*.gen\n"})
    write(workspace, {".git/info/exclude": "*.local\n"})
    ignored = ("x.log", "build/out.py", "a.mine", "b.local", "pkg/c.gen", "pkg/build/d")
    write(workspace, dict.fromkeys((*ignored, "pkg/keep.log", "c.gen"), "x"))
    snapshot = take_snapshot(make_settings(tmp_path, workspace))
    assert list_files(snapshot) == (".gitignore", "c.gen", "pkg/.gitignore", "pkg/keep.log")


def test_a_tracked_file_is_taken_though_it_is_ignored(tmp_path: Path, workspace: Path) -> None:
    """Ignoring is about untracked files: `git add -f` outranks it, also later, and until `git rm --cached`."""
    make_repository(workspace, {"a.py": "a\n"})
    write(workspace, {".gitignore": "*.dat\n", "tracked.dat": "1\n", "late.dat": "2\n", "never.dat": "3\n"})
    git(workspace, "add", "-f", "tracked.dat")
    settings = make_settings(tmp_path, workspace)
    assert list_files(take_snapshot(settings)) == (".gitignore", "a.py", "tracked.dat")
    git(workspace, "add", "-f", "late.dat")
    assert list_files(take_snapshot(settings)) == (".gitignore", "a.py", "late.dat", "tracked.dat")
    git(workspace, "rm", "-q", "--cached", "tracked.dat")
    assert list_files(take_snapshot(settings)) == (".gitignore", "a.py", "late.dat")
    write(workspace, {"late.dat": "changed\n"})
    assert contents(take_snapshot(settings))["late.dat"] == b"changed\n"
    (workspace / "late.dat").unlink()
    assert list_files(take_snapshot(settings)) == (".gitignore", "a.py")


def test_a_package_of_a_monorepo_is_taken_alone_with_the_rules_above_it(tmp_path: Path) -> None:
    """The workspace may be a subfolder of a repository."""
    top = make_repository(tmp_path / "mono", {".gitignore": "*.log\n/packages/one/dist/\n", "packages/two/b.py": "b\n"})
    one = top / "packages/one"
    write(one, {"a.py": "a\n", "x.log": "", "dist/c.py": "", "sub/d.py": "d\n", "forced.log": "f\n"})
    git(top, "add", "-f", "packages/one/forced.log")
    settings = make_settings(tmp_path, one)
    snapshot = take_snapshot(settings, {"sub/d.py": "unsaved\n", "y.log": "ignored\n"})
    assert contents(snapshot) == {"a.py": b"a\n", "forced.log": b"f\n", "sub/d.py": b"unsaved\n"}
    write(top, {".gitignore": "*.log\n/packages/one/sub/\n"})
    assert list_files(take_snapshot(settings)) == ("a.py", "dist/c.py", "forced.log")


def test_a_workspace_that_its_repository_ignores_is_a_folder_without_git(tmp_path: Path) -> None:
    """A scratch project below an ignored folder is still a project."""
    top = make_repository(tmp_path / "mono", {".gitignore": "/scratch/\n*.py\n"})
    write(top, {"scratch/project/a.py": "a\n", "scratch/project/.gitignore": "*.log\n", "scratch/project/b.log": ""})
    snapshot = take_snapshot(make_settings(tmp_path, top / "scratch/project"))
    assert list_files(snapshot) == (".gitignore", "a.py")


def test_a_folder_without_git_respects_gitignore_and_leaves_out_what_tools_make(
    tmp_path: Path, workspace: Path
) -> None:
    """Without git nobody wrote down that environments, packages and caches are not source."""
    write(
        workspace,
        {
            ".gitignore": "*.log\n",
            "a.py": "a\n",
            "x.log": "",
            "__pycache__/a.pyc": "",
            "pkg/__pycache__/b.pyc": "",
            ".pytest_cache/v": "",
            "node_modules/left-pad/index.js": "",
            "odd [env]*/pyvenv.cfg": "home = /usr\n",
            "odd [env]*/lib/x.py": "",
            "conda/conda-meta/history": "",
            "conda/lib/y.py": "",
            "pkg/b.py": "b\n",
        },
    )
    settings = make_settings(tmp_path, workspace)
    assert list_files(take_snapshot(settings)) == (".gitignore", "a.py", "pkg/b.py")
    write(workspace, {"odd [env]*/lib/later.py": ""})
    assert list_files(take_snapshot(settings)) == (".gitignore", "a.py", "pkg/b.py")
    (workspace / "odd [env]*/pyvenv.cfg").unlink()
    assert "odd [env]*/lib/later.py" in list_files(take_snapshot(settings))


def test_an_environment_that_git_does_not_ignore_is_left_out_unless_tracked(tmp_path: Path, workspace: Path) -> None:
    """Ten thousand files of packages are no part of the task; a file that was committed is."""
    make_repository(workspace, {"a.py": "a\n", ".venv/pyvenv.cfg": "home = /usr\n", ".venv/tracked.py": "t\n"})
    write(workspace, {".venv/lib/x.py": "", "__pycache__/a.pyc": ""})
    (workspace / "venv").symlink_to(".venv")
    snapshot = take_snapshot(make_settings(tmp_path, workspace))
    assert list_files(snapshot) == (".venv/pyvenv.cfg", ".venv/tracked.py", "a.py")
    assert [(left.path, left.reason) for left in snapshot.left_out] == [("venv", "it leads to a virtual environment")]


def test_what_is_no_file_is_left_out(tmp_path: Path, workspace: Path) -> None:
    """Pipes and sockets would hang whoever reads them; one in the place of a taken file is told."""
    write(workspace, {"a.py": "a\n", "was_file": "x"})
    settings = make_settings(tmp_path, workspace)
    take_snapshot(settings)
    (workspace / "was_file").unlink()
    os.mkfifo(workspace / "was_file")
    os.mkfifo(workspace / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(workspace / "socket"))
        snapshot = take_snapshot(settings)
    assert list_files(snapshot) == ("a.py",)
    with materialise(snapshot) as folder:
        assert set(on_disk(folder)) == {"a.py"}


def test_what_git_cannot_name_is_left_out_and_told(tmp_path: Path, workspace: Path) -> None:
    """A folder `.GIT` is git's own to some file systems, so git holds no such path."""
    write(workspace, {"a.py": "a\n", ".GIT/config": "x", "sub/.Git/x": "y"})
    snapshot = take_snapshot(make_settings(tmp_path, workspace))
    assert list_files(snapshot) == ("a.py",)
    assert [left.path for left in snapshot.left_out] == [".GIT/config", "sub/.Git/x"]


def test_an_empty_workspace_has_a_snapshot(tmp_path: Path, workspace: Path) -> None:
    """No files is an answer too, and files may come and go."""
    workspace.mkdir()
    settings = make_settings(tmp_path, workspace)
    empty = take_snapshot(settings)
    assert (empty.files, list_files(empty)) == (0, ())
    with materialise(empty) as folder:
        assert on_disk(folder) == {}
    write(workspace, {"a.py": "a\n"})
    assert list_files(take_snapshot(settings)) == ("a.py",)
    (workspace / "a.py").unlink()
    assert take_snapshot(settings).tree == empty.tree


def test_what_a_build_generates_beside_the_sources_is_held(tmp_path: Path) -> None:
    """Without a generated version module or a built extension a project cannot be imported, though git ignores both."""
    workspace = make_repository(
        tmp_path / "work", {".gitignore": "_version.py\n*.so\n*.log\nbuild/\n.env*\n", "pkg/a.py": "A\n"}
    )
    write(workspace, {"pkg/_version.py": "1\n", "pkg/fast.so": "ELF", "pkg/x.log": "x", "build/pkg/_version.py": "2\n"})
    settings = make_settings(tmp_path, workspace)
    assert set(contents(take_snapshot(settings))) == {".gitignore", "pkg/a.py", "pkg/_version.py", "pkg/fast.so"}
    write(workspace, {"pkg/_version.py": "3\n"})
    (workspace / "pkg" / "fast.so").unlink()
    assert contents(take_snapshot(settings)) == {
        ".gitignore": (workspace / ".gitignore").read_bytes(),
        "pkg/a.py": b"A\n",
        "pkg/_version.py": b"3\n",
    }
