"""What a function could have named instead: its variables, its neighbours, the words that its file uses."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

Function = ast.FunctionDef | ast.AsyncFunctionDef

MAX_WORDS = 12
MAX_WORD = 30  # characters of a string constant that may stand for another
OWN = ("self", "cls", "_")


@dataclass(frozen=True)
class Scope:
    """Names that are known in a function.

    Attributes:
        function: itself.
        owner: the class that it is a method of, if it is.
        names: its parameters and variables.
        parameters: its parameters, without `self`.
        attributes: attributes of `self` that it uses.
        functions: functions of its file by how many arguments they take, as they are called from here.
        methods: methods that its file calls on anything, by how many arguments they are given.
        words: short strings of its file that stand for something.
        mappers: parameters and variables that it calls with one argument.
    """

    function: Function
    owner: ast.ClassDef | None
    names: tuple[str, ...]
    parameters: tuple[str, ...]
    attributes: tuple[str, ...]
    functions: dict[int, tuple[str, ...]]
    methods: dict[int, tuple[str, ...]]
    words: tuple[str, ...]
    mappers: tuple[str, ...]

    @property
    def itself(self) -> str:
        """What the function calls itself."""
        is_method = self.owner and self.function.args.args and self.function.args.args[0].arg == "self"
        return f"self.{self.function.name}" if is_method else self.function.name


def read_scope(tree: ast.Module, function: Function) -> Scope:
    """What is known in a function of a file."""
    owner = next((node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and function in node.body), None)
    parameters = [name for name in _parameters(function) if name not in OWN]
    stored = [node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    names = _unique(name for name in [*stored, *parameters] if name not in OWN)
    attributes = _unique(
        node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute) and is_self(node.value)
    )
    return Scope(
        function=function,
        owner=owner,
        names=names,
        parameters=tuple(parameters),
        attributes=attributes,
        functions=_functions(tree),
        methods=_methods(tree),
        words=_words(tree),
        mappers=_unique(
            call.func.id for call in _calls(function) if isinstance(call.func, ast.Name) and call.func.id in names
        ),
    )


def is_self(node: ast.expr) -> bool:
    """Whether an expression is `self`."""
    return isinstance(node, ast.Name) and node.id == "self"


def _parameters(function: Function) -> list[str]:
    arguments = function.args
    return [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def _functions(tree: ast.Module) -> dict[int, tuple[str, ...]]:
    found: dict[int, list[str]] = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            most = len(node.args.posonlyargs) + len(node.args.args)
            for count in range(most - len(node.args.defaults), most + 1):
                found.setdefault(count, []).append(node.name)
    return {count: tuple(names) for count, names in found.items()}


def _methods(tree: ast.Module) -> dict[int, tuple[str, ...]]:
    found: dict[int, dict[str, None]] = {}
    for call in _calls(tree):
        if isinstance(call.func, ast.Attribute) and not call.keywords:
            found.setdefault(len(call.args), {})[call.func.attr] = None
    return {count: tuple(islice(names, MAX_WORDS)) for count, names in found.items()}


def _words(tree: ast.Module) -> tuple[str, ...]:
    words = (
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) <= MAX_WORD
    )
    return _unique(words)[:MAX_WORDS]


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
