"""Scripts that change files one by one: a small model writes only what becomes of one file's lines, a pure function.

It gets such a function right far more often than the same work between walking folders, reading and writing.
"""

import ast
import keyword
import re
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from codeact.filesets import bare, describe_fileset, spared_folders, spell_out
from codeact.findings import unmade_files
from codeact.kits import choose_kit, import_line
from codeact.surroundings import is_named

FUNCTION = "change"
VERBS = """
add capitalise capitalize change convert correct delete drop ensure expand fix give insert make normalise normalize
prepend put remove rename replace reformat set shorten sort strip trim unify update
"""  # of what is done once: a second run must change nothing
GATHERING = re.compile(r"\b(?:in)?to (?:one|a single|another)\b|\b(?:collects?|lists?|counts?|merges?|reports?)\b")
REST = re.compile(r"^(?!def |class |@|import |from |[)\]}])[^\s#]", re.MULTILINE)
UNLESS = re.compile(
    r"\b(?:skip|except|excluding|ignore|unless|leave)\b"
    r"(?:[^.;\n]*?[\s(](?P<quote>['\"`])(?P<mark>[^'\"`]{2,})(?P=quote))?",
    re.IGNORECASE,
)
TEXTS = (".txt", ".md", ".rst", ".tmpl")
WORK = '''

def work():
    """Change the files, each for itself."""
    for path in {files}:
        try:
            old = path.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        end = "\\r\\n" if "\\r\\n" in old else "\\n"
        last = end if old.endswith(end) else ""
        before = old.removesuffix(last).split(end) if old else []
        after = [line.rstrip("\\r\\n") for line in {function}(list(before), path)]
        new = end.join(after) + (last or end) if after else ""
        if after != before:
            path.write_bytes(new.encode("utf-8"))
            print(f"changed {{path}}")
'''

TRIAL = f"""\
import pathlib, runpy
change = runpy.run_path({{script}})[{FUNCTION!r}]
print("\\n".join(change([{{line}}], pathlib.Path({{path}}))))
"""


def files_to_change(instruction: str, paths: Sequence[str]) -> str:
    """A Python expression for the files that an instruction wants changed one by one; empty if it wants other things.

    Args:
        instruction: the developer's words, such as "Write a script that adds HEADER.txt to all .py files of src/".
        paths: all files of the workspace.
    """
    words = bare(instruction)
    verb = re.match(r"[a-z]+", words.lower())
    if not verb or not _is_among(verb[0], VERBS.split()) or GATHERING.search(words) or unmade_files(words, paths, ()):
        return ""
    return describe_fileset(paths, words)


def opening(instruction: str, paths: Sequence[str]) -> str:
    """How a model's function begins, for a model that goes on from there: with the texts that the task names."""
    named = [path for path in paths if path.endswith(TEXTS) and is_named(path, instruction)]
    names = {path: _as_name(PurePosixPath(path).stem) for path in named}
    read = [f"    {name} = read_lines({path!r})\n" for path, name in names.items()]
    kit = import_line(choose_kit(instruction, paths, linewise=True))
    begun = f"```python\nimport re\n{kit}\n\n\ndef {FUNCTION}(lines, path):\n"
    added = f"    lines = add_header(lines, {names[named[0]]})\n" if len(named) == 1 and "add_header" in kit else ""
    if (unless := UNLESS.search(instruction)) and not spared_folders(paths, instruction):
        mark = f" any({unless['mark']!r} in line for line in lines" if unless["mark"] else ""
        added = f"    # First, what stays as it is.\n    if{mark}"  # without a space: it is part of a model's next word
    return begun + spell_out(instruction) + "".join(read) + added


def complete(code: str, files: str) -> str:
    """The code with a function `work` that has each file changed; as it is, if it does not define how."""
    code = _without_rest(code)
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return code
    defined = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    wanted = defined.get(FUNCTION)
    if wanted is None or len(wanted.args.args) - len(wanted.args.defaults) > 2:  # noqa: PLR2004 - lines and path
        return code
    call = FUNCTION if len(wanted.args.args) > 1 else f"(lambda lines, _: {FUNCTION}(lines))"
    lines = code.split("\n")
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    kept: list[ast.stmt] = [node for node in tree.body if isinstance(node, kinds)]
    kept = [node for node in kept if getattr(node, "name", "") not in ("work", "main")]
    used = {node.id for one in kept for node in ast.walk(one) if isinstance(node, ast.Name)}
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    kept += [node for node in assigned if {ast.unparse(one) for one in node.targets} & used]
    kept.sort(key=lambda node: node.lineno)
    body = "\n\n\n".join("\n".join(lines[_first(node) - 1 : node.end_lineno]) for node in kept)
    imported = "" if re.search(r"from pathlib import .*\bPath\b", code) else "from pathlib import Path\n"
    return imported + body + "\n" + WORK.format(files=files, function=call)


def _as_name(stem: str) -> str:
    """A variable's name like that of a file."""
    name = re.sub(r"\W", "_", stem.lower())
    return name if name.isidentifier() and not keyword.iskeyword(name) and name != "lines" else f"{FUNCTION}_{name}"


def _without_rest(code: str) -> str:
    """The code up to the first statement after the function that is no definition: the model's try to use it."""
    begin = re.search(rf"^def {FUNCTION}\b.*\n", code, re.MULTILINE)
    rest = begin and REST.search(code, begin.end())
    return code[: rest.start()] if rest else code


def _first(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(one.lineno for one in decorators)])


def _is_among(verb: str, verbs: Collection[str]) -> bool:
    return bool({verb, verb.removesuffix("s"), verb.removesuffix("es")} & set(verbs))
