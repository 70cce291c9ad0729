"""Scripts that were kept: their names, the header that tells where they come from, and the small test beside them."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from codeact.errors import SettingsError
from codeact.evidence import Proposal
from codeact.trajectory import FileState

COMMON = """
a an the and or of for to in on at by with from into that this these those all each every script write python please
which who whose it its them me my our is are be as turn make create
"""
MAX_WORDS = 4
MARK = "# Written with CodeAct"
HEADER = re.compile(
    rf"^{MARK} for: (?P<task>.*)\n# Run (?P<run>\S+), on snapshot (?P<snapshot>[0-9a-f]+)\.$", re.MULTILINE
)
TEST = '''"""The script explains itself."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("{script}")


def test_help_names_the_options() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--help"], capture_output=True, text=True, check=True)
    assert "usage" in done.stdout
'''


@dataclass(frozen=True, kw_only=True)
class KeptScript:
    """A script of the workspace that CodeAct wrote: its path, what it was asked for, in which run."""

    path: str
    task: str
    run: str
    snapshot: str


def file_name(folder: str, instruction: str, existing: Collection[str]) -> str:
    """A path for a new script, made of the first telling words of what was asked."""
    words = [word for word in re.findall(r"[a-z0-9]+", instruction.lower()) if word not in COMMON.split()]
    stem = "_".join(words[:MAX_WORDS]) or "script"
    stem = stem if stem[0].isalpha() else f"script_{stem}"
    taken = set(existing)
    names = [f"{folder}/{stem}.py", *(f"{folder}/{stem}_{number}.py" for number in range(2, 1000))]
    return next(name for name in names if name not in taken)


def add_provenance(draft: FileState, instruction: str, run: str, tree: str) -> FileState:
    """The script with its origin as a comment: below the first line that the system reads, above all else."""
    text = draft.content.decode("utf-8")
    first, _, rest = text.partition("\n") if text.startswith("#!") else ("#!/usr/bin/env python3", "", text)
    asked = " ".join(instruction.split())
    return FileState(f"{first}\n{MARK} for: {asked}\n# Run {run}, on snapshot {tree}.\n{rest}".encode(), "100755")


def part_of(proposal: Proposal, part: str) -> tuple[str, ...]:
    """The paths of a script task's proposal that are the `script`, with its test, or its `effect`.

    Raises:
        SettingsError: it holds no script, or nothing of that part.
    """
    script = PurePosixPath(proposal.evidence.command[-1] if proposal.evidence else "none")
    own = (str(script), str(script.with_name(f"test_{script.name}")))
    paths = [patch.path for patch in proposal.patches]
    kept = [path for path in paths if path in own]
    chosen = kept if part == "script" else [path for path in paths if path not in kept]
    if not kept or not chosen:
        raise SettingsError(f"There is no {part} to accept alone in this proposal. It changes {', '.join(paths)}.")
    return tuple(chosen)


def find_scripts(workspace: Path, folder: str) -> tuple[KeptScript, ...]:
    """The kept scripts of a workspace, by path."""
    found = []
    for file in sorted((workspace / folder).glob("*.py")):
        head = file.read_text("utf-8", "replace")[:4000]
        if match := HEADER.search(head):
            path = file.relative_to(workspace).as_posix()
            found.append(KeptScript(path=path, task=match["task"], run=match["run"], snapshot=match["snapshot"]))
    return tuple(found)
