"""What a snapshot must not hold: secrets, and more than it may."""

from pathlib import Path

import pytest
from git_workspace import contents, git, make_repository, make_settings, write

from codeact.errors import SnapshotError
from codeact.settings import MIB
from codeact.snapshot import list_files, materialise, take_snapshot

SECRET = (
    ".env",
    ".env.production",
    ".envrc",
    "sub/.ENV.Local",
    "server.pem",
    "tls/private.key",
    "store.p12",
    "passwords.kdbx",
    "id_rsa",
    "keys/id_ed25519_work",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".aws/credentials",
    "home/.ssh/config",
    ".docker/config.json",
    "credentials.json",
    "service-account-prod.json",
    "secrets.yaml",
)
HARMLESS = (
    ".env.example",
    ".env.sample",
    ".env.template",
    ".env.dist",
    "secrets.py",
    "keys.py",
    "credentials.py",
    "tests/.env.py",
    "id_rsa.pub",
    "environment.txt",
    "monkey",
    "keyboard.pyi",
    "aws/credentials",
)
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
PRIVATE = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "work"


@pytest.mark.parametrize("kind", ["tracked", "untracked", "without git"])
def test_secrets_are_left_out_and_the_developer_is_told_which(tmp_path: Path, workspace: Path, kind: str) -> None:
    """Tracked or not; and source is never taken for a secret."""
    write(workspace, dict.fromkeys((*SECRET, *HARMLESS), "x\n"))
    if kind != "without git":
        git(workspace, "init", "-q")
    if kind == "tracked":
        make_repository(workspace)
    settings = make_settings(tmp_path, workspace)
    for _ in range(2):
        snapshot = take_snapshot(settings)
        assert set(list_files(snapshot)) == set(HARMLESS)
        assert [left.path for left in snapshot.left_out] == sorted(SECRET)
        assert {left.reason for left in snapshot.left_out} == {"it may hold secrets"}
        with materialise(snapshot) as folder:
            assert not (folder / ".env").exists()


def test_a_certificate_is_no_secret_unless_its_key_is_in_it(tmp_path: Path, workspace: Path) -> None:
    """Test suites are full of certificates; a file that gets a key is left out from then on."""
    write(workspace, {"public.pem": CERTIFICATE, "both.pem": CERTIFICATE + PRIVATE, "tls.key": PRIVATE})
    settings = make_settings(tmp_path, workspace)
    assert list_files(take_snapshot(settings)) == ("public.pem",)
    write(workspace, {"public.pem": CERTIFICATE + PRIVATE})
    snapshot = take_snapshot(settings)
    assert list_files(snapshot) == ()
    assert [left.path for left in snapshot.left_out] == ["both.pem", "public.pem", "tls.key"]


def test_what_the_settings_name_is_left_out_also_after_it_was_taken(tmp_path: Path, workspace: Path) -> None:
    """Names and whole paths, Python source too, and from the next snapshot on."""
    files = ("a.py", "own_keys.py", "private/deep/b.py", "conf/c.ini", "other/c.ini")
    make_repository(workspace, dict.fromkeys(files, "x\n"))
    assert list_files(take_snapshot(make_settings(tmp_path, workspace))) == tuple(sorted(files))
    settings = make_settings(tmp_path, workspace, secrets=("own_*.PY", "private/", "/conf/*.ini"))
    snapshot = take_snapshot(settings)
    assert list_files(snapshot) == ("a.py", "other/c.ini")
    assert {left.reason for left in snapshot.left_out} == {"the settings name it as a secret"}
    assert take_snapshot(settings) == snapshot
    assert len(list_files(take_snapshot(make_settings(tmp_path, workspace)))) == len(files)


def test_an_unsaved_secret_is_left_out(tmp_path: Path, workspace: Path) -> None:
    """An editor hands in all that is open."""
    write(workspace, {"a.py": "a\n"})
    snapshot = take_snapshot(make_settings(tmp_path, workspace), {".env": "TOKEN=1\n", "a.py": "b\n"})
    assert contents(snapshot) == {"a.py": b"b\n"}
    assert [left.path for left in snapshot.left_out] == [".env"]


def test_a_tracked_secret_that_is_ignored_is_told_each_time(tmp_path: Path, workspace: Path) -> None:
    """Only the first look goes through the rules; what it found is not forgotten."""
    make_repository(workspace, {"a.py": "a\n", ".env": "TOKEN=1\n"})
    write(workspace, {".gitignore": ".env\n"})
    settings = make_settings(tmp_path, workspace)
    for _ in range(3):
        assert [left.path for left in take_snapshot(settings).left_out] == [".env"]


def test_too_many_files_are_refused_with_numbers_and_a_way_out(tmp_path: Path, workspace: Path) -> None:
    """Before anything is stored; the message says how many, where, and what to do."""
    write(workspace, {f"data/raw/f{number}": "" for number in range(30)} | {"a.py": "a\n"})
    settings = make_settings(tmp_path, workspace, max_files=20)
    with pytest.raises(SnapshotError) as caught:
        take_snapshot(settings)
    message = str(caught.value)
    assert "31 files" in message
    assert "may hold 20 files" in message
    assert "data/raw (30 files" in message
    assert ".gitignore" in message
    assert "max_files" in message
    write(workspace, {".gitignore": "data/\n"})
    assert list_files(take_snapshot(settings)) == (".gitignore", "a.py")


def test_too_many_bytes_are_refused_and_counted_exactly(tmp_path: Path, workspace: Path) -> None:
    """Sizes are added up cheaply, and measured only where the sum comes near: writing one file often is no growth."""
    settings = make_settings(tmp_path, workspace, max_bytes=MIB)
    for number in range(8):
        write(workspace, {"a.bin": bytes([number]) * 400_000, "b.bin": b"b" * 400_000})
        assert take_snapshot(settings).files == 2
    write(workspace, {"big/c.bin": b"c" * 400_000})
    with pytest.raises(SnapshotError, match=r"3 files with 1\.1 MiB.*may hold .* 1\.0 MiB.*big \(1 files, 0\.4 MiB\)"):
        take_snapshot(settings)
    (workspace / "b.bin").unlink()
    assert take_snapshot(settings).files == 2


def test_what_is_left_out_does_not_count(tmp_path: Path, workspace: Path) -> None:
    """Ignored files may be as large as they like."""
    make_repository(workspace, {".gitignore": "build/\n", "a.py": "a\n"})
    write(workspace, {f"build/f{number}": "x" for number in range(30)})
    assert take_snapshot(make_settings(tmp_path, workspace, max_files=5)).files == 2
