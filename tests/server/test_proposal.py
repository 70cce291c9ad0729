"""Proposals: what is shown is what git applies, byte for byte, and a selection is exactly its hunks."""

import os
import random
import re
import subprocess
from pathlib import Path

import pytest

from codeact.errors import SettingsError
from codeact.lines import changed_regions, split_lines
from codeact.proposal import changes_of, make_proposal, select, separate, stat, tally, unified_diff
from codeact.trajectory import FileChange, FileState, Outcome, TestReport, TestResult

NUMBERS = b"".join(b"line %d\n" % n for n in range(1, 41))

SHAPES = {
    "one line": (FileState(NUMBERS), FileState(NUMBERS.replace(b"line 20\n", b"LINE\n"))),
    "two far hunks": (
        FileState(NUMBERS),
        FileState(NUMBERS.replace(b"line 3\n", b"").replace(b"line 39\n", b"x\ny\n")),
    ),
    "two near hunks": (FileState(NUMBERS), FileState(NUMBERS.replace(b"line 3\n", b"").replace(b"line 6\n", b"x\n"))),
    "first and last line": (FileState(NUMBERS), FileState(b"new\n" + NUMBERS + b"end\n")),
    "newline at the end goes": (FileState(b"a\nb\n"), FileState(b"a\nb")),
    "newline at the end comes": (FileState(b"a\nb"), FileState(b"a\nb\n")),
    "never a newline at the end": (FileState(b"a\nb\nc"), FileState(b"A\nb\nc")),
    "crlf": (FileState(b"a\r\nb\r\nc\r\n"), FileState(b"a\r\nB\r\nc\r\n")),
    "crlf to lf": (FileState(b"a\r\nb\r\n"), FileState(b"a\r\nb\n")),
    "lone cr and form feed": (
        FileState(b"a\rb\x0cc\n\x85\xe2\x80\xa8\nd\n"),
        FileState(b"a\rB\x0cc\n\x85\xe2\x80\xa8\nd\n"),
    ),
    "not utf-8": (FileState(b"caf\xe9\nx\n"), FileState(b"caf\xe9s\nx\n")),
    "new": (None, FileState(b"a\nb\n")),
    "new without newline": (None, FileState(b"a")),
    "new empty": (None, FileState(b"")),
    "new executable": (None, FileState(b"#!/bin/sh\n", "100755")),
    "delete": (FileState(b"a\nb\n"), None),
    "delete empty": (FileState(b""), None),
    "to empty": (FileState(b"a\n"), FileState(b"")),
    "from empty": (FileState(b""), FileState(b"a\n")),
    "mode only": (FileState(b"a\n"), FileState(b"a\n", "100755")),
    "mode and content": (FileState(b"a\n", "100755"), FileState(b"b\n")),
    "binary": (FileState(bytes(range(256)) * 3), FileState(bytes(range(255, -1, -1)) * 7)),
    "new binary": (None, FileState(b"\0" * 300 + os.urandom(53))),
    "delete binary": (FileState(b"\0\1\2"), None),
    "symlink": (FileState(b"here", "120000"), FileState(b"there", "120000")),
    "new symlink": (None, FileState(b"here", "120000")),
    "file to symlink": (FileState(b"text\n"), FileState(b"target", "120000")),
    "symlink to file": (FileState(b"target", "120000"), FileState(b"text\n")),
}
NAMES = [
    "plain.py", "src/deep/er/x.py", "with space.py", " b/lead and trail ", "ünï/cödé.py",
    'quo"te\\back.py', "tab\tnew\nline.py",
    "not\udcffutf8.py", "both\udcff ü.py", "a b/x b/a b", "-dash.py",
]  # fmt: skip


def put(root: Path, path: str, state: FileState | None) -> None:
    if state is None:
        return
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if state.mode == "120000":
        target.symlink_to(os.fsdecode(state.content))
    else:
        target.write_bytes(state.content)
        target.chmod(0o755 if state.mode == "100755" else 0o644)


def get(root: Path, path: str) -> FileState | None:
    target = root / path
    if target.is_symlink():
        return FileState(os.fsencode(target.readlink()), "120000")
    if not target.exists():
        return None
    return FileState(target.read_bytes(), "100755" if target.stat().st_mode & 0o100 else "100644")


def git_apply(root: Path, diff: str, *options: str) -> None:
    command = ["git", "-C", str(root), "-c", "core.autocrlf=false", "apply", "--whitespace=nowarn", *options, "-"]
    done = subprocess.run(command, input=diff.encode("utf-8", "surrogateescape"), capture_output=True, check=False)
    assert done.returncode == 0, (done.stderr, diff)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


@pytest.mark.parametrize("shape", SHAPES)
def test_git_applies_every_shape_of_change_forwards_and_backwards(repository: Path, shape: str) -> None:
    """`git apply` turns the file before into the file after, and with -R back, byte for byte and mode for mode."""
    before, after = SHAPES[shape]
    put(repository, "src/file.py", before)
    diff = unified_diff(make_proposal("r", "t", [FileChange("src/file.py", before, after)]))
    git_apply(repository, diff)
    assert get(repository, "src/file.py") == after
    git_apply(repository, diff, "-R")
    assert get(repository, "src/file.py") == before


@pytest.mark.parametrize("shape", ["one line", "new", "new empty", "delete", "mode only", "binary", "symlink"])
@pytest.mark.parametrize("name", NAMES)
def test_git_applies_changes_of_files_with_odd_names(repository: Path, name: str, shape: str) -> None:
    """Spaces, quotes, control characters, Unicode and bytes that are no UTF-8 in a name reach git unharmed."""
    before, after = SHAPES[shape]
    put(repository, name, before)
    git_apply(repository, unified_diff(make_proposal("r", "t", [FileChange(name, before, after)])))
    assert get(repository, name) == after


def test_git_applies_all_files_of_one_proposal_at_once(repository: Path) -> None:
    """One diff holds many files, among them a rename, which is a deletion and a creation."""
    changes = [FileChange(f"{n}.py", *states) for n, states in enumerate(SHAPES.values())]
    changes += [FileChange("old.py", FileState(NUMBERS), None), FileChange("new.py", None, FileState(NUMBERS))]
    for change in changes:
        put(repository, change.path, change.before)
    git_apply(repository, unified_diff(make_proposal("r", "t", changes)))
    assert all(get(repository, change.path) == change.after for change in changes)


@pytest.mark.parametrize(
    "shape", ["one line", "two far hunks", "two near hunks", "newline at the end goes", "new", "mode only"]
)
def test_a_diff_reads_like_gits_own(repository: Path, shape: str) -> None:
    """Names, modes, spans and the missing newline stand exactly where git itself puts them."""
    before, after = SHAPES[shape]
    put(repository, "cart file.py", before)
    git = ["git", "-C", str(repository), "-c", "core.abbrev=12", "-c", "core.autocrlf=false"]
    subprocess.run([*git, "add", "-A"], check=True)
    put(repository, "cart file.py", after)
    subprocess.run([*git, "add", "-AN"], check=True)
    theirs = subprocess.run([*git, "diff", "--no-color"], check=True, capture_output=True, text=True).stdout
    ours = unified_diff(make_proposal("r", "t", [FileChange("cart file.py", before, after)]))
    assert re.sub(r"(?m)^(@@ .* @@).*$", r"\1", theirs) == ours


def test_binary_content_can_be_left_out_for_reading() -> None:
    """A person is told that a binary file differs instead of being shown its bytes."""
    proposal = make_proposal("r", "t", [FileChange("logo.png", FileState(b"\0a"), FileState(b"\0b"))])
    assert unified_diff(proposal, binary=False).endswith("Binary files a/logo.png and b/logo.png differ\n")


def test_regions_rebuild_the_new_file_for_random_edits() -> None:
    """Whatever the two files are, old lines outside the regions plus new lines inside them are the new file."""
    rng = random.Random(7)
    for _ in range(400):
        old = [
            rng.choice([b"a\n", b"b\n", b"c\r\n", b"\n", b"x%d\n" % rng.randrange(30)])
            for _ in range(rng.randrange(25))
        ]
        new = [line for line in old if rng.random() > 0.2]
        for _ in range(rng.randrange(5)):
            new.insert(rng.randrange(len(new) + 1), rng.choice([b"a\n", b"n\n", b"x%d\n" % rng.randrange(30)]))
        rebuilt, at, last = [], 0, -1
        for region in changed_regions(old, new):
            assert region.old_start > last or last == -1
            rebuilt += [*old[at : region.old_start], *new[region.new_start : region.new_stop]]
            at = last = region.old_stop
        assert [*rebuilt, *old[at:]] == new


def test_large_files_are_compared_in_reasonable_time() -> None:
    """100,000 lines with edits at both ends take no quadratic time, also when no line is unique."""
    lines = [b"%d\n" % (n % 50) for n in range(100_000)]
    assert changed_regions(lines, [b"first\n", *lines, b"last\n"])
    shuffled = [b"%d\n" % n for n in range(100_000)]
    random.Random(1).shuffle(shuffled)
    assert changed_regions([b"%d\n" % n for n in range(100_000)], shuffled)


def test_any_selection_of_hunks_is_applied_and_no_other() -> None:
    """Each subset of four hunks gives the file with those changes only, and its diff says the same."""
    old = split_lines(NUMBERS)
    new = [*old[:2], b"in\n", *old[2:9], *old[12:19], b"changed\n", *old[20:]]
    new[-1] = b"line 40"
    proposal = make_proposal("r", "t", [FileChange("f.py", FileState(NUMBERS), FileState(b"".join(new)))])
    (patch,) = proposal.patches
    assert len(patch.hunks) == 4
    for mask in range(1, 16):
        ids = [hunk.id for n, hunk in enumerate(patch.hunks) if mask >> n & 1]
        (chosen,) = select(proposal, ids).patches
        expected = list(old)
        for n in (3, 2, 1, 0):
            if mask >> n & 1:
                hunk = patch.hunks[n]
                stop = hunk.old_start - 1 + len(split_lines(hunk.old))
                expected[hunk.old_start - 1 : stop] = split_lines(hunk.new)
        assert chosen.after == FileState(b"".join(expected))
        assert [hunk.id for hunk in chosen.hunks] == ids
        lines = split_lines(chosen.after.content)
        for hunk in chosen.hunks:
            assert b"".join(lines[hunk.new_start - 1 :]).startswith(hunk.new)


def test_whole_files_are_selected_by_path() -> None:
    """Binary files, new files and changes of mode are chosen or left as a whole, and an unknown id is refused."""
    changes = [
        FileChange("a.bin", FileState(b"\0"), FileState(b"\0\0")),
        FileChange("b.py", None, FileState(b"x\n")),
        FileChange("c.sh", FileState(b"x"), FileState(b"x", "100755")),
        FileChange("same.py", FileState(b"x"), FileState(b"x")),
    ]
    proposal = make_proposal("r", "t", changes)
    assert [patch.path for patch in proposal.patches] == ["a.bin", "b.py", "c.sh"]
    assert [patch.path for patch in select(proposal, {"a.bin", "b.py#1"}).patches] == ["a.bin", "b.py"]
    assert select(proposal, ()).patches == ()
    with pytest.raises(SettingsError, match=r"no hunk nope. It has: a.bin, b.py, b.py#1, c.sh"):
        select(proposal, {"nope"})


def test_changed_tests_are_set_apart() -> None:
    """A patch of a protected file is no part of what is proposed, but can be offered on its own without evidence."""
    changes = [FileChange(path, FileState(b"1\n"), FileState(b"2\n")) for path in ("tests/test_a.py", "a.py")]
    proposal = make_proposal("r", "t", changes, lambda path: path.startswith("tests/"))
    assert [change.path for change in changes_of(proposal)] == ["a.py"]
    assert "test_a" not in unified_diff(proposal)
    apart = separate(proposal)
    assert apart
    assert [patch.path for patch in apart.patches] == ["tests/test_a.py"]
    assert separate(apart) is None


def test_figures() -> None:
    """The one-line summary and the tally count what is there."""
    one = make_proposal("r", "t", [FileChange("a", FileState(b"1\n"), FileState(b"2\n"))])
    assert stat(one.patches) == "1 file, +1 \N{MINUS SIGN}1"
    two = [FileChange("a", None, FileState(b"1\n2")), FileChange("b", FileState(b"\0"), None)]
    assert stat(make_proposal("r", "t", two).patches) == "2 files, +2 \N{MINUS SIGN}0, 1 not text"
    results = [TestResult(node_id=str(o), outcome=o) for o in (Outcome.PASSED, Outcome.TIMEOUT, Outcome.PASSED)]
    summary = tally(TestReport(command=("pytest",), results=tuple(results)))
    assert summary.counts == {Outcome.PASSED: 2, Outcome.TIMEOUT: 1}
    assert summary.failing == ("timeout",)
