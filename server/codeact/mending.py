"""What small models forget in code that is right otherwise: an import, a folder. Put right here, since a turn costs."""

import ast
import posixpath
import re
from collections.abc import Sequence

MODULES = """
configparser csv glob hashlib io itertools json math os re shutil sqlite3 statistics subprocess sys
"""
IMPORTS = {
    **{name: f"import {name}" for name in MODULES.split()},
    "Counter": "from collections import Counter",
    "Path": "from pathlib import Path",
    "HTMLParser": "from html.parser import HTMLParser",
    "ET": "from xml.etree import ElementTree as ET",
    "closing": "from contextlib import closing",
    "defaultdict": "from collections import defaultdict",
    "np": "import numpy as np",
    "pd": "import pandas as pd",
    "plt": "import matplotlib.pyplot as plt",
}

MKDIR = re.compile(r"\.mkdir\(((?:parents=True)?)\)")
LISTINGS = ("glob", "iglob", "rglob", "iterdir", "listdir")  # not scandir: its entries have no order


def add_imports(code: str) -> str:
    """The code, with the well-known modules imported that it names and never binds."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return code
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            bound |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            bound.add(node.name)
    missing = sorted({node.id for node in names} & set(IMPORTS) - bound)
    return "".join(f"{IMPORTS[name]}\n" for name in missing) + code


def allow_folders(code: str) -> str:
    """The code, with folders that it makes allowed to be there already."""
    return MKDIR.sub(lambda found: f"{found[0][:-1]}{', ' * bool(found[1])}exist_ok=True)", code)


def make_folders(code: str) -> str:
    """The code, with the folders made first that it writes into under a fixed name: what is most often forgotten."""
    made = folder_lines(code)
    return f"import os\n{made}{code}" if made else code


def sort_listings(code: str) -> str:
    """The code, with what folders hold taken in order: file systems have none, and results would depend on it."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return code
    within = {id(node.args[0]) for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args
              and isinstance(node.func, ast.Name) and node.func.id == "sorted"}  # fmt: skip
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and id(node) not in within
             and ast.unparse(node.func).rpartition(".")[2] in LISTINGS and _is_iterated(node, tree)]  # fmt: skip
    spots = [(node.end_lineno or 0, node.end_col_offset or 0, b")") for node in found]
    spots += [(node.lineno, node.col_offset, b"sorted(") for node in found]
    return _insert(code, spots)


def list_columns(code: str) -> str:
    """The code, with several columns of grouped rows as a list, `[["a", "b"]]`: pandas takes a tuple no longer."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return code
    found = [node.slice for node in ast.walk(tree) if isinstance(node, ast.Subscript)
             and isinstance(node.slice, ast.Tuple) and isinstance(node.value, ast.Call)
             and ast.unparse(node.value.func).endswith(".groupby")]  # fmt: skip
    spots = [(node.end_lineno or 0, node.end_col_offset or 0, b"]") for node in found]
    spots += [(node.lineno, node.col_offset, b"[") for node in found]
    return _insert(code, spots)


def _insert(code: str, spots: Sequence[tuple[int, int, bytes]]) -> str:
    """The code with texts put into it, each at a line and a column in bytes."""
    lines = [line.encode() for line in code.split("\n")]
    for line, column, text in sorted(spots, reverse=True):
        content = lines[line - 1]
        lines[line - 1] = content[:column] + text + content[column:]
    return b"\n".join(lines).decode()


def _is_iterated(call: ast.Call, tree: ast.Module) -> bool:
    """Whether a loop goes over what a call gives."""
    return any(node.iter is call for node in ast.walk(tree) if isinstance(node, (ast.For, ast.comprehension)))


def folder_lines(code: str) -> str:
    """The lines that make the folders which code writes into under a fixed name."""
    try:
        calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call) and node.args]
    except (SyntaxError, ValueError):
        return ""
    paths = [_fixed_part(call.args[0]) for call in calls if _writes(call)]
    folders = {posixpath.dirname(path) for path in paths if not path.startswith(("/", ".."))}
    return "".join(f"os.makedirs({folder!r}, exist_ok=True)\n" for folder in sorted(folders - {""}))


def _writes(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    options = [*call.args[1:], *(keyword.value for keyword in call.keywords)]
    modes = [one.value for one in options if isinstance(one, ast.Constant)]
    if name == "open":
        return any(isinstance(mode, str) and mode[:1] in ("w", "a", "x") for mode in modes)
    return name in ("connect", "to_csv", "to_json", "to_excel", "savefig", "write_html")


def _fixed_part(node: ast.expr) -> str:
    """How a path begins, as far as it stands in the code."""
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
