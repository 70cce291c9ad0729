"""How much a snapshot may hold."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codeact.errors import SnapshotError
from codeact.settings import MIB, SnapshotSettings

LARGEST = 5


@dataclass(frozen=True)
class Size:
    """How much something holds, or at most holds."""

    files: int = 0
    bytes: int = 0

    def exceeds(self, limits: SnapshotSettings) -> bool:
        """Whether it is too much."""
        return self.files > limits.max_files or self.bytes > limits.max_bytes


def measure(workspace: Path, paths: set[str]) -> dict[str, int]:
    """Sizes of those files that exist, in bytes."""
    sizes = {}
    for path in paths:
        try:
            sizes[path] = os.lstat(workspace / path).st_size
        except OSError:
            continue
    return sizes


def check_caps(workspace: Path, sizes: Mapping[str, int], limits: SnapshotSettings) -> Size:
    """Add up.

    Raises:
        SnapshotError: it is too much.
    """
    size = Size(len(sizes), sum(sizes.values()))
    if size.exceeds(limits):
        raise SnapshotError(
            f"{workspace} holds {size.files:,} files with {_mib(size.bytes)}, and a snapshot may hold "
            f"{limits.max_files:,} files with {_mib(limits.max_bytes)}. Most is in {_largest_folders(sizes)}. "
            "Ignore in .gitignore what the tests do not need, or raise max_files or max_bytes in the section "
            "[snapshot] of the settings."
        )
    return size


def _largest_folders(sizes: Mapping[str, int]) -> str:
    size, count = Counter[str](), Counter[str]()
    for path, bytes_ in sizes.items():
        folder = "/".join(path.split("/")[:-1][:2]) or "."
        size[folder] += bytes_
        count[folder] += 1
    most_files, most_bytes = sum(count.values()) or 1, sum(size.values()) or 1
    ranked = sorted(count, key=lambda folder: -max(count[folder] / most_files, size[folder] / most_bytes))
    return ", ".join(f"{folder} ({count[folder]:,} files, {_mib(size[folder])})" for folder in ranked[:LARGEST])


def _mib(bytes_: int) -> str:
    return f"{bytes_ / MIB:,.1f} MiB"
