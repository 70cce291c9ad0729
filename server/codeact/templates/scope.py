"""What a function could have named instead: its variables, its neighbours, the words that its file and its test use."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

Function = ast.FunctionDef | ast.AsyncFunctionDef

MAX_WORDS = 12
MAX_WORD = 30  # characters of a string constant that may stand for another
MAX_OTHERS = 12
OWN = ("self", "cls", "_")


@dataclass(frozen=True)
class Scope:
    """Names that are known in a function.

    Attributes:
        function: itself.
        owner: the class that it is a method of, if it is.
        names: its parameters and variables.
        parameters: its parameters, without `self`.
        attributes: attributes of `self` that its class uses.
        foreign: attributes of other things that its file uses.
        constants: names that its module assigns.
        functions: functions of its file by how many arguments they take, as they are called from here.
        methods: methods that its file calls on anything, by how many arguments they are given.
        words: short strings of its file that stand for something.
        hints: short strings that the failing test expects or gives.
        mappers: parameters and variables that it calls with one argument.
    """

    function: Function
    owner: ast.ClassDef | None
    names: tuple[str, ...]
    parameters: tuple[str, ...]
    attributes: tuple[str, ...]
    foreign: tuple[str, ...]
    constants: tuple[str, ...]
    functions: dict[int, tuple[str, ...]]
    methods: dict[int, tuple[str, ...]]
    words: tuple[str, ...]
    hints: tuple[str, ...]
    mappers: tuple[str, ...]

    @property
    def itself(self) -> str:
        """What the function calls itself."""
        is_method = self.owner and self.function.args.args and self.function.args.args[0].arg == "self"
        return f"self.{self.function.name}" if is_method else self.function.name


def read_scope(tree: ast.Module, function: Function, hints: Sequence[str] = ()) -> Scope:
    """What is known in a function of a file; `hints` are words of the test that it fails."""
    owner = next((node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and function in node.body), None)
    parameters = [name for name in _parameters(function) if name not in OWN]
    stored = [node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    names = _unique(name for name in [*stored, *parameters] if name not in OWN)
    words = _words(tree)
    return Scope(
        function=function,
        owner=owner,
        names=names,
        parameters=tuple(parameters),
        attributes=_attributes(owner or function, own=True),
        foreign=_attributes(tree, own=False),
        constants=_constants(tree),
        functions=_functions(tree),
        methods=_methods(tree),
        words=words,
        hints=tuple(word for word in hints if word not in words),
        mappers=_unique(
            call.func.id for call in _calls(function) if isinstance(call.func, ast.Name) and call.func.id in names
        ),
    )


def expressions_of(function: Function) -> Iterator[ast.AST]:
    """All nodes of a function's body; its docstring, which is no code, is left out."""
    for statement in function.body:
        if not is_docstring(statement):
            yield from ast.walk(statement)


def is_docstring(node: ast.stmt) -> bool:
    """Whether a statement only says something."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def is_self(node: ast.expr) -> bool:
    """Whether an expression is `self`."""
    return isinstance(node, ast.Name) and node.id == "self"


def words_of(source: str) -> tuple[str, ...]:
    """Short strings in a program, such as stand for something; none if it does not parse."""
    try:
        return _words(ast.parse(source))
    except (SyntaxError, ValueError):
        return ()


def _parameters(function: Function) -> list[str]:
    arguments = function.args
    return [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def _attributes(tree: ast.AST, *, own: bool) -> tuple[str, ...]:
    called = {id(call.func) for call in _calls(tree)}
    found = (
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and is_self(node.value) is own and (own or id(node) not in called)
    )
    return _unique(found)[:MAX_OTHERS]


def _constants(tree: ast.Module) -> tuple[str, ...]:
    targets = (target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets)
    return _unique(target.id for target in targets if isinstance(target, ast.Name))[:MAX_OTHERS]


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
    return {count: tuple(islice(names, MAX_OTHERS)) for count, names in found.items()}


def _words(tree: ast.AST) -> tuple[str, ...]:
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
