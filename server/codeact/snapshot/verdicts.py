"""What becomes of each path that differs: taken, dropped, or left out for a reason."""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from codeact.snapshot.differences import Differences
from codeact.snapshot.repository import repository_at
from codeact.snapshot.source import Source

KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


@dataclass(frozen=True)
class Verdicts:
    """What is to be done.

    Attributes:
        take: files to take, with their sizes in bytes; None for those that are gone.
        drop: what must leave the index though something is in its place.
        open: nested repositories that git shows as one entry.
        left_out: what is not taken, and why.
    """

    take: dict[str, int | None] = field(default_factory=dict)
    drop: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is something to do."""
        return bool(self.take or self.drop or self.open)


def judge(source: Source, found: Differences) -> Verdicts:
    """Look at everything that differs, without following a symlink."""
    verdicts = Verdicts(drop=sorted(found.stale), left_out=dict(found.closed))
    direct = _Folders(source.workspace)
    for path in found.untracked:
        if path.endswith("/"):
            verdicts.open.append(path[:-1])
        else:
            _judge_file(source, path, verdicts, known=False)
    for path in found.changed:
        if direct.holds(path):
            _judge_file(source, path, verdicts, known=True)
        else:
            verdicts.drop.append(path)
    for path in found.missed:
        if direct.holds(path) and os.path.lexists(source.workspace / path):
            _judge_missed(source, path, verdicts)
    return verdicts


def _judge_missed(source: Source, path: str, verdicts: Verdicts) -> None:
    place = source.workspace / path
    if place.is_symlink() or not place.is_dir():
        _judge_file(source, path, verdicts, known=False)
    elif repository_at(place):
        verdicts.open.append(path)  # a submodule


def _judge_file(source: Source, path: str, verdicts: Verdicts, *, known: bool) -> None:
    """Judge one path. `known` tells that it is in the index."""
    place = os.path.join(source.workspace, path)  # noqa: PTH118 - a Path for each of 50,000 files takes 0.1 s
    reason = source.judge(path) or _reason_of_name(path)
    try:
        status = os.lstat(place)
    except (FileNotFoundError, NotADirectoryError):
        verdicts.take[path] = None
        return
    except OSError as error:
        reason = f"it cannot be read ({(error.strerror or '').lower()})"
    else:
        reason = reason or _reason_of_kind(place, status)
    if not reason and not stat.S_ISDIR(status.st_mode):
        verdicts.take[path] = status.st_size
        return
    if reason:
        verdicts.left_out[path] = reason
    if known:
        verdicts.drop.append(path)


def _reason_of_name(path: str) -> str:
    return "git cannot hold this name" if ".git" in path.casefold().split("/") else ""


def _reason_of_kind(place: str, status: os.stat_result) -> str:
    if stat.S_ISREG(status.st_mode):
        return "" if os.access(place, os.R_OK) else "it cannot be read (permission denied)"
    if stat.S_ISLNK(status.st_mode):
        # A sandbox shows the environment's own folder, and cannot put it where a link is.
        return "it leads to a virtual environment" if Path(place, "pyvenv.cfg").exists() else ""
    kind = KINDS.get(stat.S_IFMT(status.st_mode))
    return f"it is {kind}" if kind else ""


class _Folders:
    """Which folders of a workspace are reached without a symlink."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._known = {"": True}

    def holds(self, path: str) -> bool:
        """Whether no part of a path but the last is a symlink."""
        folder = path.rpartition("/")[0]
        if folder not in self._known:
            self._known[folder] = self.holds(folder) and not (self._workspace / folder).is_symlink()
        return self._known[folder]
