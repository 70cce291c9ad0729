"""Applying: all or nothing, whatever the workspace has become, whatever fails and whenever the process dies."""

import errno
import fcntl
import os
import signal
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from codeact import transaction
from codeact.apply import Plan, execute, plan_apply, undo
from codeact.disk import look
from codeact.errors import ApplyError, WireError
from codeact.proposal import make_proposal, select
from codeact.record import run_folder
from codeact.settings import Settings
from codeact.trajectory import FileChange, FileState

Tree = Mapping[str, tuple[str, bytes]]  # path -> permission bits or kind, content
POEM = b"".join(b"line %d\n" % n for n in range(1, 21))
RUN = "20260101-000000-abcd"
CHANGES = [
    FileChange("a.py", FileState(b"one\r\ntwo\r\n"), FileState(b"one\r\nTWO\r\n")),
    FileChange("new/deep/er.py", None, FileState(b"fresh")),
    FileChange("old.txt", FileState(b"\xff\0"), None),
    FileChange("run.sh", FileState(b"#!/bin/sh\n"), FileState(b"#!/bin/sh\n", "100755")),
    FileChange("tool", FileState(b"x\n", "100755"), FileState(b"y\n", "100755")),
    FileChange("link", FileState(b"a.py", "120000"), FileState(b"tool", "120000")),
    FileChange("odd \udcff\n.py", FileState(b""), FileState(b"\x0c")),
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    root = tmp_path / "work space"
    root.mkdir()
    return Settings(workspace=root, state=tmp_path / "state", cache=tmp_path / "cache")


def fill(root: Path, changes: list[FileChange]) -> None:
    for change in changes:
        if change.before is None:
            continue
        target = root / change.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if change.before.mode == "120000":
            target.symlink_to(os.fsdecode(change.before.content))
        else:
            target.write_bytes(change.before.content)
            target.chmod(0o755 if change.before.mode == "100755" else 0o644)


def tree(root: Path) -> Tree:
    """Everything in a folder, empty folders too."""
    found: dict[str, tuple[str, bytes]] = {}
    for path in sorted(root.rglob("*")):
        name, mode = str(path.relative_to(root)), path.lstat().st_mode
        if stat.S_ISLNK(mode):
            found[name] = ("link", os.fsencode(path.readlink()))
        elif stat.S_ISDIR(mode):
            found[name] = ("folder", b"")
        else:
            found[name] = (f"{mode & 0o7777:o}", path.read_bytes())
    return found


def plan(settings: Settings, changes: list[FileChange]) -> Plan:
    return plan_apply(settings, make_proposal(RUN, "tree", changes))


def test_a_proposal_is_written_exactly_and_undone_exactly(settings: Settings) -> None:
    """Contents, line ends, modes, links, new and deleted files come as proposed; undo leaves no trace."""
    fill(settings.workspace, CHANGES)
    before = tree(settings.workspace)
    applied = execute(settings, plan(settings, CHANGES))
    assert set(applied.paths) == {change.path for change in CHANGES}
    assert applied.merged == ()
    for change in CHANGES:
        assert look(settings.workspace, change.path) == change.after
    assert not [name for name in tree(settings.workspace) if name.endswith(".tmp")]
    assert set(undo(settings, RUN).paths) == set(applied.paths)
    assert tree(settings.workspace) == before
    with pytest.raises(ApplyError, match="not applied, so there is nothing to undo"):
        undo(settings, RUN)


def test_permission_bits_are_kept(settings: Settings) -> None:
    """A private file stays private; only the executable bits follow the proposal; new files obey the umask."""
    changes = [
        FileChange("private", FileState(b"1"), FileState(b"2")),
        FileChange("becomes", FileState(b"1"), FileState(b"1", "100755")),
        FileChange("stops", FileState(b"1", "100755"), FileState(b"2")),
        FileChange("odd", FileState(b"1", "100755"), FileState(b"2", "100755")),
        FileChange("fresh", None, FileState(b"", "100755")),
        FileChange("gone", FileState(b"1"), None),
    ]
    fill(settings.workspace, changes)
    bits = {"private": 0o600, "becomes": 0o640, "stops": 0o775, "odd": 0o744, "gone": 0o606}
    for name, mode in bits.items():
        (settings.workspace / name).chmod(mode)
    before = tree(settings.workspace)
    previous = os.umask(0o027)
    try:
        execute(settings, plan(settings, changes))
    finally:
        os.umask(previous)
    after = {name: mode for name, (mode, _) in tree(settings.workspace).items()}
    assert after == {"private": "600", "becomes": "750", "stops": "664", "odd": "744", "fresh": "750"}
    undo(settings, RUN)
    assert tree(settings.workspace) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_does_not_take_files_away_from_the_developer(settings: Settings) -> None:
    """Replaced and new files belong to whom the old file or the folder belongs."""
    changes = [FileChange("a", FileState(b"1"), FileState(b"2")), FileChange("b", None, FileState(b"2"))]
    fill(settings.workspace, changes)
    os.chown(settings.workspace / "a", 1234, 1235)
    os.chown(settings.workspace, 1236, 1237)
    execute(settings, plan(settings, changes))
    assert [(settings.workspace / n).stat().st_uid for n in "ab"] == [1234, 1236]


def test_edits_elsewhere_in_a_file_are_merged_and_must_be_proven(settings: Settings) -> None:
    """The developer's later edit and the proposal's both end up in the file, and the plan says it is a new state."""
    changes = [FileChange("a.py", FileState(POEM), FileState(POEM.replace(b"line 3\n", b"proposed\n"), "100755"))]
    mine = POEM.replace(b"line 15\n", b"mine\r\n")
    (settings.workspace / "a.py").write_bytes(mine)
    made = plan(settings, changes)
    assert made.merged == ("a.py",)
    assert made.needs_proof
    expected = FileState(mine.replace(b"line 3\n", b"proposed\n"), "100755")
    assert made.changes == (FileChange("a.py", FileState(mine), expected),)
    assert execute(settings, made).merged == ("a.py",)
    assert look(settings.workspace, "a.py") == expected
    undo(settings, RUN)
    assert look(settings.workspace, "a.py") == FileState(mine)


def test_a_mode_changed_by_the_developer_is_kept_in_a_merge(settings: Settings) -> None:
    """Who made a file executable meanwhile keeps it so, with the proposed content."""
    fill(settings.workspace, [FileChange("a", FileState(b"1\n"), None)])
    (settings.workspace / "a").chmod(0o755)
    made = plan(settings, [FileChange("a", FileState(b"1\n"), FileState(b"2\n"))])
    assert made.needs_proof
    assert made.changes[0].after == FileState(b"2\n", "100755")


@pytest.mark.parametrize(
    ("before", "now", "after", "reason"),
    [
        (POEM, POEM.replace(b"line 3\n", b"mine\n"), POEM.replace(b"line 3\n", b"theirs\n"), "its lines 3 were edited"),
        (POEM, b"top\n" + POEM.replace(b"5", b"V"), POEM.replace(b"line 5", b"x"), "its lines 6 were edited"),
        (b"1\n", None, b"2\n", "it was deleted"),
        (None, b"1\n", b"2\n", "it is there by now"),
        (b"1\n", b"2\n", None, "deletes it, but it was edited"),
        (b"\0", b"\0\1", b"\0\2", "no text that could be merged"),
    ],
)
def test_conflicts_are_named_and_nothing_is_written(
    settings: Settings, before: bytes | None, now: bytes | None, after: bytes | None, reason: str
) -> None:
    """One file that cannot be brought together keeps the whole proposal out."""
    states = [None if content is None else FileState(content) for content in (before, now, after)]
    fine = FileChange("fine.py", FileState(b"1"), FileState(b"2"))
    fill(settings.workspace, [FileChange("x.py", states[1], None), fine])
    untouched = tree(settings.workspace)
    made = plan(settings, [fine, FileChange("x.py", states[0], states[2])])
    assert len(made.conflicts) == 1
    with pytest.raises(ApplyError, match=rf"x\.py: .*{reason}"):
        execute(settings, made)
    assert tree(settings.workspace) == untouched


def test_applying_twice_changes_nothing_and_keeps_the_way_back(settings: Settings) -> None:
    """What is there already is not written again, and can still be undone."""
    fill(settings.workspace, CHANGES)
    before = tree(settings.workspace)
    execute(settings, plan(settings, CHANGES))
    again = plan(settings, CHANGES)
    assert again.changes == ()
    assert execute(settings, again).paths == ()
    undo(settings, RUN)
    assert tree(settings.workspace) == before


def test_a_selection_is_applied_and_the_rest_later(settings: Settings) -> None:
    """The hunks taken first are merged with those taken afterwards."""
    after = POEM.replace(b"line 2\n", b"two\n").replace(b"line 19\n", b"nineteen\n")
    proposal = make_proposal(RUN, "tree", [FileChange("a", FileState(POEM), FileState(after))])
    (settings.workspace / "a").write_bytes(POEM)
    execute(settings, plan_apply(settings, select(proposal, {"a#2"})))
    assert (settings.workspace / "a").read_bytes() == POEM.replace(b"line 19\n", b"nineteen\n")
    execute(settings, plan_apply(settings, proposal))
    assert (settings.workspace / "a").read_bytes() == after


def test_an_edit_between_plan_and_write_stops_the_write(settings: Settings) -> None:
    """The plan holds for the workspace it was made for, and no other."""
    fill(settings.workspace, CHANGES)
    made = plan(settings, CHANGES)
    (settings.workspace / "tool").write_bytes(b"edited")
    edited = tree(settings.workspace)
    with pytest.raises(ApplyError, match=r"Changed since this was planned.*: tool"):
        execute(settings, made)
    assert tree(settings.workspace) == edited


def test_undo_refuses_when_files_were_edited(settings: Settings) -> None:
    """What the developer wrote after applying is never lost to an undo."""
    fill(settings.workspace, CHANGES)
    execute(settings, plan(settings, CHANGES))
    (settings.workspace / "a.py").write_bytes(b"mine")
    edited = tree(settings.workspace)
    with pytest.raises(ApplyError, match=r"Changed since it was applied.*: a\.py"):
        undo(settings, RUN)
    assert tree(settings.workspace) == edited


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../x", "no path inside"),
        ("/etc/x", "no path inside"),
        ("a//b", "no path inside"),
        ("", "no path inside"),
        (".git/hooks/pre-commit", r"inside \.git"),
        ("sub/.GIT/config", r"inside \.git"),
        ("out/x", "goes through the symlink out"),
        ("folder", "is a folder"),
        ("file/x", "file is no folder"),
        ("pipe", "no regular file"),
        ("readonly", "is read-only"),
    ],
)
def test_paths_that_must_not_be_written_are_refused(settings: Settings, path: str, reason: str) -> None:
    """A proposal comes from a sandbox: whatever it names, nothing else is written."""
    root = settings.workspace
    outside = root.parent / "outside"
    outside.mkdir()
    (root / "out").symlink_to(outside)
    (root / "folder").mkdir()
    (root / "file").write_bytes(b"")
    (root / "readonly").write_bytes(b"1")
    (root / "readonly").chmod(0o444)
    os.mkfifo(root / "pipe")
    before = FileState(b"1") if path == "readonly" else None
    with pytest.raises(ApplyError, match=reason):
        plan(settings, [FileChange("ok", None, FileState(b"")), FileChange(path, before, FileState(b"2"))])
    assert list(outside.iterdir()) == []
    assert not (root / "ok").exists()


@pytest.mark.parametrize("target", ["../x", "y/z"])
def test_new_symlinks_may_lead_to_other_places_inside(settings: Settings, target: str) -> None:
    """A link within the workspace is an ordinary change, also if nothing is there yet."""
    execute(settings, plan(settings, [FileChange("dir/link", None, FileState(os.fsencode(target), "120000"))]))
    assert (settings.workspace / "dir/link").is_symlink()


@pytest.mark.parametrize("target", ["../../etc", "/etc/passwd", "x/../../../y", ".."])
def test_new_symlinks_must_not_lead_out(settings: Settings, target: str) -> None:
    """A link to the outside would let a later program write there."""
    name = "link" if target == ".." else "dir/link"
    with pytest.raises(ApplyError, match="leads out of the workspace"):
        plan(settings, [FileChange(name, None, FileState(os.fsencode(target), "120000"))])


def test_two_writers_do_not_interleave(settings: Settings) -> None:
    """While one holds the workspace's lock, the other is told to wait."""
    fill(settings.workspace, CHANGES)
    made = plan(settings, CHANGES)
    (lock,) = (settings.state / "writing").iterdir()
    with lock.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for action in (lambda: execute(settings, made), lambda: plan(settings, CHANGES)):
            with pytest.raises(ApplyError, match="Another process is writing"):
                action()
    execute(settings, made)


@pytest.fixture
def failing_writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Makes the n-th replacing of a file fail, n being the list's only item."""
    countdown = [-1]
    real = transaction.replace_file

    def replace_file(*args: object, **options: object) -> None:
        countdown[0] -= 1
        if countdown[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*args, **options)

    monkeypatch.setattr(transaction, "replace_file", replace_file)
    return countdown


@pytest.mark.parametrize("number", range(1, len(CHANGES) + 1))
def test_a_failure_in_the_middle_leaves_the_workspace_as_it_was(
    settings: Settings, failing_writes: list[int], number: int
) -> None:
    """Whichever file cannot be written, those before it are put back, and a later try succeeds."""
    fill(settings.workspace, CHANGES)
    before = tree(settings.workspace)
    made = plan(settings, CHANGES)
    failing_writes[0] = number
    with pytest.raises(ApplyError, match=r"could not be written .*No space left.*All files are as they were"):
        execute(settings, made)
    assert tree(settings.workspace) == before
    execute(settings, plan(settings, CHANGES))
    undo(settings, RUN)
    assert tree(settings.workspace) == before


@pytest.mark.parametrize("number", range(1, len(CHANGES) + 1))
def test_an_undo_that_fails_in_the_middle_is_completed_later(
    settings: Settings, failing_writes: list[int], number: int
) -> None:
    """The error says that it will be gone on with, and the next command does."""
    fill(settings.workspace, CHANGES)
    before = tree(settings.workspace)
    execute(settings, plan(settings, CHANGES))
    failing_writes[0] = number
    with pytest.raises(ApplyError, match="Not all files could be put back"):
        undo(settings, RUN)
    undo(settings, RUN)
    assert tree(settings.workspace) == before


FEW = CHANGES[:4]  # each further file only repeats, and every point costs a hundred ms
WRITES = {"open", "os.chmod", "os.chown", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.utime"}


def killed_at(number: int, action: object) -> bool:
    """Run an action in a forked process that kills itself before its n-th operation on files; whether it did."""
    child = os.fork()
    if child == 0:
        import sys  # noqa: PLC0415 - the hook can never be removed again, so only this process has it

        left = [number]

        def hook(event: str, _args: object) -> None:
            if event in WRITES:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        try:
            action()  # type: ignore[operator]
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the child only works on files, then exits
def test_a_kill_at_any_point_of_applying_leaves_all_or_nothing(settings: Settings) -> None:
    """After SIGKILL between any two operations, the next command finds the old files or, at the end, the new ones."""
    fill(settings.workspace, FEW)
    before = tree(settings.workspace)
    execute(settings, plan(settings, FEW))
    after = tree(settings.workspace)
    undo(settings, RUN)
    outcomes = []
    for number in range(1, 1000):
        made = plan(settings, FEW)
        killed = killed_at(number, lambda made=made: execute(settings, made))
        plan(settings, [])  # what any next command does first
        now = tree(settings.workspace)
        assert now in (before, after), number
        outcomes.append(now == after)
        if now == after:
            undo(settings, RUN)
        assert tree(settings.workspace) == before
        if not killed:
            break
    assert number > 30
    assert outcomes == sorted(outcomes)  # first always nothing, then always all
    assert outcomes[-1]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the child only works on files, then exits
def test_a_kill_at_any_point_of_undoing_is_gone_on_with(settings: Settings) -> None:
    """After SIGKILL between any two operations of an undo, a second undo brings back the old files."""
    fill(settings.workspace, FEW)
    before = tree(settings.workspace)
    for number in range(1, 1000):
        execute(settings, plan(settings, FEW))
        killed = killed_at(number, lambda: undo(settings, RUN))
        if (run_folder(settings, RUN) / "undo.json").exists() or (run_folder(settings, RUN) / "undoing.json").exists():
            undo(settings, RUN)
        assert tree(settings.workspace) == before, number
        if not killed:
            break
    assert number > 20


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the child only works on files, then exits
def test_files_edited_after_a_crash_are_left_alone(settings: Settings) -> None:
    """What the developer wrote into a half-written workspace stays, and is named once; then work can go on."""
    fill(settings.workspace, FEW)
    made = plan(settings, FEW)
    number = next(n for n in range(1, 1000) if _half_written(settings, made, n))
    assert number
    (settings.workspace / "a.py").write_bytes(b"mine")
    with pytest.raises(ApplyError, match=r"edited meanwhile and are left as they are: a\.py"):
        plan(settings, [])
    assert (settings.workspace / "a.py").read_bytes() == b"mine"
    plan(settings, [])


def _half_written(settings: Settings, made: Plan, number: int) -> bool:
    killed_at(number, lambda: execute(settings, made))
    if (settings.workspace / "a.py").read_bytes() == b"one\r\nTWO\r\n":
        return True
    plan(settings, [])
    return False


def test_a_damaged_record_is_named(settings: Settings) -> None:
    """Nobody guesses what was in the files before."""
    fill(settings.workspace, FEW)
    execute(settings, plan(settings, FEW))
    record = run_folder(settings, RUN) / "undo.json"
    record.write_text("{")
    with pytest.raises(ApplyError, match=r"undo\.json is damaged"):
        undo(settings, RUN)
    record.write_text("{}")
    with pytest.raises(WireError, match="no valid Undo"):
        undo(settings, RUN)


def test_a_write_that_cannot_even_begin_changes_nothing(settings: Settings) -> None:
    """When the way back cannot be written down, nothing is written at all."""
    fill(settings.workspace, CHANGES)
    before = tree(settings.workspace)
    made = plan(settings, CHANGES)
    (settings.state / "runs").write_bytes(b"in the way")
    with pytest.raises(ApplyError, match="could not be"):
        execute(settings, made)
    assert tree(settings.workspace) == before


def test_without_git_a_merge_says_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only edited files need git, and then the message names it."""
    monkeypatch.setenv("PATH", "/nowhere")
    fill(settings.workspace, CHANGES)
    execute(settings, plan(settings, CHANGES))
    edited = FileChange("tool", FileState(b"a\nb\n"), FileState(b"A\nb\n"))
    with pytest.raises(ApplyError, match="git"):
        plan(settings, [edited])


def test_the_record_is_private(settings: Settings) -> None:
    """It holds the developer's files."""
    fill(settings.workspace, FEW)
    execute(settings, plan(settings, FEW))
    assert (run_folder(settings, RUN) / "undo.json").stat().st_mode & 0o077 == 0
