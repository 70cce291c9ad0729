"""The definitions of a Python file: its functions and methods, and the assignments of its modules and classes."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

Function = ast.FunctionDef | ast.AsyncFunctionDef
Assignment = ast.Assign | ast.AnnAssign


@dataclass(frozen=True)
class Definition:
    """A function, method, assignment or module of the workspace, as the snapshot has it.

    Attributes:
        path: the file.
        name: `f`, `Class.method`, `CONSTANT`, `Class.attribute`, or empty for a whole module.
        line: first line, 1-based, decorators included.
        source: its lines, as they are in the file.
        constants: assignments of the module that it uses, as they are in the file.
    """

    path: str
    name: str
    line: int
    source: str
    constants: tuple[str, ...] = ()

    @property
    def last(self) -> int:
        """Last line, 1-based."""
        return self.line + self.source.count("\n")


def find_definition(path: str, source: str, line: int) -> Definition | None:
    """The outermost function, the method or the assignment that has `line`; None if it is in none or does not parse."""
    return next((found for found in list_definitions(path, source) if found.line <= line <= found.last), None)


@lru_cache(maxsize=256)  # failing tests go through much the same files
def list_definitions(path: str, source: str) -> tuple[Definition, ...]:
    """All definitions of a file, outermost functions only; none if it does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ()
    lines = source.split("\n")
    found = []
    for name, node in _walk(tree.body, ""):
        first = first_line(node)
        text = "\n".join(lines[first - 1 : node.end_lineno])
        constants = _constants_used(tree, node, source) if isinstance(node, Function) else ()
        found.append(Definition(path, name, first, text, constants))
    return tuple(found)


@lru_cache(maxsize=256)
def parses(source: str) -> bool:
    """Whether a text is a Python program."""
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True


def functions(body: Sequence[ast.stmt]) -> Iterator[tuple[str, Function]]:
    """The outermost functions and the methods among some statements, with their names."""
    for name, node in _walk(body, ""):
        if isinstance(node, Function):
            yield name, node


def first_line(node: Function | Assignment) -> int:
    """The line at which it begins, decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _walk(body: Sequence[ast.stmt], prefix: str) -> Iterator[tuple[str, Function | Assignment]]:
    for node in body:
        if isinstance(node, Function):
            yield prefix + node.name, node
        elif isinstance(node, Assignment):
            if name := _target(node):
                yield prefix + name, node
        elif isinstance(node, ast.ClassDef):
            yield from _walk(node.body, f"{prefix}{node.name}.")
        else:
            for part in ("body", "orelse", "finalbody"):
                yield from _walk(getattr(node, part, []), prefix)


def _target(node: Assignment) -> str:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""


def _constants_used(tree: ast.Module, node: ast.AST, source: str) -> tuple[str, ...]:
    used = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    found = []
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if any(isinstance(target, ast.Name) and target.id in used for target in targets):
            found.append(ast.get_source_segment(source, statement) or "")
    return tuple(found)
