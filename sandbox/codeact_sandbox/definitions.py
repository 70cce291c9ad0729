"""Merges definitions into a module's source: the edit that a model gets right most often.

A small model cannot count lines or write a diff, but it can write a whole function. `define` takes such an answer and
puts every definition in the place of the one with the same name, leaving the rest of the file as it is, byte for byte.
"""

from __future__ import annotations

import ast
import io
import textwrap
import tokenize

from codeact_sandbox.broken import define_in_broken

Function = (ast.FunctionDef, ast.AsyncFunctionDef)


def define(source: str, code: str) -> str:
    """Return `source` with the definitions of `code` merged in.

    Functions, methods and constants replace those of the same name; a class is merged member by member; a bare `def`
    whose name only a method has replaces that method. What is new is put before the first definition that was
    replaced. Missing imports that it uses are added. Anything else in `code` is ignored. An old decorator or docstring
    that the new definition leaves out is kept, since models drop them without meaning to. A module that does not parse
    has its functions and classes replaced as far as their first lines can be found.

    Raises:
        SyntaxError: `code`, or the result, is not valid Python.
        ValueError: nothing in `code` changes anything.
    """
    code = textwrap.dedent(code).strip("\n") + "\n"
    statements = ast.parse(code).body  # before anything else, so that broken code is a SyntaxError
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return define_in_broken(source, code)
    merger = _Merger(source, code)
    for statement in statements:
        merger.merge(statement)
    merged = merger.finish()
    ast.parse(merged)
    if merged == source:
        raise ValueError("Nothing changed: the definitions are the same as before, or there were none.")
    return merged


class _Merger:
    """Collects line edits against one module and carries them out bottom up."""

    def __init__(self, source: str, code: str) -> None:
        self.lines = _split(source)
        self.new_lines = _split(code)
        self.tree = ast.parse(source)
        self.strings = _string_lines(code)
        self.used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
        self.edits: list[tuple[tuple[int, int], list[str]]] = []
        self.fresh: list[list[str]] = []
        self.imports: list[str] = []

    def merge(self, statement: ast.stmt) -> None:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            self._merge_import(statement)
        elif isinstance(statement, ast.ClassDef):
            self._merge_class(statement)
        elif isinstance(statement, Function):
            old = _find(self.tree.body, statement.name) or _only_method(self.tree, statement.name)
            self._replace_or_add(old, statement)
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)) and _target(statement):
            self._replace_or_add(_find(self.tree.body, _target(statement)), statement)

    def finish(self) -> str:
        lines = list(self.lines)
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        if self.fresh:
            place = min((span[0] for span, _ in self.edits), default=len(lines) + 1)
            place = _outer_start(self.tree, place)
            blank = ["\n", "\n"]
            added = [
                line for block in self.fresh for line in ([*blank, *block] if place > len(lines) else [*block, *blank])
            ]
            self.edits.append(((place, place - 1), added))
        if self.imports:
            place = _after_imports(self.tree)
            self.edits.append(((place, place - 1), self.imports))
        for (first, last), text in sorted(self.edits, key=lambda edit: edit[0], reverse=True):
            lines[first - 1 : last] = text
        return "".join(lines)

    def _merge_import(self, statement: ast.Import | ast.ImportFrom) -> None:
        bound = _bound_names(self.tree)
        names = {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
        if names & self.used and not names <= bound and getattr(statement, "module", None) != "__future__":
            self.imports.extend(self._text(statement, 0))

    def _merge_class(self, statement: ast.ClassDef) -> None:
        old = _find(self.tree.body, statement.name)
        if not isinstance(old, ast.ClassDef):
            self._replace_or_add(old, statement)
            return
        indent = old.body[0].col_offset
        for member in statement.body:
            name = member.name if isinstance(member, (*Function, ast.ClassDef)) else _target(member)
            if not name:
                continue
            existing = _find(old.body, name)
            if existing is not None:
                self._replace(existing, member, indent)
            else:
                end = old.end_lineno or old.lineno
                self.edits.append(((end + 1, end), ["\n", *self._text(member, indent)]))

    def _replace_or_add(self, old: ast.stmt | None, new: ast.stmt) -> None:
        if old is None:
            self.fresh.append(self._text(new, 0))
        else:
            self._replace(old, new, old.col_offset)

    def _replace(self, old: ast.stmt, new: ast.stmt, indent: int) -> None:
        text = self._text(new, indent)
        first = _start(old)
        if isinstance(old, Function) and isinstance(new, Function):
            if old.decorator_list and not new.decorator_list:
                first = old.lineno
            text = self._keep_docstring(old, new, text)
        self.edits.append(((first, old.end_lineno or old.lineno), text))

    def _keep_docstring(
        self,
        old: ast.FunctionDef | ast.AsyncFunctionDef,
        new: ast.FunctionDef | ast.AsyncFunctionDef,
        text: list[str],
    ) -> list[str]:
        if ast.get_docstring(old) is None or ast.get_docstring(new) is not None or old.body[0].lineno == old.lineno:
            return text
        docstring = self.lines[old.body[0].lineno - 1 : old.body[0].end_lineno]
        place = _start(new.body[0]) - _start(new)
        return [*text[:place], *docstring, *text[place:]] if place > 0 else text

    def _text(self, node: ast.stmt, indent: int) -> list[str]:
        """The node's lines in the new code, shifted to `indent`; lines inside a string are left alone."""
        shift = indent - node.col_offset
        shifted = []
        for number in range(_start(node), (node.end_lineno or node.lineno) + 1):
            line = self.new_lines[number - 1]
            if number in self.strings or not line.strip():
                shifted.append(line)
            elif shift >= 0:
                shifted.append(" " * shift + line)
            else:
                shifted.append(line[min(-shift, len(line) - len(line.lstrip(" "))) :])
        if not shifted[-1].endswith("\n"):
            shifted[-1] += "\n"
        return shifted


def _split(text: str) -> list[str]:
    """Split where Python's parser does: a form feed is no line break."""
    return list(io.StringIO(text))


def _string_lines(code: str) -> set[int]:
    """Numbers of the lines that begin inside a string."""
    inside: set[int] = set()
    start = 0
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        name = tokenize.tok_name[token.type]
        if name == "STRING":
            inside.update(range(token.start[0] + 1, token.end[0] + 1))
        elif name == "FSTRING_START":
            start = token.start[0]
        elif name == "FSTRING_END":
            inside.update(range(start + 1, token.end[0] + 1))
    return inside


def _start(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _find(body: list[ast.stmt], name: str) -> ast.stmt | None:
    """The last statement of `body` that defines `name`, also behind a top-level `if` or `try`."""
    found = [node for node in _flat(body) if name in (getattr(node, "name", None), _target(node))]
    return found[-1] if found else None


def _flat(body: list[ast.stmt]) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for node in body:
        found.append(node)
        if not isinstance(node, (*Function, ast.ClassDef)):
            for field in ("body", "orelse", "finalbody"):
                found.extend(_flat(getattr(node, field, [])))
    return found


def _only_method(tree: ast.Module, name: str) -> ast.stmt | None:
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    found = [member for node in classes for member in node.body if getattr(member, "name", None) == name]
    return found[0] if len(found) == 1 else None


def _target(node: ast.stmt) -> str:
    """The name that a simple assignment gives a value, or an empty string."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    return ""


def _bound_names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in _flat(tree.body):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        else:
            names.add(getattr(node, "name", "") or _target(node))
    return names


def _outer_start(tree: ast.Module, line: int) -> int:
    """The first line of the top-level statement that `line` is in."""
    for node in tree.body:
        if _start(node) <= line <= (node.end_lineno or node.lineno):
            return _start(node)
    return line


def _after_imports(tree: ast.Module) -> int:
    place = 1
    for node in tree.body:
        is_docstring = isinstance(node, ast.Expr) and node is tree.body[0] and ast.get_docstring(tree) is not None
        if isinstance(node, (ast.Import, ast.ImportFrom)) or is_docstring:
            place = (node.end_lineno or node.lineno) + 1
    return place
