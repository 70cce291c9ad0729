"""Which functions of the kit a script gets, how a model hears of them, and how they come to stand in the script."""

import ast
import inspect
import re
from collections.abc import Sequence

from codeact.filesets import spell_out
from codeact.findings import asked_columns
from codeact.scriptkit import KIT

TABLES = (".csv", ".tsv", ".json", ".jsonl", ".xml")
MODULE = "kit"  # as a model knows it
LINEWISE = ("read_lines", "add_header")  # for what becomes of one file's lines
WHEN = {  # what an instruction, or the path of a file, says where only these functions help
    "read_rows": re.compile(r"csv|tsv|json|xml|table|row", re.IGNORECASE),
    "write_rows": re.compile(r"csv|tsv|json|xml|table|row", re.IGNORECASE),
    "add_header": re.compile(r"header|licen[cs]e|copyright|notice|\b(?:top|beginning|start) of", re.IGNORECASE),
    "totals": re.compile(r"\b(?:total|sum|add|count|number|how many|per|each|by)", re.IGNORECASE),
    "read_ini": re.compile(r"\.(ini|cfg)\b"),
    "write_table": re.compile(r"sql|database|\.db\b", re.IGNORECASE),
}


def choose_kit(instruction: str, paths: Sequence[str], *, linewise: bool = False) -> tuple[str, ...]:
    """The names of the functions that may help with an instruction, in a workspace with these files.

    Args:
        instruction: the developer's words.
        paths: all files of the workspace.
        linewise: only those for what becomes of one file's lines.
    """
    words = "\n".join([instruction, *paths])
    return tuple(
        name
        for name in KIT
        if (name in LINEWISE if linewise else name != "add_header") and (name not in WHEN or WHEN[name].search(words))
    )


def describe_kit(names: Sequence[str]) -> str:
    """What a model is told of these functions."""
    return "\n".join([import_line(names), *(f"- {_head(name)}: {_about(name)}" for name in names)])


def import_line(names: Sequence[str]) -> str:
    """The import of these functions."""
    return f"from {MODULE} import {', '.join(names)}"


def opening(instruction: str, paths: Sequence[str], fileset: str) -> str:
    """How a model's script begins, for a model that goes on from there: with the files that it is about.

    Args:
        instruction: the developer's words.
        paths: all files of the workspace.
        fileset: an expression for the files that are meant, if several are.
    """
    tables = [path for path in paths if path.endswith(TABLES) and path in instruction]
    first = f"    rows = read_rows({tables[0]!r})\n" if len(tables) == 1 else ""
    first = f"    paths = {fileset}\n" if fileset else first
    first += f"    columns = {list(columns)!r}\n" if (columns := asked_columns(instruction)) else ""
    names = import_line(choose_kit(instruction, paths))
    begun = f"```python\nimport json\nimport re\nfrom pathlib import Path\n\n{names}\n\n\ndef work():\n"
    return begun + spell_out(instruction) + first


def add_kit(code: str) -> str:
    """The code, with those functions above it that it uses, instead of versions of its own."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return code
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & set(KIT)
    lines = code.split("\n")
    for node in reversed(tree.body):
        is_own = isinstance(node, ast.FunctionDef) and node.name in KIT
        if is_own or (isinstance(node, ast.ImportFrom) and node.module == MODULE):
            del lines[node.lineno - 1 : node.end_lineno]
    return "\n\n\n".join([*(_source(name) for name in KIT if name in used), "\n".join(lines).strip("\n")])


def _source(name: str) -> str:
    """A function as it stands in a script: without annotations, which would need more imports."""
    [function] = ast.parse(source := inspect.getsource(KIT[name]).rstrip()).body
    assert isinstance(function, ast.FunctionDef)  # noqa: S101 - that is what the kit is made of
    body = source.split("\n")[function.body[0].lineno - 1 :]
    return "\n".join([f"def {_head(name)}:", *(line.partition("  # noqa")[0] for line in body)])


def _head(name: str) -> str:
    """A function's name and parameters."""
    [function] = ast.parse(inspect.getsource(KIT[name])).body
    assert isinstance(function, ast.FunctionDef)  # noqa: S101 - that is what the kit is made of
    for argument in function.args.args:
        argument.annotation = None
    return f"{name}({ast.unparse(function.args)})"


def _about(name: str) -> str:
    return " ".join((inspect.getdoc(KIT[name]) or "").split())
