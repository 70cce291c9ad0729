"""Code that keeps something from one call to the next: where a test can leave what another one stumbles over."""

import ast
from collections.abc import Iterator

from codeact.definitions import Function, first_line

CONTAINERS = frozenset({"list", "dict", "set", "defaultdict", "deque", "Counter", "OrderedDict", "bytearray"})
CACHES = frozenset({"cache", "lru_cache", "cached"})


def find_state(path: str, source: str) -> Iterator[tuple[str, int]]:
    """The lines of code that keeps something from one call to the next; none if it does not parse.

    These are functions with a mutable default, a cache or a `global`, those that set what belongs to a class, and
    containers of modules and classes.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    scopes: list[ast.Module | ast.ClassDef] = [
        tree,
        *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)),
    ]
    found: list[ast.stmt] = [
        node
        for scope in scopes
        for node in scope.body
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None and _is_container(node.value)
    ]
    found += [node for node in ast.walk(tree) if isinstance(node, Function) and _keeps(node)]
    for node in found:
        first = first_line(node) if isinstance(node, Function) else node.lineno
        yield from ((path, line) for line in range(first, (node.end_lineno or node.lineno) + 1))


def _keeps(function: Function) -> bool:
    defaults = [*function.args.defaults, *filter(None, function.args.kw_defaults)]
    if any(map(_is_container, defaults)) or any(_name(found) in CACHES for found in function.decorator_list):
        return True
    for node in ast.walk(function):
        if isinstance(node, ast.Global):
            return True
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _name(node.value) == "cls":
            return True
    return False


def _is_container(value: ast.expr) -> bool:
    is_literal = isinstance(value, (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp))
    return is_literal or (isinstance(value, ast.Call) and _name(value) in CONTAINERS)


def _name(node: ast.expr) -> str:
    """The last part of a dotted name, of what is called if it is a call."""
    if isinstance(node, ast.Call):
        return _name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
