"""A command line around a small model's code: it writes what is to be done, and the rest is always the same.

`--dry-run` works on a copy of the project and tells what differs afterwards, so it needs no care of the model's.
"""

import ast
import re
import textwrap
from collections.abc import Sequence

from codeact.answers import quote
from codeact.mending import add_imports, folder_lines

IMPORTS = ("argparse", "os", "shutil", "tempfile")
OWN_FOLDER = re.compile(
    r"(?:pathlib\.)?Path\(__file__\)(?:\.resolve\(\)|\.absolute\(\))?(?:\.parent)+"
    r"|os\.path\.dirname\((?:os\.path\.(?:abspath|realpath)\()?__file__\)?\)"
)
FRAME = '''

SKIPPED = (".git", ".venv", "venv", "node_modules", "__pycache__")


def main() -> None:
    """Do the work, or with --dry-run on a copy of this folder, and tell what would change."""
    parser = argparse.ArgumentParser(description={about})
    parser.add_argument("--dry-run", action="store_true", help="only tell what would change")
    if not parser.parse_args().dry_run:
        {work}()
        return
    with tempfile.TemporaryDirectory() as folder:
        skipped = shutil.ignore_patterns(*SKIPPED)
        copy = shutil.copytree(".", os.path.join(folder, "copy"), ignore=skipped, symlinks=True)
        os.chdir(copy)
        before = read_all()
        {work}()
        after = read_all()
        os.chdir(folder)
    changed = [path for path in {{**before, **after}} if before.get(path) != after.get(path)]
    print("\\n".join(f"would change {{path}}" for path in sorted(changed)) or "nothing would change")


def read_all() -> dict:
    """The content of every file below this folder."""
    found = {{}}
    for folder, _, names in os.walk("."):
        for name in names:
            path = os.path.normpath(os.path.join(folder, name))
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    found[path] = file.read()
    return found


if __name__ == "__main__":
    main()
'''
FRAME_START = FRAME.partition("(")[0]


def frame(code: str, about: str) -> str:
    """The script around code that does the work: a function `work`, another one without arguments, or statements.

    Code that has a command line of its own, or is no Python, stays as it is. The folder to work in is the
    current one, wherever the script lies.
    """
    code = OWN_FOLDER.sub(lambda found: "Path.cwd()" if "Path(" in found[0] else "os.getcwd()", code)
    code = add_imports(code)
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return code
    if "argparse." in code or "sys.argv" in code:
        return code
    kept = [node for node in tree.body if not (_is_guard(node) or _is_unused_import(node, tree))]
    functions = [node.name for node in kept if isinstance(node, ast.FunctionDef) and not _needs_arguments(node)]
    loose = [node for node in kept if not isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef))]
    loose = [node for node in loose if not _is_call_of(node, functions) and not _is_constant(node)]
    lines = code.split("\n")
    if loose or not functions:
        body = [node for node in kept if node in loose or _is_call_of(node, functions)]
        work = "work" if "work" not in functions else "work_all"
        top = [_source(lines, node) for node in kept if node not in body]
        inside = textwrap.indent("\n".join(_source(lines, node) for node in body) or "pass", "    ")
        text = "\n\n".join([*top, f"\ndef {work}() -> None:\n{inside}"])
    else:
        work = next((name for name in ("work", "main") if name in functions), functions[-1])
        text = "\n".join(_source(lines, node) for node in kept if not _is_call_of(node, functions))
        if work == "main":
            text, work = _rename(text, "main", "work"), "work"
    imported = {alias.name for node in kept if isinstance(node, ast.Import) for alias in node.names}
    missing = [f"import {name}" for name in IMPORTS if name not in imported]
    has_path = any(isinstance(node, ast.ImportFrom) and node.module == "pathlib" for node in kept)
    missing += ["from pathlib import Path"] if "Path.cwd()" in text and not has_path else []
    folders = textwrap.indent(folder_lines(code), "    ")
    text = re.sub(rf"def {work}\(.*\n", lambda found: found[0] + folders, text, count=1)
    parts = [*missing, text]
    return "\n".join(parts).strip() + FRAME.format(about=quote(about), work=work)


def _source(lines: Sequence[str], node: ast.stmt) -> str:
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
    gap = "\n\n" if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else ""
    return gap + "\n".join(lines[first - 1 : node.end_lineno])


def _is_unused_import(node: ast.stmt, tree: ast.Module) -> bool:
    """Whether it imports what the code never names; small models import what they were told of."""
    if not isinstance(node, (ast.Import, ast.ImportFrom)):
        return False
    used = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name)}
    return not any((alias.asname or alias.name.partition(".")[0]) in used for alias in node.names)


def _is_guard(node: ast.stmt) -> bool:
    """Whether it is the usual `if __name__ == "__main__":`."""
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _is_call_of(node: ast.stmt, functions: Sequence[str]) -> bool:
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name)
    return is_call and ast.unparse(node.value.func) in functions  # type: ignore[attr-defined]  # just seen


def _is_constant(node: ast.stmt) -> bool:
    """Whether it only gives a name to a value, and so does no work."""
    if not isinstance(node, ast.Assign):
        return False
    return isinstance(node.value, ast.Constant) or all(ast.unparse(target).isupper() for target in node.targets)


def _needs_arguments(node: ast.FunctionDef) -> bool:
    return len(node.args.args) > len(node.args.defaults)


def _rename(text: str, old: str, new: str) -> str:
    """A function under another name, wherever it is called."""
    tree = ast.parse(text)
    lines = text.split("\n")
    places = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == old]
    spots = [(node.lineno, node.col_offset) for node in places]
    spots += [(node.lineno, node.col_offset + 4) for node in tree.body if isinstance(node, ast.FunctionDef)
              and node.name == old]  # fmt: skip
    for line, column in sorted(spots, reverse=True):
        content = lines[line - 1]
        lines[line - 1] = content[:column] + new + content[column + len(old) :]
    return "\n".join(lines)
