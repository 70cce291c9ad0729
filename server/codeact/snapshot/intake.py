"""Bringing a store's index up to date: look what differs, take that, until a look finds nothing.

The last look is what makes a snapshot consistent: it found every file as it was taken, after all were.
"""

import itertools
import os
import time
from collections.abc import Sequence
from contextlib import suppress

from codeact.errors import SnapshotError
from codeact.snapshot.caps import Size, check_caps, measure
from codeact.snapshot.differences import Lookout
from codeact.snapshot.index import EMPTY_BLOB, NOTHING, change_index, count_entries
from codeact.snapshot.source import Source, look
from codeact.snapshot.store import REGULAR, Store
from codeact.snapshot.verdicts import Verdicts, judge
from codeact.trajectory import Rejected

ROUNDS = 12
BATCH = 8_000  # git compares each file of a pack with all before it, so not all into one
LOOSE = 200  # more files than this at once become a pack: one new file instead of thousands
TICK = 20_000_000  # nanoseconds, longer than any file system's clock stands still
OPENED = ".codeact-opened"


class Intake:
    """One bringing up to date.

    Attributes:
        size: at least as much as the index holds.
        changed: whether the index is another one than before.
    """

    def __init__(self, source: Source, store: Store, size: Size) -> None:
        self.size = size
        self.changed = False
        self._source = source
        self._store = store
        self._lookout = Lookout(source, store)
        self._opened: set[str] = set()
        self._stamp = 0

    def settle(self) -> tuple[Rejected, ...]:
        """Bring the index up to date, and tell what is left out of it.

        Raises:
            SnapshotError: it is too much, or changes all the time.
        """
        verdicts, problem = self._look(), ""
        for _ in range(ROUNDS):
            if not verdicts:
                self._lookout.save()
                return tuple(Rejected(path, reason) for path, reason in sorted(verdicts.left_out.items()))
            self._check_caps(verdicts)
            with suppress(FileNotFoundError):  # gone between the look and the touch: the next look tells
                problem = self._update(verdicts)
            verdicts = self._look()
        path = next(itertools.chain(verdicts.take, verdicts.drop, verdicts.open), "")
        raise SnapshotError(
            f"{self._source.workspace} cannot be frozen, since {path} changes all the time. "
            f"End what writes there, or ignore it in .gitignore. {problem}".rstrip()
        )

    def backdate(self) -> None:
        """Make git compare contents, and not times, of files that changed in the same moment as they were taken.

        Git does so for files that are not older than the index. Whatever wrote the index must be followed by this.
        """
        if self._stamp:
            os.utime(self._store.index, ns=(self._stamp, self._stamp))

    def _look(self) -> Verdicts:
        verdicts = judge(self._source, self._lookout.find())
        # One that is still shown as one entry after it was opened has nothing in it to take.
        verdicts.open[:] = [path for path in verdicts.open if path not in self._opened]
        return verdicts

    def _check_caps(self, verdicts: Verdicts) -> None:
        """Cheap as long as an upper bound is below the caps; only then is everything measured."""
        source = self._source
        new = [size for size in verdicts.take.values() if size is not None]
        self.size = Size(count_entries(self._store.index) + len(new), self.size.bytes + sum(new))
        if self.size.exceeds(source.limits):
            there = set(look(source, self._store, "ls-files", "-z", "-c").paths) | set(verdicts.take)
            self.size = check_caps(source.workspace, measure(source.workspace, there), source.limits)

    def _update(self, verdicts: Verdicts) -> str:
        """Change the index; return what git said, if it could not take a file."""
        self.changed = True
        self._stamp = time.time_ns() - TICK
        prefix = self._source.prefix
        self._opened.update(verdicts.open)
        self._lookout.nested.add(verdicts.open)
        # A repository of which something is in the index is walked through by git like any folder.
        entries = [f"{REGULAR} {EMPTY_BLOB}\t{prefix}{path}/{OPENED}" for path in verdicts.open]
        entries += [f"0 {NOTHING}\t{prefix}{path}" for path in verdicts.drop]
        if entries:
            change_index(self._store, self._store.index, entries)
        paths = list(verdicts.take)
        problems = [self._take(paths[start : start + BATCH]) for start in range(0, len(paths), BATCH)]
        self.backdate()
        self._lookout.remember(verdicts.take, moved=bool(verdicts.drop or verdicts.open))
        return "".join(problems)

    def _take(self, paths: Sequence[str]) -> str:
        # A file of at least "big" size is streamed into a pack.
        packed = ("-c", "core.bigFileThreshold=1") if len(paths) > LOOSE else ()
        command = (*packed, "update-index", "-z", "--add", "--remove", "--replace", "--stdin")
        stdin = os.fsencode("".join(f"{path}\0" for path in paths))
        reply = look(self._source, self._store, *command, stdin=stdin, check=False)
        return reply.problem if reply.status else ""
