"""More names for actions: what is often asked about a repository, as rows that can be counted, sorted and printed.

Each function's docstring is what a model is told of it. Rows are dictionaries; all paths are relative to the project.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
from typing import Any, Iterator

from codeact_sandbox.helpers import files, read_text, write

URL = re.compile(r"[a-z][a-z0-9+.-]*:|//|#", re.IGNORECASE)
LINK = re.compile(
    r"\]\(\s*<?([^)>\s]+)|(?:href|src)\s*=\s*[\"']([^\"']+)|^\s*\[[^\]]+\]:\s*(\S+)|^\.\. _[^:]+:\s*(\S+)"
    r"|\[\[([^\W\d][\w /-]*)(?:[|#][^\]\n]*)?\]\]",  # [[a page of a wiki|as it is called here]]
    re.MULTILINE,
)

SCRIPTS = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".vue", ".svelte")
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`", re.DOTALL)
REQUIRED = re.compile(
    r"""\b(?:import|export)\b[^;"'`()]*?\bfrom\s*["']([^"'\n]+)|\bimport\s*\(?\s*["']([^"'\n]+)|\brequire\(\s*["']([^"'\n]+)"""
)

AFTER_ESCAPE = r"(?<=(?<!\\)\\[abfnrtv])"  # of a text in code, such as "\nNAME": its letter is no part of the name

# The Common Log Format of web servers, and the Combined one.
ACCESS = re.compile(
    r'(?P<client>\S+) \S+ (?P<user>\S+) \[(?P<time>[^\]]+)\] "(?P<method>\S+) (?P<path>\S+)[^"]*" (?P<status>\d{3})'
    r' (?P<bytes>\d+|-)(?: "(?P<referrer>[^"]*)" "(?P<agent>[^"]*)")?'
)


def imports(pattern: str = "**/*") -> list[dict[str, Any]]:
    """imports(pattern="**/*"): all imports of Python, JavaScript and TypeScript files, as rows with path, line, module
    (full dotted name, or the package or path that a script imports).
    """
    rows = [row for path in files(pattern) if path.endswith(SCRIPTS) for row in _required(path)]
    for path, tree in _trees(pattern):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                rows += [{"path": path, "line": node.lineno, "module": alias.name} for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = ".".join(filter(None, [_package(path, node.level), node.module]))
                names = [f"{base}.{alias.name}" if base else alias.name for alias in node.names]
                rows += [{"path": path, "line": node.lineno, "module": name} for name in names]
    return rows


def _required(path: str) -> Iterator[dict[str, Any]]:
    """What a file of JavaScript or TypeScript imports or requires, outside of comments."""
    text = COMMENT.sub(
        lambda found: found[0] if found[0][:1] in "\"'`" else re.sub(r"[^\n]", " ", found[0]), read_text(path)
    )
    for found in REQUIRED.finditer(text):
        module = next(filter(None, found.groups()))
        if module.startswith("."):
            module = os.path.normpath(os.path.join(os.path.dirname(path), module)).replace(os.sep, "/")
        yield {"path": path, "line": text.count("\n", 0, found.start()) + 1, "module": module}


def _package(path: str, level: int) -> str:
    """The package that an import with so many dots begins from, in the module at a path; empty for none."""
    folders = path.split("/")[:-1]
    folders = folders[1:] if folders[:1] == ["src"] else folders
    return ".".join(folders[: len(folders) - level + 1]) if level else ""


def functions(pattern: str = "**/*.py") -> list[dict[str, Any]]:
    """functions(pattern="**/*.py"): all functions and methods, as rows with path, line, name, lines (how many),
    decorators (a list of texts), doc, source (the code).
    """
    rows = []
    for path, tree in _trees(pattern):
        texts = read_text(path).splitlines()
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                decorators = [_unparse(one) for one in node.decorator_list]
                row = {"path": path, "line": node.lineno, "name": node.name, "lines": lines}
                source = "\n".join(texts[node.lineno - 1 : node.end_lineno])
                rows.append({**row, "decorators": decorators, "doc": ast.get_docstring(node) or "", "source": source})
    return rows


def uses(name: str, pattern: str = "**/*.py") -> list[dict[str, Any]]:
    """uses(name, pattern="**/*.py"): where code uses a function, class or variable, as rows with path, line, kind
    ("call", "import", "definition" or "name"), text of the line.
    """
    rows = []
    for path, tree in _trees(pattern):
        lines = read_text(path).splitlines()
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        kinds = [(getattr(node, "lineno", 0), _kind(node, name, called)) for node in ast.walk(tree)]
        found = {(line, kind) for line, kind in kinds if line and kind}
        rows += [
            {"path": path, "line": line, "kind": kind, "text": lines[line - 1].strip()} for line, kind in sorted(found)
        ]
    return rows


def _kind(node: Any, name: str, called: set[int]) -> str:  # noqa: ANN401 - any node of a tree
    """How a node uses a name; empty if it does not."""
    if isinstance(node, (ast.Name, ast.Attribute)):
        own = node.id if isinstance(node, ast.Name) else node.attr
        return ("call" if id(node) in called else "name") if own == name else ""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return "import" if any(name in (*alias.name.split("."), alias.asname) for alias in node.names) else ""
    is_definition = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    return "definition" if is_definition and node.name == name else ""


def links(pattern: str = "**/*") -> list[dict[str, Any]]:
    """links(pattern="**/*"): links and pictures in Markdown (also [[page]]), HTML and reST, as rows with path, line,
    target, file (the file it leads to, empty for the web), exists.
    """
    documents = [path for path in files(pattern) if path.endswith((".md", ".markdown", ".html", ".htm", ".rst"))]
    return [row for path in documents for row in links_of(path)]


def links_of(path: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - in a script it may be a Path
    """The links and pictures in a Markdown, HTML or reST file, as rows with path, line, target, file (the path it
    leads to, "" for the web) and exists.
    """
    rows, text = [], read_text(path)
    for found in LINK.finditer(text):
        target = next(group for group in found.groups() if group)
        local = "" if URL.match(target) else re.split(r"[#?]", target)[0]
        if found[0].startswith("[["):
            local += os.path.splitext(path)[1]
        base = "" if local.startswith("/") else os.path.dirname(path)
        file = os.path.normpath(os.path.join(base, local.lstrip("/"))).replace(os.sep, "/") if local else ""
        row = {"path": str(path), "line": text.count("\n", 0, found.start()) + 1, "target": target, "file": file}
        rows.append({**row, "exists": not file or os.path.exists(file)})
    return rows


def duplicates(pattern: str = "**/*") -> list[list[str]]:
    """duplicates(pattern="**/*"): groups of files with the same content, each a list of paths."""
    groups: dict[str, list[str]] = {}
    for path in files(pattern):
        with open(path, "rb") as file:
            groups.setdefault(hashlib.sha256(file.read()).hexdigest(), []).append(path)
    return [group for group in groups.values() if len(group) > 1]


def comments(word: str = "TODO", pattern: str = "**/*.py") -> list[dict[str, Any]]:
    """comments(word="TODO", pattern="**/*.py"): comments with a word, as rows with path, line, text after it."""
    return [row for path in files(pattern) for row in comments_of(path, word)]


def comments_of(path: Any, word: str = "TODO") -> list[dict[str, Any]]:  # noqa: ANN401 - in a script it may be a Path
    """The comments of a file that begin with a word, as rows with path, line, text (what follows the word)."""
    wanted = re.compile(rf"(?:#|//|/\*|<!--|--|;)\s*{re.escape(word)}\b[:\s]*(.*)")
    return [
        {"path": str(path), "line": number, "text": found[1].strip()}
        for number, line in enumerate(read_text(path).splitlines(), 1)
        if (found := wanted.search(line))
    ]


def log_rows(path: str) -> list[dict[str, Any]]:
    """log_rows(path): the lines of a web server's log, as rows with client, user, time, method, path, status (int),
    bytes (int), referrer, agent.
    """
    rows = []
    for line in read_text(path).splitlines():
        if found := ACCESS.match(line):
            row: dict[str, Any] = {name: value or "" for name, value in found.groupdict().items()}
            row["status"] = int(row["status"])
            row["bytes"] = int(row["bytes"]) if row["bytes"].isdigit() else 0
            rows.append(row)
    return rows


def rename(old: str, new: str, pattern: str = "**/*") -> str:
    """rename(old, new, pattern="**/*"): rename a name or a command-line option as a whole word in all text files, with
    the attribute that argparse makes of an option; says where.
    """
    inside = r"[\w-]" if old.startswith("-") else r"\w"
    begin = rf"(?:(?<!{inside})|{AFTER_ESCAPE})" if re.match(r"[\w-]", old) else ""
    pairs = [(rf"{begin}{re.escape(old)}(?!{inside})", new)]
    if "-" in old.rstrip("-"):  # the attribute that argparse and click make of it
        was, now = (name.lstrip("-").replace("-", "_") for name in (old, new))
        pairs += [(rf"(?<=\.){re.escape(was)}\b(?!\()", now), (rf"(?<=dest=[\"']){re.escape(was)}(?=[\"'])", now)]
    told = []
    for path in files(pattern):
        try:
            text = read_text(path)
        except (OSError, ValueError):
            continue
        if not re.search(pairs[0][0], text) and (not path.endswith(".py") or len(pairs) == 1):
            continue
        changed, count = text, 0
        for expression, replacement in pairs if path.endswith(".py") else pairs[:1]:
            changed, times = re.subn(expression, replacement.replace("\\", r"\\"), changed)
            count += times
        if count:
            write(path, changed)
            told.append(f"{path}: {count} places")
    return "\n".join(told) or f"{old} is nowhere"


def _trees(pattern: str) -> Iterator[tuple[str, ast.Module]]:
    for path in files(pattern):
        if path.endswith(".py"):
            try:
                yield path, ast.parse(read_text(path))
            except (SyntaxError, ValueError):
                continue


def _unparse(node: ast.expr) -> str:
    return ast.unparse(node) if hasattr(ast, "unparse") else ast.dump(node)


TOOLS: dict[str, Any] = {
    function.__name__: function
    for function in (imports, functions, uses, links, duplicates, comments, log_rows, rename)
}
