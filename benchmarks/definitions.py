"""Definitions of a Python file by name, and taking some of them over from another version of the file.

A definition is a statement of the module or of a class in it: a function, a method, a constant, an import. Its name is
`f`, `Class.method`, `CONSTANT`, or the text of the import.
"""

import ast
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """Where a definition is: lines from 0, `end` not included; and the class it is in, empty for the module."""

    start: int
    end: int
    owner: str


def find_spans(text: str) -> dict[str, Span]:
    """All definitions, in their order; of several with one name, all but the first have a number behind it."""
    seen = Counter[str]()
    spans = {}
    for name, span in walk(ast.parse(text), ""):
        seen[name] += 1
        spans[name if seen[name] == 1 else f"{name}#{seen[name]}"] = span
    return spans


def walk(tree: ast.Module | ast.ClassDef, owner: str) -> Iterator[tuple[str, Span]]:
    """The definitions of a module or class; those of a class in the place of the class."""
    for node in tree.body:
        name = ".".join(filter(None, (owner, name_of(node))))
        if isinstance(node, ast.ClassDef):
            yield from walk(node, name)
        elif name_of(node):
            decorators = getattr(node, "decorator_list", ())
            first = min(part.lineno for part in (node, *decorators))
            yield name, Span(first - 1, node.end_lineno or first, owner)


def name_of(node: ast.stmt) -> str:
    """The name of what a statement defines, empty if it has none."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case ast.Import() | ast.ImportFrom():
            return ast.unparse(node)
    return ""


def texts(text: str) -> Mapping[str, str]:
    """The source of each definition."""
    lines = text.splitlines(keepends=True)
    return {name: "".join(lines[span.start : span.end]) for name, span in find_spans(text).items()}


def take_over(old: str, new: str, names: Collection[str]) -> str:
    """The old text with some definitions as the new one has them: changed, added after what they follow, or gone."""
    for name in names:
        old = take_one(old, new, name)
    return old


def take_one(old: str, new: str, name: str) -> str:
    """The old text with one definition as the new one has it."""
    spans, wanted = find_spans(old), find_spans(new)
    if name not in spans and name not in wanted:
        raise ValueError(f"neither version defines {name}")
    lines = old.splitlines(keepends=True)
    text = texts(new).get(name, "")
    if name in spans:
        start, end = spans[name].start, spans[name].end
    else:
        start = end = place_for(name, spans, wanted)
        text = f"\n{text}\n"
    return "".join([*lines[:start], text, *lines[end:]])


def place_for(name: str, spans: Mapping[str, Span], wanted: Mapping[str, Span]) -> int:
    """The line at which a new definition goes: behind its nearest forerunner that both versions have."""
    order = [other for other, span in wanted.items() if span.owner == wanted[name].owner]
    for other in reversed(order[: order.index(name)]):
        if other in spans:
            return spans[other].end
    return min((span.start for span in spans.values() if span.owner == wanted[name].owner), default=0)


def leave_out(text: str, names: Collection[str]) -> str:
    """The text without some definitions, and without classes that had nothing else."""
    lines = text.splitlines(keepends=True)
    for span in (span for name, span in find_spans(text).items() if name in names):
        lines[span.start : span.end] = [""] * (span.end - span.start)
    for node in reversed([node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)]):
        rest = [part for part in node.body if any(line.strip() for line in lines[part.lineno - 1 : part.end_lineno])]
        if all(isinstance(part, ast.Expr) for part in rest):
            first = min(part.lineno for part in (node, *node.decorator_list)) - 1
            lines[first : node.end_lineno] = [""] * ((node.end_lineno or first) - first)
    return "".join(lines)
