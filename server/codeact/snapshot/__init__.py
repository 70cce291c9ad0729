"""Frozen copies of a workspace, kept by git in a folder of CodeAct's own.

`take` a snapshot: `source` finds what belongs to the workspace, `intake` brings an index up to date with it
(`differences` tells what changed, `verdicts` what becomes of it, `sensitive` and `caps` what must stay out), `buffers`
puts unsaved text on top. `frozen` reads a snapshot and makes new ones of it, `mirror` makes its files appear in a
folder, `history` looks at what was
before it, `prune` forgets. `store`, `command`, `index`, `blobs` and `repository` are the git
below. Nothing here writes into a workspace.
"""

from codeact.snapshot.frozen import (
    Snapshot,
    difference,
    has_snapshots,
    keep,
    list_files,
    open_snapshot,
    read_file,
    release,
    write_tree,
)
from codeact.snapshot.history import list_versions
from codeact.snapshot.mirror import materialise
from codeact.snapshot.prune import prune, prune_weekly
from codeact.snapshot.take import take_snapshot

__all__ = [
    "Snapshot",
    "difference",
    "has_snapshots",
    "keep",
    "list_files",
    "list_versions",
    "materialise",
    "open_snapshot",
    "prune",
    "prune_weekly",
    "read_file",
    "release",
    "take_snapshot",
    "write_tree",
]
