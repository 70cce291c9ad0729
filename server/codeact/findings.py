"""What a run hands over beside a diff: figures, tables and files; and whether an answer cites what exists."""

import mimetypes
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath

from codeact.trajectory import Artifact, FileState, Step

FOLDER = "artifacts/"
PRODUCTS = frozenset(
    {".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".pdf", ".html", ".csv", ".tsv", ".xlsx", ".json", ".parquet"}
)
MAX_ARTIFACTS = 40
MAX_BYTES = 32 * 1024 * 1024
CITATION = re.compile(r"(?<![\w/.-])(?P<path>(?:[\w.-]+/)*[\w.-]+\.[a-z]{1,5}):(?P<line>\d+)")


def is_product(path: str, before: FileState | None, instruction: str) -> bool:
    """Whether a changed file is something to hand over rather than a change of the project.

    It is if it lies in `artifacts/`, or if it is new, of a kind that code does not consist of, and in a place that the
    instruction did not name.
    """
    if path.startswith(FOLDER):
        return True
    kind = PurePosixPath(path).suffix.lower()
    return before is None and kind in PRODUCTS and PurePosixPath(path).name not in instruction


def gather(steps: Sequence[Step], files: Mapping[str, FileState | None]) -> tuple[Artifact, ...]:
    """The artifacts of a run: what its successful steps showed, and the files it made, in that order.

    A figure that was saved to a file and left open as well is handed over once, under the file's name.
    """
    made = [_as_artifact(path, state) for path, state in sorted(files.items()) if state]
    pictures = sum(artifact.media_type.startswith("image/") for artifact in made)
    shown = {artifact.name: artifact for step in steps if not step.observation.failure
             for artifact in step.observation.artifacts}  # fmt: skip
    figures = [artifact for artifact in shown.values() if artifact.media_type.startswith("image/")]
    drop = figures[: len(figures)] if 0 < len(figures) <= pictures else []
    found = [*(artifact for artifact in shown.values() if artifact not in drop), *made]
    chosen, size = [], 0
    for artifact in found[:MAX_ARTIFACTS]:
        size += len(artifact.data)
        if size <= MAX_BYTES:
            chosen.append(artifact)
    return tuple(chosen)


def check_citations(answer: str, count_lines: Callable[[str], int | None]) -> str:
    """The answer, with a note on cited places that do not exist.

    Args:
        answer: the model's words.
        count_lines: the number of lines of a file of the snapshot, None if there is no such file.
    """
    missing = []
    for found in CITATION.finditer(answer):
        lines = count_lines(found["path"])
        if lines is None or not 1 <= int(found["line"]) <= lines:
            missing.append(found[0])
    if not missing:
        return answer
    return f"{answer}\n\n(Not found in the workspace: {', '.join(dict.fromkeys(missing))}.)"


def _as_artifact(path: str, state: FileState) -> Artifact:
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Artifact(path.removeprefix(FOLDER), kind, state.content)
