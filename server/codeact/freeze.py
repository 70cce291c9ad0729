"""Freezing a workspace: committed, changed, untracked and unsaved text, as one git tree.

The tree is made in a private repository (see `gitstore`); the workspace, and its own `.git`, are only read. git looks
twice: after what changed has been taken, nothing may have changed again, so a snapshot holds no half of an edit.
"""

import contextlib
import fcntl
import os
import re
import shutil
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from codeact.errors import SnapshotError, WorkspaceError
from codeact.gitstore import ENVIRONMENT, GitStore, join, open_store, run_git, split
from codeact.settings import Settings
from codeact.trajectory import FileChange, FileState, Rejected

ROUNDS = 6
SECRETS = (
    ".env", ".env.*", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "id_rsa*", "id_dsa*",
    "id_ecdsa*", "id_ed25519*", ".netrc", ".pypirc", ".npmrc", ".htpasswd", ".git-credentials", "credentials.json",
    "service-account*.json", "secrets.y*ml", "secrets.toml", "secrets.json", ".aws/*", ".ssh/*", ".gnupg/*",
)  # fmt: skip
HARMLESS = (".env.example", ".env.sample", ".env.template", ".env.dist", ".env.defaults", "*.py", "*.pyi", "*.pub")
JUNK = (
    "__pycache__/", "*.pyc", ".pytest_cache/", ".mypy_cache/", ".ruff_cache/", ".hypothesis/", ".tox/", ".nox/",
    "node_modules/", ".venv/", "venv/", ".coverage",
)  # fmt: skip
LEAD = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")


@dataclass(frozen=True)
class Snapshot:
    """A frozen workspace.

    Attributes:
        tree: git tree id, 40 hex digits: the name of exactly this content.
        workspace: the live folder it was taken from.
        store: the private repository that keeps it.
        cache: folder for working copies of it.
        files: how many files it holds.
        left_out: what was not taken, and why.
    """

    tree: str
    workspace: Path
    store: GitStore = field(repr=False)
    cache: Path = field(repr=False)
    files: int = 0
    left_out: tuple[Rejected, ...] = ()


def take_snapshot(settings: Settings, buffers: Mapping[str, str] | None = None) -> Snapshot:
    """Freeze the workspace as it is now.

    Args:
        settings: which folder, and what a snapshot may hold.
        buffers: unsaved texts, by path; they take the place of what is on disk.

    Raises:
        WorkspaceError: there is no such folder, or a buffer is not in it.
        SnapshotError: it is too large, or changes all the time; or git does not work.
    """
    if not settings.workspace.is_dir():
        raise WorkspaceError(f"There is no folder {settings.workspace}.")
    store = open_store(settings)
    with _locked(store):
        taking = _Taking(settings, store)
        taking.follow()
        index = taking.overlay(buffers) if buffers else store.folder / "index"
        tree = store.run("write-tree", index=index).decode("ascii").strip()
        files = len(split(store.run("ls-files", "-z", index=index)))
    return Snapshot(tree, settings.workspace, store, settings.cache, files, tuple(taking.left_out.values()))


def open_snapshot(settings: Settings, tree: str) -> Snapshot:
    """An earlier snapshot of the workspace.

    Raises:
        SnapshotError: the store does not have it any more.
    """
    store = open_store(settings)
    try:
        entries = split(store.run("ls-tree", "-r", "-z", "--name-only", tree))
    except SnapshotError:
        raise SnapshotError(f"The snapshot {tree} of {settings.workspace} is not kept any more.") from None
    return Snapshot(tree, settings.workspace, store, settings.cache, len(entries))


def list_files(snapshot: Snapshot) -> tuple[str, ...]:
    """The paths of all files in a snapshot."""
    entries = split(snapshot.store.run("ls-tree", "-r", "-z", "--name-only", snapshot.tree))
    return tuple(os.fsdecode(entry) for entry in entries)


def read_file(snapshot: Snapshot, path: str) -> FileState | None:
    """One file of a snapshot; None if it has no such file."""
    if not path or path.startswith("/") or ".." in path.split("/"):
        return None
    entries = split(snapshot.store.run("ls-tree", "-z", snapshot.tree, "--", f":(literal){path}"))
    if not entries:
        return None
    mode, kind, name = entries[0].partition(b"\t")[0].split()
    if kind != b"blob":
        return None
    return FileState(snapshot.store.run("cat-file", "blob", name.decode()), mode.decode())


def write_tree(snapshot: Snapshot, changes: Sequence[FileChange]) -> Snapshot:
    """The snapshot that another one becomes with some changes."""
    store = snapshot.store
    index = store.folder / f"index-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        store.run("read-tree", snapshot.tree, index=index)
        lines = b""
        for change in changes:
            state, path = change.after, os.fsencode(change.path)
            name = _hash(store, state.content) if state else b"0" * 40
            lines += b"%s %s\t%s\0" % (state.mode.encode() if state else b"0", name, path)
        store.run("update-index", "-z", "--index-info", index=index, data=lines)
        tree = store.run("write-tree", index=index).decode("ascii").strip()
        files = len(split(store.run("ls-files", "-z", index=index)))
    finally:
        index.unlink(missing_ok=True)
    return Snapshot(tree, snapshot.workspace, store, snapshot.cache, files, snapshot.left_out)


def keep(snapshot: Snapshot, run: str) -> None:
    """Name a snapshot after a run, so that it is not pruned while the run is there."""
    ref = snapshot.store.folder / "refs" / "codeact" / run
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text(snapshot.tree + "\n", "ascii")


class _Taking:
    """Bringing the store's index up to the workspace."""

    def __init__(self, settings: Settings, store: GitStore) -> None:
        self.settings = settings
        self.store = store
        self.left_out: dict[bytes, Rejected] = {}
        self.patterns = (*SECRETS, *settings.snapshot.secrets)

    def follow(self) -> None:
        """Take what changed, and again what changed meanwhile, until nothing did."""
        self._write_excludes()
        ignored = self._tracked_though_ignored()
        self._drop_secrets()
        for _ in range(ROUNDS):
            changed = self._changed(ignored)
            if not changed:
                return
            self._check_size(changed)
            nested = [path for path in changed if path.endswith(b"/")]
            plain = [path for path in changed if not path.endswith(b"/")]
            if plain:
                self.store.run("update-index", "-z", "--add", "--remove", "--replace", "--stdin", data=join(plain))
            for folder in nested:
                self._add_nested(folder)
        raise SnapshotError(
            f"{self.settings.workspace} changes all the time, last {os.fsdecode(changed[0])}. "
            "Stop what writes there, or let git ignore it, then try again."
        )

    def overlay(self, buffers: Mapping[str, str]) -> Path:
        """An index that holds the unsaved texts in place of the files."""
        index = self.store.folder / "index-buffers"
        shutil.copyfile(self.store.folder / "index", index)
        lines = b""
        for path, text in buffers.items():
            target = self.settings.workspace / path
            if (
                Path(os.path.normpath(target)) == self.settings.workspace
                or ".." in Path(path).parts
                or Path(path).is_absolute()
            ):
                raise WorkspaceError(f"The buffer {path} is not in the workspace {self.settings.workspace}.")
            if self._is_secret(os.fsencode(path)):
                continue
            mode = b"100755" if os.access(target, os.X_OK) else b"100644"
            name = _hash(self.store, _encode(text, target))
            lines += b"%s %s\t%s\0" % (mode, name, os.fsencode(path))
        self.store.run("update-index", "-z", "--index-info", index=index, data=lines)
        return index

    def _write_excludes(self) -> None:
        """The ignore rules that git does not find in the workspace itself: junk, and the developer's own files."""
        rules = [*JUNK, *self._environments(), *self._own_excludes()]
        text = "\n".join(rules) + "\n"
        target = self.store.folder / "info" / "exclude"
        if not target.exists() or target.read_text("utf-8", "surrogateescape") != text:
            target.write_text(text, "utf-8", errors="surrogateescape")

    def _environments(self) -> list[str]:
        """Virtual environments that nobody told git to ignore."""
        with os.scandir(self.settings.workspace) as entries:
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        return [f"/{name}/" for name in folders if (self.settings.workspace / name / "pyvenv.cfg").exists()]

    def _own_excludes(self) -> list[str]:
        """The user's global ignore file, the repository's own, and those of folders above the workspace."""
        workspace = self.settings.workspace
        environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
        files: list[Path] = []
        for arguments in (("config", "--path", "core.excludesFile"), ("rev-parse", "--git-path", "info/exclude")):
            with contextlib.suppress(SnapshotError):
                answer = os.fsdecode(run_git(workspace, environ, arguments).rstrip(b"\n"))
                files.append(workspace / answer)
        files.append(Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "git" / "ignore")
        with contextlib.suppress(SnapshotError):
            top = Path(os.fsdecode(run_git(workspace, environ, ("rev-parse", "--show-toplevel")).rstrip(b"\n")))
            files += [folder / ".gitignore" for folder in workspace.parents if folder == top or top in folder.parents]
        texts = [file.read_text("utf-8", "surrogateescape") for file in dict.fromkeys(files) if file.is_file()]
        return [line for text in texts for line in text.splitlines()]

    def _tracked_though_ignored(self) -> list[bytes]:
        """Files that the workspace's own repository tracks although a rule ignores them."""
        environ = {**ENVIRONMENT, "PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.store.folder)}
        safe = f"safe.directory={self.settings.workspace}"
        command = ("-c", safe, "-c", "core.fsmonitor=false", "ls-files", "-z", "-c", "-i", "--exclude-standard")
        try:
            return split(run_git(self.settings.workspace, environ, command))
        except SnapshotError:
            return []  # no repository of its own

    def _changed(self, ignored: Sequence[bytes]) -> list[bytes]:
        found = set(split(self.store.run("ls-files", "-z", "-o", "-m", "-d", "--exclude-standard")))
        known = set(split(self.store.run("ls-files", "-z"))) if ignored else set()
        found |= {path for path in ignored if path not in known and os.path.lexists(self._full(path))}
        return sorted(path for path in found if self._is_wanted(path))

    def _is_wanted(self, path: bytes) -> bool:
        if self._is_secret(path):
            return self._leave_out(path, "it may hold secrets")
        try:
            mode = os.lstat(self._full(path)).st_mode
        except OSError:
            return True  # gone: to be removed
        if stat.S_ISDIR(mode):
            return path.endswith(b"/")
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            return self._leave_out(path, "it is no regular file")
        if stat.S_ISREG(mode) and not os.access(self._full(path), os.R_OK):
            return self._leave_out(path, "it cannot be read")
        return True

    def _leave_out(self, path: bytes, reason: str) -> bool:
        self.left_out[path] = Rejected(os.fsdecode(path), reason)
        return False

    def _is_secret(self, path: bytes) -> bool:
        text = os.fsdecode(path)
        name = text.rpartition("/")[2]
        if any(fnmatchcase(name, pattern) for pattern in HARMLESS):
            return False
        return any(
            fnmatchcase(text, pattern) or fnmatchcase(text, f"*/{pattern}")
            if "/" in pattern
            else fnmatchcase(name, pattern)
            for pattern in self.patterns
        )

    def _drop_secrets(self) -> None:
        """Take out what an earlier snapshot took and the settings call a secret now."""
        known = [path for path in split(self.store.run("ls-files", "-z")) if self._is_secret(path)]
        if known:
            self.store.run("update-index", "-z", "--force-remove", "--stdin", data=join(known))

    def _add_nested(self, folder: bytes) -> None:
        """Add a repository inside the workspace as plain files, which git by itself would take for a link."""
        inner = self._full(folder)
        environ = {**ENVIRONMENT, "PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.store.folder)}
        command = (
            "-c",
            "safe.directory=*",
            "-c",
            "core.fsmonitor=false",
            "ls-files",
            "-z",
            "-c",
            "-o",
            "--exclude-standard",
        )
        try:
            names = split(run_git(Path(os.fsdecode(inner)), environ, command))
        except SnapshotError:
            names = list(_walk(inner))
        paths = [folder + name for name in dict.fromkeys(names) if not name.endswith(b"/")]
        present = [path for path in paths if os.path.lexists(self._full(path)) and self._is_wanted(path)]
        self._check_size(present)
        lines = b"".join(b"%s %s\t%s\0" % (*self._state(path), path) for path in present)
        self.store.run("update-index", "-z", "--index-info", data=lines)

    def _state(self, path: bytes) -> tuple[bytes, bytes]:
        full = self._full(path)
        if os.path.islink(full):  # noqa: PTH114 - bytes
            return b"120000", _hash(self.store, os.readlink(full))  # noqa: PTH115
        with open(full, "rb") as file:  # noqa: PTH123
            return (b"100755" if os.access(full, os.X_OK) else b"100644"), _hash(self.store, file.read())

    def _check_size(self, changed: Sequence[bytes]) -> None:
        bounds = self.settings.snapshot
        sizes: Counter[str] = Counter()
        for path in changed:
            with contextlib.suppress(OSError):
                sizes[os.fsdecode(path).partition("/")[0]] += os.lstat(self._full(path)).st_size
        largest = ", ".join(f"{name} ({size >> 20} MiB)" for name, size in sizes.most_common(3))
        advice = f"Let git ignore what the tests do not need; the largest are: {largest}."
        if len(changed) > bounds.max_files:
            raise SnapshotError(
                f"{self.settings.workspace} has {len(changed)} files to take, more than the {bounds.max_files} allowed "
                f"(snapshot.max_files). {advice}"
            )
        if sizes.total() > bounds.max_bytes:
            raise SnapshotError(
                f"{self.settings.workspace} has {sizes.total() >> 20} MiB to take, more than the "
                f"{bounds.max_bytes >> 20} MiB allowed (snapshot.max_bytes). {advice}"
            )

    def _full(self, path: bytes) -> bytes:
        return os.path.join(os.fsencode(self.settings.workspace), path)  # noqa: PTH118 - bytes


def _hash(store: GitStore, content: bytes) -> bytes:
    return store.run("hash-object", "-w", "--no-filters", "--stdin", data=content).strip()


def _encode(text: str, target: Path) -> bytes:
    """A buffer's text in the encoding that its file has: a byte order mark or a coding line, else UTF-8."""
    try:
        with target.open("rb") as file:
            head = file.read(400)
    except OSError:
        head = b""
    if head.startswith(b"\xef\xbb\xbf"):
        return text.removeprefix("\ufeff").encode("utf-8-sig")
    for line in head.splitlines()[:2]:
        if match := LEAD.match(line):
            with contextlib.suppress(LookupError, UnicodeEncodeError):
                return text.encode(match[1].decode("ascii"))
    return text.encode("utf-8", "surrogateescape")


def _walk(root: bytes) -> Iterator[bytes]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != b".git"]
        yield from (os.path.relpath(os.path.join(folder, name), root) for name in names if name != b".git")  # noqa: PTH118


@contextlib.contextmanager
def _locked(store: GitStore) -> Iterator[None]:
    """One snapshot of a workspace at a time, also among servers."""
    with (store.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
