"""What a model is shown of a workspace before it is asked about it: its files, and a look into those that matter.

Which matter is guessed from the words of the question, as a search engine would: words that few files have count most.
Everything is read from the snapshot; nothing runs.
"""

import ast
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from codeact.columns import describe_records, describe_table, find_joins
from codeact.formatting import find_formatter, read_tools
from codeact.logs import log_columns
from codeact.snapshot import Snapshot, list_files, read_file
from codeact_sandbox.toolbox import ACCESS

CONVENTIONS = ("AGENTS.md", "CLAUDE.md", ".github/copilot-instructions.md")
DATA = frozenset(
    {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".xlsx", ".xls", ".parquet", ".db", ".sqlite", ".log", ".xml"}
)
TEXT = frozenset(
    {".py", ".md", ".rst", ".txt", ".toml", ".cfg", ".ini", ".yaml", ".yml", ".html", ".js", ".ts", ".css"}
)
TABLES = frozenset({".csv", ".tsv", ".log", ".txt", ".jsonl", ".ndjson"})
RECORDS = frozenset({".json", ".jsonl", ".ndjson"})
TABULAR = RECORDS | {".csv", ".tsv", ".xlsx", ".xls", ".log"}
READING = {
    ".xml": "xml.etree.ElementTree.parse({path}).getroot()",
    ".toml": "tomllib.load(open({path}, 'rb'))",
    ".ini": (
        "config = configparser.ConfigParser(interpolation=None); config.read({path}); then "
        "{{name: dict(config[name]) for name in config.sections()}}"
    ),
}
PLAIN = {".ini": "read_ini({path})", ".xml": "read_rows({path})"}  # for code that has the kit of scripts
MAX_LISTED = 60
MAX_RANKED = 400
MAX_READ = 200_000
MAX_LOOKS = 6
HEAD_LINES, LINE = 5, 160
MAX_OUTLINE = 25
MAX_PARTS, HEAD_PART = 20, 40
WORD = re.compile(r"[a-z][a-z0-9]+")
COMMON = """
the and for with that this from into what where are all any per how many each show make give write file files folder
python script code top list find use using chart plot data have has not its their them every when who
"""


def describe_workspace(snapshot: Snapshot, question: str, size: int, *, plain: bool = False) -> str:
    """The workspace's files, and the beginnings of those that a question is likely about.

    Args:
        snapshot: what to look at.
        question: the developer's words.
        size: characters that the description may have.
        plain: for code that has the standard library only.
    """
    paths = [path for path in list_files(snapshot) if not PurePosixPath(path).name.startswith(".")]
    ranked = _rank(paths, _words(question), lambda path: _text(snapshot, path))
    listing = _listing(paths, ranked)
    looks, left = [], size - len(listing)
    for path in ranked[:MAX_LOOKS]:
        look = _look(snapshot, path, plain=plain)
        if look and len(look) <= left:
            looks.append(look)
            left -= len(look)
    tables = {path: _text(snapshot, path) for path in ranked[:MAX_LOOKS] if path.endswith((".csv", ".tsv"))}
    named = {path: text for path, text in tables.items() if is_named(path, question)}
    joins = () if plain else find_joins(named or tables)
    return "\n\n".join([f"Files of the project:\n{listing}", *looks, *joins])


def is_access_log(snapshot: Snapshot, path: str) -> bool:
    """Whether a file begins as web servers' logs do."""
    return ACCESS.match(_text(snapshot, path)) is not None


def is_named(path: str, words: str) -> bool:
    """Whether words name a file, by its path, the end of that, or its name."""
    named = re.finditer(rf"(?<![\w./-])(?:[\w.-]+/)*{re.escape(PurePosixPath(path).name)}(?![\w-])", words)
    return any(f"/{path}".endswith(f"/{found[0].removeprefix('./')}") for found in named)


def read_tables(snapshot: Snapshot) -> dict[str, str]:
    """The texts of the files that may hold tables, by path; empty for those that are large or no text."""
    paths = [path for path in list_files(snapshot) if PurePosixPath(path).suffix.lower() in TABULAR]
    return {path: _text(snapshot, path) for path in paths[:MAX_RANKED]}


def describe_conventions(snapshot: Snapshot, size: int) -> str:
    """What the workspace tells assistants of its own conventions, and how it formats and lints; empty if nothing."""
    told = ((path, _text(snapshot, path).strip()) for path in CONVENTIONS)
    parts = [f"The project's conventions ({path}):\n{text[:size]}" for path, text in told if text][:1]
    if formatter := find_formatter(snapshot):
        tool = read_tools(snapshot).get(formatter)
        length = tool.get("line-length") if isinstance(tool, Mapping) else None
        parts.append(f"It is formatted with {formatter}{f', in lines of at most {length}' if length else ''}.")
    return "\n".join(parts)


def _rank(paths: Sequence[str], words: frozenset[str], read: Callable[[str], str]) -> list[str]:
    """The paths that have something to do with the words, likeliest first; data files first where nothing has."""
    candidates = [path for path in paths if PurePosixPath(path).suffix.lower() in DATA | TEXT][:MAX_RANKED]
    names = {path: _words(path) for path in candidates}
    texts = {path: Counter(map(_stem, WORD.findall(read(path).lower()))) for path in candidates}
    spread = Counter(word for path in candidates for word in words if word in names[path] or word in texts[path])
    scores: dict[str, float] = {}
    for path in candidates:
        weights = {word: math.log(1 + len(candidates) / spread[word]) for word in words if spread[word]}
        named = sum(3 * weight for word, weight in weights.items() if word in names[path])
        within = sum(weight * min(texts[path][word], 3) / 3 for word, weight in weights.items() if word in texts[path])
        is_data = PurePosixPath(path).suffix.lower() in DATA
        scores[path] = named + within + (1.0 if is_data else 0.0)
    return sorted((path for path in candidates if scores[path] > 0), key=lambda path: (-scores[path], path))


def _listing(paths: Sequence[str], ranked: Sequence[str]) -> str:
    """All files if they are few; else the likely ones, and how many each folder has."""
    if len(paths) <= MAX_LISTED:
        return "\n".join(paths)
    folders = Counter(path.partition("/")[0] + "/" if "/" in path else "./" for path in paths)
    counted = [f"{folder} ({count} files)" for folder, count in folders.most_common(20)]
    return "\n".join([*ranked[: MAX_LISTED // 3], *counted])


def _look(snapshot: Snapshot, path: str, *, plain: bool) -> str:
    """The beginning of a data file, the outline of a module, or the first lines of another text."""
    suffix = PurePosixPath(path).suffix.lower()
    state = read_file(snapshot, path)
    text = _text(snapshot, path)
    if state is None:
        return ""
    if not text:
        return f"{path}: {len(state.content)} bytes"
    if suffix == ".py":
        return f"{path} defines:\n" + "\n".join(_outline(text))
    if suffix in (".csv", ".tsv") and text.strip():
        return describe_table(path, text, plain=plain)
    return (suffix in RECORDS and describe_records(path, text, plain=plain)) or _head(path, text, plain=plain)


def _head(path: str, text: str, *, plain: bool) -> str:
    """How a text begins, or what a JSON text is made of, and how it is read."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".json":
        how = f"json.loads(read_text({path!r}))" if plain else f"json.load(open({path!r}))"
        return f"{path} (read it with {how}) is:\n{_shape(text)}"
    lines = text.splitlines()
    head = "\n".join(line[:LINE] for line in lines[:HEAD_LINES])
    what = "rows" if suffix in TABLES else "lines"
    how = (PLAIN if plain else READING).get(suffix, "").format(path=repr(path))
    told = f"; read it with {how}" if how else ""
    parts = _split(path, lines, plain=plain) if suffix == ".log" else ""
    return f"{path} ({len(lines)} {what}{told}) begins:\n{head}{parts}"


def _split(path: str, lines: Sequence[str], *, plain: bool) -> str:
    """How to take a log's lines apart, and which part is which: small models miscount."""
    if lines and (found := ACCESS.match(lines[0])) and not plain:
        return f"\nRead it with log_rows({path!r}); then the first row is {found.groupdict()}, with numbers as numbers."
    if columns := log_columns("\n".join(lines)):
        names, split, lines_of = list(columns.names), f"line.strip(){columns.split}", f"for line in open({path!r})"
        table = f"pandas.DataFrame([{split} {lines_of}], columns={names})"
        how = f"[dict(zip({names}, {split})) {lines_of}]" if plain else table
        return f"\nRead it with {how}; then the first row is {columns.first(lines[0])}, all of them texts."
    parts = lines[0].split()[:MAX_PARTS] if lines else []
    told = ", ".join(f"row[{number}] is {part[:HEAD_PART]!r}" for number, part in enumerate(parts))
    how = f"rows = [line.split() for line in open({path!r})]"
    return f"\nRead it with {how}; then of the first row, {told}, all of them texts." if told else ""


def _outline(source: str) -> Iterator[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        yield from source.splitlines()[:HEAD_LINES]
        return
    found = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))]
    lines = source.splitlines()
    for node in sorted(found, key=lambda node: node.lineno)[:MAX_OUTLINE]:
        yield f"{node.lineno}: {lines[node.lineno - 1].rstrip()[:LINE]}"


def _shape(text: str) -> str:
    """What a JSON text is made of, and how it begins."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text[: 3 * LINE]
    if isinstance(value, list) and value:
        return f"a list of {len(value)}, first: {json.dumps(value[0])[: 2 * LINE]}"
    if isinstance(value, dict):
        parts = [f"{key!r}: {json.dumps(part)[:LINE]}" for key, part in list(value.items())[:8]]
        return "an object with " + "\n".join(parts)
    return json.dumps(value)[: 2 * LINE]


def _text(snapshot: Snapshot, path: str) -> str:
    """A file's text; empty if it is large or none."""
    state = read_file(snapshot, path)
    if state is None or len(state.content) > MAX_READ or b"\0" in state.content[:1024]:
        return ""
    return state.content.decode("utf-8", "replace")


def _words(text: str) -> frozenset[str]:
    spread = re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower()
    return frozenset(_stem(word) for word in WORD.findall(spread.replace("_", " ")) if word not in COMMON.split())


def _stem(word: str) -> str:
    return word[:-1] if word.endswith("s") and len(word) > 3 else word  # noqa: PLR2004 - "as", "is"
