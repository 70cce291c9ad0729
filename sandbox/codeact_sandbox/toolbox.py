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
    r"\]\(\s*<?([^)>\s]+)|(?:href|src)\s*=\s*[\"']([^\"']+)|^\s*\[[^\]]+\]:\s*(\S+)|^\.\. _[^:]+:\s*(\S+)",
    re.MULTILINE,
)


def imports(pattern: str = "**/*.py") -> list[dict[str, Any]]:
    """imports(pattern="**/*.py"): all imports, as rows with path, line, module (full dotted name)."""
    rows = []
    for path, tree in _trees(pattern):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                rows += [{"path": path, "line": node.lineno, "module": alias.name} for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = "." * node.level + (node.module or "")
                joint = "" if base.endswith(".") or not base else "."
                rows += [
                    {"path": path, "line": node.lineno, "module": f"{base}{joint}{one.name}"} for one in node.names
                ]
    return rows


def functions(pattern: str = "**/*.py") -> list[dict[str, Any]]:
    """functions(pattern="**/*.py"): all functions and methods, as rows with path, line, name, lines (how many),
    decorators (a list of texts), doc.
    """
    rows = []
    for path, tree in _trees(pattern):
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                decorators = [_unparse(one) for one in node.decorator_list]
                row = {"path": path, "line": node.lineno, "name": node.name, "lines": lines}
                rows.append({**row, "decorators": decorators, "doc": ast.get_docstring(node) or ""})
    return rows


def links(pattern: str = "**/*") -> list[dict[str, Any]]:
    """links(pattern="**/*"): links and pictures in Markdown, HTML and reST, as rows with path, line, target, file (the
    file it leads to, empty for the web), exists.
    """
    rows = []
    for path in files(pattern):
        if not path.endswith((".md", ".markdown", ".html", ".htm", ".rst")):
            continue
        text = read_text(path)
        for found in LINK.finditer(text):
            target = next(group for group in found.groups() if group)
            local = "" if URL.match(target) else re.split(r"[#?]", target)[0]
            base = "" if local.startswith("/") else os.path.dirname(path)
            file = os.path.normpath(os.path.join(base, local.lstrip("/"))).replace(os.sep, "/") if local else ""
            row = {"path": path, "line": text.count("\n", 0, found.start()) + 1, "target": target, "file": file}
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
    wanted = re.compile(rf"(?:#|//|/\*|<!--|--|;)\s*{re.escape(word)}\b[:\s]*(.*)")
    return [
        {"path": path, "line": number, "text": found[1].strip()}
        for path in files(pattern)
        for number, line in enumerate(read_text(path).splitlines(), 1)
        if (found := wanted.search(line))
    ]


def rename(old: str, new: str, pattern: str = "**/*") -> str:
    """rename(old, new, pattern="**/*"): rename a name or a command-line option as a whole word in all text files, with
    the attribute that argparse makes of an option; says where.
    """
    pairs = [(rf"(?<![\w-]){re.escape(old)}(?![\w-])" if old.startswith("-") else rf"\b{re.escape(old)}\b", new)]
    if old.startswith("--"):  # the attribute that argparse and click make of it
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


TOOLS: dict[str, Any] = {
    function.__name__: function for function in (imports, functions, links, duplicates, comments, rename)
}
WORDS = {
    "imports": "import imports imported module modules depend depends dependency dependencies client library uses",
    "functions": "function functions method methods longest decorator docstrings skipped skip",
    "links": "link links dead broken page pages picture pictures image images",
    "duplicates": "duplicate duplicates same identical copies equal",
    "comments": "todo todos fixme fixmes comment comments hack",
    "rename": "rename renames renaming replace everywhere",
}


EXAMPLES = {
    "imports": "for row in imports():\n    print(row['path'], row['line'], row['module'])",
    "functions": "for row in sorted(functions('**/*.py'), key=lambda row: -row['lines'])[:5]:\n"
    "    print(row['path'], row['line'], row['name'], row['lines'], row['decorators'])",
    "links": "for row in links('**/*'):\n"
    "    print(row['path'], row['line'], row['target'], row['file'], row['exists'])",
    "duplicates": "for group in duplicates('**/*'):\n    print(', '.join(group))",
    "comments": "for row in comments('TODO'):\n    print(f\"{row['path']}:{row['line']} {row['text']}\")",
    "rename": "print(rename('old_name', 'new_name'))",
}


def describe_tools(question: str = "") -> str:
    """One line for each function: all; or, for a question, those that have to do with its words, with an example."""
    if not question:
        return "\n".join(f"- {_about(name)}" for name in TOOLS)
    said = set(re.findall(r"[a-z]+", question.lower()))
    chosen = [name for name in TOOLS if said & set(WORDS[name].split())]
    chosen = ["rename"] if "rename" in chosen else chosen  # its words are plain, and name things of every kind
    return "\n".join(f"# {_about(name)}\n{EXAMPLES[name]}" for name in chosen)


def _about(name: str) -> str:
    return " ".join((TOOLS[name].__doc__ or "").split())


def _trees(pattern: str) -> Iterator[tuple[str, ast.Module]]:
    for path in files(pattern):
        if path.endswith(".py"):
            try:
                yield path, ast.parse(read_text(path))
            except (SyntaxError, ValueError):
                continue


def _unparse(node: ast.expr) -> str:
    return ast.unparse(node) if hasattr(ast, "unparse") else ast.dump(node)
