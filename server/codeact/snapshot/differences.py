"""What differs between a workspace and the index of its newest snapshot. Git looks, and writes nothing."""

import os
import re
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from codeact.snapshot.files import put_text, stamp
from codeact.snapshot.folders import Folders
from codeact.snapshot.repository import default_excludes, list_tracked, repository_at
from codeact.snapshot.source import Source, look, write_excludes
from codeact.snapshot.store import Store

ENVIRONMENT_MARKS = ("/pyvenv.cfg", "/conda-meta/history")
UNREADABLE = re.compile(r"^warning: could not open directory '(.*)/': (.*)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Differences:
    """Paths, relative to the workspace, that may have to be taken or dropped.

    Attributes:
        untracked: in the workspace, neither ignored nor in the index; nested repositories end with `/`.
        changed: in the index, and no longer the same in the workspace, or gone.
        missed: tracked by the user's repositories though ignored, and not in the index.
        stale: in the index though ignored and tracked by nobody.
        closed: folders that cannot be read, and why.
    """

    untracked: Sequence[str]
    changed: Sequence[str]
    missed: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()
    closed: dict[str, str] = field(default_factory=dict)


class Memory:
    """A few paths that are kept from one snapshot to the next, in a file of the store."""

    def __init__(self, store: Store, name: str, is_still: Callable[[str], bool]) -> None:
        self._file = store.path / name
        known = os.fsdecode(self._file.read_bytes()).split("\0")[:-1] if self._file.exists() else []
        self.paths = [path for path in known if is_still(path)]

    def add(self, paths: Sequence[str]) -> bool:
        """Add some; tell whether they are new."""
        new = [path for path in paths if path not in self.paths]
        self.paths += new
        return bool(new)

    def save(self) -> None:
        """Write them down."""
        put_text(self._file, "".join(f"{path}\0" for path in self.paths))


class Lookout:
    """Finds differences.

    It remembers virtual environments and nested repositories, which git does not tell each time, and what the ignore
    rules were, since going through all files with them takes longer than looking whether these changed.
    """

    def __init__(self, source: Source, store: Store) -> None:
        self._source = source
        self._store = store
        self.nested = Memory(store, "nested", lambda path: repository_at(source.workspace / path) is not None)
        self._environments = Memory(store, "environments", self._is_environment)
        self._missed = Memory(store, "missed", lambda _: True)
        self._folders = Folders(source, store)
        self._untaken: list[str] = []
        self._closed: dict[str, str] = {}
        self._rules = store.path / "seen"
        self._seen = self._rules.read_text("utf-8") if self._rules.exists() and store.index.exists() else ""
        write_excludes(source, store, self._environments.paths)

    def find(self) -> Differences:
        """Look through the workspace."""
        with ThreadPoolExecutor(1) as pool:
            changing = pool.submit(self._changed)
            if not self._folders.stand():
                self._folders.note()
                self._untaken, self._closed = self._untracked()
            untracked, closed = self._untaken, self._closed
            changed = changing.result()
        stale = frozenset[str]()
        signature = self._signature()
        if signature != self._seen or any(path.endswith(".gitignore") for path in (*untracked, *changed)):
            stale = self._apply_rules()
            self._seen = signature
        return Differences(
            untracked=untracked, changed=changed, missed=frozenset(self._missed.paths), stale=stale, closed=closed
        )

    def remember(self, taken: Collection[str], *, moved: bool) -> None:
        """Note that the index has become what was found.

        Args:
            taken: paths that the index holds now.
            moved: others have left it, so that what is untracked may be something else.
        """
        self._missed.paths = [path for path in self._missed.paths if path not in taken]
        self._untaken = [path for path in self._untaken if path not in taken]
        self._folders.add(taken)
        if moved:
            self._folders.forget()

    def save(self) -> None:
        """Keep for the next time what is known now."""
        for memory in (self.nested, self._environments, self._missed, self._folders):
            memory.save()
        put_text(self._rules, self._seen)

    def _apply_rules(self) -> frozenset[str]:
        """Find what the ignore rules and the user's repositories make of files that did not change."""
        with ThreadPoolExecutor(1) as pool:
            ignoring = pool.submit(self._ignored)
            wanted, known = self._tracked()
            ignored = ignoring.result()
        self._missed.paths = sorted(wanted - known - ignored)
        return ignored - wanted

    def _signature(self) -> str:
        """Another one when the rules, or what the repositories track, may be others."""
        source = self._source
        inner = (repository_at(source.workspace / path) for path in self.nested.paths)
        repositories = [repository for repository in (source.repository, *inner) if repository]
        above = [folder for folder in source.workspace.parents if source.top in (folder, *folder.parents)]
        files = [repository.git / "index" for repository in repositories]
        files += [folder / ".gitignore" for folder in above]
        files += [Path(source.excludes) if source.excludes else default_excludes()]
        files += [self._store.path / "info" / "exclude"]
        return "\n".join(f"{file} {stamp(file)}" for file in files)

    def _untracked(self) -> tuple[list[str], dict[str, str]]:
        reply = look(self._source, self._store, "ls-files", "-z", "-o", "--exclude-standard")
        marks = [path for path in reply.paths if path.endswith(ENVIRONMENT_MARKS)]
        if self._environments.add([_environment_of(path) for path in marks]):
            write_excludes(self._source, self._store, self._environments.paths)
            return self._untracked()
        prefix = self._source.prefix
        closed = {path.removeprefix(prefix): reason.lower() for path, reason in UNREADABLE.findall(reply.problem)}
        return reply.paths, {path: f"it cannot be read ({reason})" for path, reason in closed.items()}

    def _changed(self) -> list[str]:
        reply = look(self._source, self._store, "diff-files", "-z", "--name-only")
        return [path.removeprefix(self._source.prefix) for path in reply.paths]

    def _ignored(self) -> frozenset[str]:
        return frozenset(look(self._source, self._store, "ls-files", "-z", "-c", "-i", "--exclude-standard").paths)

    def _tracked(self) -> tuple[frozenset[str], frozenset[str]]:
        """What the user's repositories track though it is ignored, or may be; and which of it the index has."""
        source, nested = self._source, self.nested.paths
        own: list[str] = []
        if source.repository:
            selection = ("-c", "-i", "--exclude-standard")
            own = list_tracked(self._store, source.repository, source.workspace, source.options, *selection)
        inner = [path for folder in nested for path in self._tracked_in(folder)]
        arguments = ("--literal-pathspecs", "ls-files", "-z", "-c", "--", *nested)
        known = look(source, self._store, *arguments).paths if inner else []
        return frozenset((*own, *inner)), frozenset(known)

    def _tracked_in(self, folder: str) -> list[str]:
        place = self._source.workspace / folder
        repository = repository_at(place)
        found = list_tracked(self._store, repository, place, ()) if repository else []
        return [f"{folder}/{path}" for path in found]

    def _is_environment(self, path: str) -> bool:
        return any((self._source.workspace / f"{path}{mark}").exists() for mark in ENVIRONMENT_MARKS)


def _environment_of(mark: str) -> str:
    return next(mark.removesuffix(ending) for ending in ENVIRONMENT_MARKS if mark.endswith(ending))
