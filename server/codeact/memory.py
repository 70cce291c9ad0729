"""What is remembered of a workspace from one run to the next: a JSON file of each kind, in the state folder.

It only ever helps, so a file that is damaged is as good as none, and one that cannot be written loses no run.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codeact.settings import Settings

DIGITS = 8


def recall(settings: Settings, kind: str) -> list[dict[str, Any]]:
    """What is remembered, as it was written; whoever asks checks each entry."""
    try:
        data = json.loads(_file(settings, kind).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []


def remember(settings: Settings, kind: str, entries: Sequence[Mapping[str, Any]]) -> None:
    """Remember these, and no others."""
    file = _file(settings, kind)
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(list(entries), indent=1), "utf-8")
        partial.replace(file)


def name_entry(*words: str) -> str:
    """The id by which something that is remembered can be forgotten."""
    return _digest("\0".join(words))[:DIGITS]


def _file(settings: Settings, kind: str) -> Path:
    return settings.state / kind / f"{_digest(str(settings.workspace))[:16]}.json"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
