"""What a run hands over beside a diff: figures, tables and files; and whether an answer cites what exists."""

import csv
import mimetypes
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import PurePosixPath

from codeact.trajectory import Artifact, FileState, Observation, Step

FOLDER = "artifacts/"
PRODUCTS = frozenset(
    {".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".pdf", ".html", ".csv", ".tsv", ".xlsx", ".json", ".parquet"}
)
MAX_ARTIFACTS = 40
MAX_BYTES = 32 * 1024 * 1024
MAX_COUNT = 12
NUMBER = re.compile(r"(?<![\w.])\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\w.])\d+(?:\.\d+)?")
NUMBER_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
FILE = re.compile(r"(?<![\w./:-])[\w-]+(?:/[\w.-]+)*\.(?:csv|tsv|json|jsonl|md|txt|html|db|sqlite|xml|ya?ml|toml|py)\b")
TERM = re.compile(
    rf"(?<![\w-])--[\w-]+|(?<![\w.])\d+\b(?!\.\w)|(?<![\w.-])[\w-]+(?:/[\w.-]+)*\.[a-z]{{1,6}}\b(?!\.\w)|\b(?:{'|'.join(NUMBER_WORDS)})\b",
    re.IGNORECASE,
)
MARK = re.compile(r"\b(?:level|status|state|kind|type|marked|labelled)s? [`'\"]?([A-Z]{2,})\b")  # a level WARN, say
EXAMPLE = re.compile(r"\b(?:like|such as|for example|e\.g\.),? *(['\"`]).*?\1", re.IGNORECASE)
COLUMNS = re.compile(r"\b[Cc]olumns:? ((?:`?\w+`?, )*`?\w+`?,? and `?\w+`?|(?:`?\w+`?, )+`?\w+`?(?=[.;)\n]|$))")
SAID = re.compile(r"#.*|^\s*print\(.*$|^\s*[\w.]+\.(?:set_)?(?:\w?label|title|suptitle)\(.*$", re.MULTILINE)
SHOWN = re.compile(r"\(([^()]+)\)[^().;]*\b(?:to|into|become|becomes)\b[^().;]*\(([^()]+)\)")
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


def unfounded_numbers(answer: str, question: str, steps: Sequence[Step]) -> tuple[str, ...]:
    """Numbers of an answer that are in nothing that was printed, shown or asked, however they are rounded.

    Small whole numbers are passed over: they count things, name places, or are part of words.
    """
    seen = [question, *(text for step in steps for text in _texts(step))]
    known = {_value(found) for text in seen for found in NUMBER.findall(text)}
    wanted = (found for found in NUMBER.findall(CITATION.sub("", answer)))
    return tuple(found for found in dict.fromkeys(wanted) if not _is_founded(found, known))


def hidden_bars(observation: Observation) -> str:
    """What is wrong with a bar chart that draws several bars at one place, where only the highest is seen."""
    for made in observation.artifacts:
        if made.media_type == "text/csv" and made.name.startswith("figure-"):
            rows = list(csv.DictReader(made.data.decode("utf-8", "replace").splitlines()))
            bars = [(row.get("chart"), row.get("series"), row.get("x")) for row in rows if row.get("kind") == "bar"]
            if len(set(bars)) < len(bars):
                return (
                    f"The chart has {len(bars)} bars at only {len(set(bars))} places, one drawn over the other. "
                    "Sum or average the rows of each group first, with groupby(...)[...].sum() or mean(); then draw."
                )
    return ""


def unmade_files(instruction: str, existing: Collection[str], made: Collection[str]) -> tuple[str, ...]:
    """Files that an instruction names, that did not exist, and that were not made."""
    known = {PurePosixPath(path).name for path in (*existing, *made)}
    named = dict.fromkeys(FILE.findall(instruction))
    return tuple(path for path in named if PurePosixPath(path).name not in known)


def misplaced_file(instruction: str, made: Collection[str]) -> str:
    """Where a new file lies that the task wants in the project's own folder, in words; empty if all are in place."""
    for wanted in FILE.findall(instruction):
        folders = [PurePosixPath(path).parent for path in made if PurePosixPath(path).name == wanted]
        placed = rf"{re.escape(wanted)}`? (?:in|into|to|under|inside)\b"
        if folders and PurePosixPath() not in folders and not re.search(placed, instruction):
            return f"It writes {folders[0]}/{wanted}. The task names {wanted}, in the project's own folder."
    return ""


def worked_examples(instruction: str) -> tuple[tuple[str, str], ...]:
    """What is to become of what, where an instruction shows it: "dates (3.7.2024) to ISO dates (2024-07-03)"."""
    found = SHOWN.search(instruction)
    before, after = (re.split(r", *", group) for group in found.groups()) if found else ([], [])
    return tuple(zip(before, after, strict=True)) if len(before) == len(after) else ()


def wrong_columns(instruction: str, made: Mapping[str, FileState | None]) -> str:
    """Which new table has not the columns that an instruction lists, in words; empty if all have them, or none is told.

    Args:
        instruction: the developer's words, such as "... with the columns name, city and zip".
        made: files, by path.
    """
    wanted = asked_columns(instruction)
    for path, state in made.items():
        if wanted and state and path.endswith((".csv", ".tsv")):
            lines = state.content.decode("utf-8", "replace").splitlines()
            header = next(csv.reader(lines[:1], delimiter="\t" if path.endswith(".tsv") else ","), [])
            if header != list(wanted):
                return f"{path} has the columns {', '.join(header)}. They must be {', '.join(wanted)}."
    return ""


def alike(effect: Mapping[str, FileState | None]) -> tuple[str, ...]:
    """New files that have the same content, which is seldom what several files are for; no copies of one are meant."""
    texts: dict[bytes, list[str]] = {}
    for path, state in sorted(effect.items()):
        if state and state.content.strip():
            texts.setdefault(state.content, []).append(path)
    return next((tuple(paths) for paths in texts.values() if len(paths) > 1), ())


def without_content(made: Mapping[str, FileState | None]) -> str:
    """The first of the files that have nothing in them, no row, or only zeros in a column; empty if all have something.

    Args:
        made: files, by path.
    """
    for path, content in ((path, state.content) for path, state in made.items() if state):
        suffix = PurePosixPath(path).suffix.lower()
        text = content.decode("utf-8", "replace").strip()
        if suffix in (".csv", ".tsv"):
            _, *rows = csv.reader(text.splitlines() or [""], delimiter="\t" if suffix == ".tsv" else ",")
            columns = list(zip(*rows, strict=False)) if len(rows) > 1 else []
            if not rows or any(set(column) == {"0"} for column in columns):
                return path
        elif suffix in (".json", ".jsonl", ".txt", ".md") and text in ("", "[]", "{}"):
            return path
    return ""


def asked_columns(instruction: str) -> tuple[str, ...]:
    """The names of columns that an instruction lists."""
    told = COLUMNS.search(instruction)
    return tuple(re.findall(r"\w+", re.sub(r"\band\b", ",", told[1]))) if told else ()


def unused_terms(instruction: str, code: str) -> tuple[str, ...]:
    """Numbers, options, files and names that an instruction spells out, and that code for it does not mention.

    Small models forget such things; whether a word matters cannot be told, but a number or a file name does.
    """
    code = re.sub(SAID, "", code)  # to say it is not to do it
    digits = {word: str(number) for number, word in enumerate(NUMBER_WORDS, 2)}
    spelt_out = EXAMPLE.sub("", SHOWN.sub("", instruction) if worked_examples(instruction) else instruction)
    terms = [digits.get(found.lower(), found.rstrip(".")) for found in TERM.findall(spelt_out)]
    terms += MARK.findall(spelt_out)
    return tuple(dict.fromkeys(term for term in terms if not _is_used(term, code)))


def _is_used(term: str, code: str) -> bool:
    if term.isdigit():
        return re.search(rf"(?<!\d){term}(?!\d)", code) is not None
    return term in code or PurePosixPath(term).name in code or PurePosixPath(term).stem in code


def _texts(step: Step) -> tuple[str, ...]:
    seen = step.observation
    shown = [artifact.data.decode("utf-8", "replace") for artifact in seen.artifacts if "text/" in artifact.media_type]
    return (seen.stdout, seen.value, seen.finished or "", *shown)


def _is_founded(found: str, known: Collection[float]) -> bool:
    value = _value(found)
    digits = len(found.partition(".")[2])
    small = digits == 0 and value <= MAX_COUNT
    return small or any(round(number, digits) == value or round(number * 100, digits) == value for number in known)


def _value(text: str) -> float:
    return float(text.replace(",", ""))


def _as_artifact(path: str, state: FileState) -> Artifact:
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Artifact(path.removeprefix(FOLDER), kind, state.content)
