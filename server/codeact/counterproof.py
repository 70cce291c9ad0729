"""Whether a test process tells the truth: tests that must fail are run in the same way, and have to be told as failing.

The code under test runs in the process that reports on it, and could make that report. So the tests that a proof is
about are changed to end in a false assertion, under their own names and in their own files, and run once more on the
same code. A process that says then that they pass would have said so of anything.
"""

import ast
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from codeact.snapshot import Snapshot, read_file
from codeact.targets import matching
from codeact.trajectory import FileChange, FileState, Outcome, TestReport

MOST = 50  # tests to change when a proof is about no test in particular
ROUNDS = 3  # for a change that may reach the process, whose lies may depend on luck
REACHING = frozenset({"exec", "eval", "compile", "getattr", "setattr", "delattr", "globals", "locals", "vars", "open"})
LOADED = (".py", ".pyc", ".pth", ".so", ".toml", ".cfg", ".ini")
QUICK = 10.0  # seconds that a suite may take to be run whole again, which no code can tell from the proof itself


def make_failing(snapshot: Snapshot, node_ids: Sequence[str]) -> tuple[tuple[FileChange, ...], tuple[str, ...]]:
    """Changes of test files after which tests must fail; and which of them, since not each can be made to."""
    wanted: dict[str, list[str]] = {}
    for node_id in node_ids:
        wanted.setdefault(node_id.partition("::")[0], []).append(node_id)
    changes, bound = [], []
    for path, ids in wanted.items():
        state = read_file(snapshot, path)
        tree = _parse(path, state)
        broken = {node_id for node_id in ids if tree and _break(tree, _function(node_id))}
        if state and tree and broken:
            text = ast.unparse(ast.fix_missing_locations(tree))
            changes.append(FileChange(path, state, FileState(text.encode("utf-8", "surrogatepass"), state.mode)))
            bound += [node_id for node_id in ids if node_id in broken]
    return tuple(changes), tuple(bound)


def count_rounds(changes: Sequence[FileChange]) -> int:
    """How often tests are to be made to fail: once where a change adds nothing that could reach the reporting process.

    What is needed for a lie is an import, a name such as `exec`, an attribute with two underscores, or a file that
    Python or pytest loads by itself. A liar that tosses a coin has to win it each time.
    """
    for change in changes:
        before, after = _parse(change.path, change.before), _parse(change.path, change.after)
        if after and _reach(after) - (_reach(before) if before else Counter()):
            return ROUNDS
        if change.after and not after and change.path.endswith(LOADED):
            return ROUNDS
    return 1


def _reach(tree: ast.Module) -> Counter[str]:
    """What code has that could reach the process: each with how often."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.append(ast.unparse(node))
        elif isinstance(node, ast.Name) and (node.id in REACHING or node.id.startswith("__")):
            found.append(node.id)
        elif isinstance(node, ast.Attribute) and node.attr.startswith("__"):
            found.append(node.attr)
    return Counter(found)


def find_lies(report: TestReport, bound: Sequence[str]) -> tuple[str, ...]:
    """The tests that must fail and are told as passing."""
    told: Mapping[str, Outcome] = {result.node_id: result.outcome for result in report.results}
    inside = {
        node_id: [told[result.node_id] for result in matching(report, [node_id])]
        for node_id in bound
        if "::" not in node_id
    }
    return tuple(
        node_id for node_id in bound if told.get(node_id) is Outcome.PASSED or Outcome.PASSED in inside.get(node_id, ())
    )


def _function(node_id: str) -> str:
    """The name of a test's function; empty if the node id is that of a file."""
    return node_id.partition("[")[0].partition("::")[2].rpartition("::")[2]


def _parse(path: str, state: FileState | None) -> ast.Module | None:
    if state is None or not path.endswith(".py") or state.mode == "120000":
        return None
    try:
        return ast.parse(state.content)
    except (SyntaxError, ValueError, RecursionError):
        return None


def _break(tree: ast.Module, name: str) -> bool:
    """Let every function of a name, or every test if it is empty, end in a false assertion; whether there is one."""
    found = False
    for function in _functions(tree):
        if function.name == name or (not name and function.name.startswith("test")):
            found = True
            if not _is_broken(function):
                function.body = _broken(function.body)
    return found


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def _broken(body: list[ast.stmt]) -> list[ast.stmt]:
    """The same, whatever it returns or raises, and then an assertion that is false in a way of its own each time."""
    wrong = f"assert {secrets.token_hex(4)!r} == {secrets.token_hex(4)!r}"
    return [ast.Try(body=body, handlers=[], orelse=[], finalbody=ast.parse(wrong).body)]


def _is_broken(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    last = function.body[-1]
    return len(function.body) == 1 and isinstance(last, ast.Try) and not last.handlers and len(last.finalbody) == 1
