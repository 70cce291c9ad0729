"""Which functions of the kit a script gets, how a model hears of them, and how they come to stand in the script."""

import ast
import inspect
import re
import sys
from collections.abc import Mapping, Sequence

from codeact.columns import is_numbers, read_columns
from codeact.filesets import named_folder, spell_out
from codeact.findings import asked_columns, unmade_files
from codeact.logs import log_columns
from codeact.scriptkit import KIT
from codeact.surroundings import is_named

TABLES = (".csv", ".tsv", ".json", ".jsonl", ".xml")
EACH = re.compile(
    r"\b(?:each|every|per|its) (?:csv )?file\b|\bfile(?:'s)? ?names?\b|\bnamed (?:after|like)", re.IGNORECASE
)
MODULE = "kit"  # as a model knows it
ANNOTATION = re.compile(r"^( +\w+): [\w\[\], ]+(?= = )")
LINEWISE = ("read_lines", "add_header")  # for what becomes of one file's lines
WHEN = {  # what an instruction, or the path of a file, says where only these functions help
    "read_rows": re.compile(r"csv|tsv|json|xml|table|row", re.IGNORECASE),
    "write_rows": re.compile(r"csv|tsv|json|xml|table|row", re.IGNORECASE),
    "add_header": re.compile(r"header|licen[cs]e|copyright|notice|\b(?:top|beginning|start) of", re.IGNORECASE),
    "totals_of": re.compile(r"\b(?:total|sum|add|count|number|how many|per|each|by)", re.IGNORECASE),
    "groups_of": re.compile(
        r"\b(?:each|per|every|best|worst|lowest|highest|average|mean|median|latest|earliest|minimum|maximum)\b",
        re.IGNORECASE,
    ),
    "read_ini": re.compile(r"\.(ini|cfg)\b"),
    "write_table": re.compile(r"sql|database|\.db\b", re.IGNORECASE),
    "read_database": re.compile(r"\.(?:db|sqlite3?)$", re.IGNORECASE | re.MULTILINE),
    "headings_of": re.compile(r"\b(?:headings?|titles?|sections?|contents)\b", re.IGNORECASE),
    "tags_of": re.compile(r"\bhtml?\b|<\w+>", re.IGNORECASE),
    "links_of": re.compile(r"\b(?:links?|images?|pictures?)\b", re.IGNORECASE),
    "comments_of": re.compile(r"\b(?:TODO|FIXME|XXX|HACK|comment)s?\b", re.IGNORECASE),
}


def choose_kit(instruction: str, paths: Sequence[str], *, linewise: bool = False) -> tuple[str, ...]:
    """The names of the functions that may help with an instruction, in a workspace with these files.

    Args:
        instruction: the developer's words.
        paths: all files of the workspace.
        linewise: only those for what becomes of one file's lines.
    """
    words = "\n".join([instruction, *paths])
    unfit = {name for name in KIT if name in WHEN and not WHEN[name].search(words)} | {"as_rows"}
    unfit |= set(KIT) - set(LINEWISE) if linewise else {"add_header"}
    unfit |= set() if any(path.endswith((*TABLES, ".log")) for path in paths) else {"totals_of", "groups_of"}
    return tuple(name for name in KIT if name not in unfit)


def describe_kit(names: Sequence[str]) -> str:
    """What a model is told of these functions."""
    return "\n".join([import_line(names), *(f"- {_head(name)}: {_about(name)}" for name in names)])


def import_line(names: Sequence[str]) -> str:
    """The import of these functions."""
    return f"from {MODULE} import {', '.join(names)}"


def opening(instruction: str, paths: Sequence[str], fileset: str, texts: Mapping[str, str]) -> str:
    """How a model's script begins, for a model that goes on from there: with the files that it is about.

    Args:
        instruction: the developer's words.
        paths: all files of the workspace.
        fileset: an expression for the files that are meant, if several are.
        texts: of the tables and logs of the workspace, by path.
    """
    tables = [path for path in paths if path.endswith(TABLES) and is_named(path, instruction)]
    first = f"    rows = read_rows({tables[0]!r})\n{_about_rows(tables[0], texts)}" if len(tables) == 1 else ""
    first = f"    paths = {fileset}\n" if fileset else first
    if fileset and len(unmade_files(instruction, paths, ())) == 1 and not EACH.search(instruction):
        folder = named_folder(paths, instruction)
        inside = {path: text for path, text in texts.items() if not folder or path.startswith(f"{folder}/")}
        first += _gather(inside, fileset)
    first += f"    columns = {list(columns)!r}\n" if (columns := asked_columns(instruction)) else ""
    names = import_line(choose_kit(instruction, paths))
    begun = f"```python\nimport json\nimport re\nfrom pathlib import Path\n\n{names}\n\n\ndef work():\n"
    return begun + spell_out(instruction) + first


def _about_rows(path: str, texts: Mapping[str, str]) -> str:
    """A comment on the columns of a text table that hold numbers, which are read as texts; empty for none."""
    columns = read_columns(texts.get(path, "")) if path.endswith((".csv", ".tsv")) else {}
    numbers = [name for name, values in columns.items() if is_numbers(values)]
    if not numbers:
        return ""
    how = f"float(row[{numbers[0]!r}] or 0)"
    return f"    # All values are texts. Those of {', '.join(numbers)} become numbers with {how}.\n"


def _gather(texts: Mapping[str, str], fileset: str) -> str:
    """The line that reads all tables with the same columns, or all logs, into one list; empty for other files."""
    headers = {tuple(read_columns(text)) for path, text in texts.items() if path.endswith((".csv", ".tsv"))}
    if len(headers) == 1 and fileset.endswith(('.csv"))', '.tsv"))')):
        read = "    rows = [row for path in paths for row in read_rows(path)]\n"
        return read + _about_rows(next(path for path in texts if path.endswith((".csv", ".tsv"))), texts)
    logs = [text for path, text in texts.items() if path.endswith(".log")]
    if not (logs and fileset.endswith('.log"))')):
        return ""
    lines = "for path in paths for line in read_lines(path)"
    if found := log_columns("\n".join(logs)):
        read = f"    names = {list(found.names)}\n    rows = [dict(zip(names, line{found.split})) {lines}]\n"
        return f"{read}    # The first of the rows is {found.first(logs[0].partition(chr(10))[0])}\n"
    return f"    lines = [line {lines}]\n"


def add_kit(code: str) -> str:
    """The code, with those functions above it that it uses, instead of versions of its own."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return code
    used = _with_what_they_use(tree)
    lines = code.split("\n")
    for node in reversed(tree.body):
        is_own = isinstance(node, ast.FunctionDef) and node.name in KIT
        if is_own or (isinstance(node, ast.ImportFrom) and node.module == MODULE):
            del lines[node.lineno - 1 : node.end_lineno]
    constants = "\n".join(text for name in KIT if name in used for text in _constants(name))
    sources = [_source(name) for name in KIT if name in used]
    return "\n\n\n".join([*filter(None, [constants]), *sources, "\n".join(lines).strip("\n")])


def _with_what_they_use(tree: ast.AST) -> set[str]:
    """The functions of the kit that code uses, and those that these use."""
    found, used = set[str](), _names(tree)
    while used - found:
        found |= used
        used = found.union(*(_names(_definition(name)) for name in found))
    return found


def _names(tree: ast.AST) -> set[str]:
    """The functions of the kit that are named."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & set(KIT)


def _constants(name: str) -> list[str]:
    """The assignments at the top of its module that a function needs."""
    used = {node.id for node in ast.walk(_definition(name)) if isinstance(node, ast.Name)}
    source = inspect.getsource(sys.modules[KIT[name].__module__])
    assigned = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    needed = [node for node in assigned if ast.unparse(node.targets[0]) in used]
    return [ast.get_source_segment(source, node) or "" for node in needed]


def _definition(name: str) -> ast.FunctionDef:
    """A function of the kit, without annotations, which would need more imports in a script."""
    [function] = ast.parse(inspect.getsource(KIT[name])).body
    assert isinstance(function, ast.FunctionDef)  # noqa: S101 - that is what the kit is made of
    for argument in [*function.args.args, *filter(None, [function.args.vararg])]:
        argument.annotation = None
    return function


def _source(name: str) -> str:
    """A function as it stands in a script."""
    body = inspect.getsource(KIT[name]).rstrip().split("\n")[_definition(name).body[0].lineno - 1 :]
    return "\n".join([f"def {_head(name)}:", *(ANNOTATION.sub(r"\1", line.partition("  # noqa")[0]) for line in body)])


def _head(name: str) -> str:
    """A function's name and parameters."""
    return f"{name}({ast.unparse(_definition(name).args)})"


def _about(name: str) -> str:
    return " ".join((inspect.getdoc(KIT[name]) or "").split())
