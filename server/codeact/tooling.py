"""Which of the functions for questions about a repository a question asks for, and how code begins that uses them."""

import re
from collections.abc import Sequence

from codeact_sandbox.toolbox import SCRIPTS, TOOLS

MODULE = "tools"  # as a small model knows it
WORDS = {
    "imports": "import imports imported importing require requires required depend depends dependency dependencies",
    "functions": "function functions method methods longest decorator docstrings skipped skip",
    "uses": "call calls called calling caller callers use uses used usage usages deprecated",
    "links": "link links dead broken page pages picture pictures image images",
    "duplicates": "duplicate duplicates same identical copies equal",
    "comments": "todo todos fixme fixmes comment comments hack",
    "log_rows": "log logs client clients request requests requested address addresses visitors status bytes traffic",
    "rename": "rename renames renaming replace everywhere",
}
NEEDS = {  # endings of files without which a function has nothing to say
    "imports": (".py", *SCRIPTS),
    "functions": (".py",),
    "uses": (".py",),
    "comments": (".py",),
    "links": (".md", ".markdown", ".html", ".htm", ".rst"),
    "log_rows": (".log",),
}
MARKED = re.compile(r"\b(decorat|skip|mark|xfail|fixture|deprecat)", re.IGNORECASE)
INSIDE = re.compile(r"\b(rais|throw|contain|mention|assert|await|catch)(e?s|es|ing|e)?\b", re.IGNORECASE)
UNUSED = re.compile(r"\b(unused|not used|nowhere|never|orphan)", re.IGNORECASE)
UNDOCUMENTED = re.compile(r"\bdoc(string|ument)", re.IGNORECASE)
RENAMED = re.compile(r"\brenam\w* (.*?) (?:to|into) [`'\"]?(-{0,2}\w[\w.-]*\w)", re.IGNORECASE)
NAME = re.compile(r"(?<![\w-])-{0,2}\w[\w.-]*\w")
MARKS = re.compile(r"^--?|[_.\d]|[a-z][A-Z]")  # of what is a name rather than a word
SUBJECT = re.compile(r"`([A-Za-z_]\w*)(?:\(\))?`|(?<![\w./-])([A-Za-z_]\w*)(?![\w/]|\.\w)")
RAISED = re.compile(r"\b(?:rais|throw)\w*", re.IGNORECASE)
ABSENT = re.compile(r"\b(?:without|missing|lack\w*|have no|has no|not)(?: the| an?| any)? `?@([\w.]+\w)", re.IGNORECASE)
HAS_DECORATOR = 'any("{}" in text for text in row["decorators"])'
LONGEST = re.compile(r"\b(long|short|large|big|small)(er|est)?\b|\bhow many lines", re.IGNORECASE)
DEAD = re.compile(r"\b(dead|broken|missing|dangling|not exist|404)", re.IGNORECASE)
OTHER_EXAMPLES = (  # for questions with such words
    (
        "functions",
        LONGEST,
        """\
rows = sorted(functions("FOLDER/**/*.py"), key=lambda row: row["lines"], reverse=True)
for row in rows[:HOW_MANY]:
    print(f"{row['path']}:{row['line']} {row['name']}: {row['lines']} lines")""",
    ),
    (
        "links",
        DEAD,
        """\
for row in links("FOLDER/**/*"):
    if row["file"] and not row["exists"]:
        print(f"{row['path']}:{row['line']} links to {row['target']}, which does not exist")""",
    ),
    (
        "functions",
        MARKED,
        """\
for row in functions("FOLDER/**/*.py"):
    if any("DECORATOR" in text for text in row["decorators"]):
        print(f"{row['path']}:{row['line']} {row['name']}")""",
    ),
    (
        "functions",
        INSIDE,
        """\
for row in functions("FOLDER/**/*.py"):
    if "TEXT" in row["source"]:
        print(f"{row['path']}:{row['line']} {row['name']}")""",
    ),
    (
        "links",
        UNUSED,
        """\
used = {row["file"] for row in links("FOLDER/**/*")}
for path in files("FOLDER/**/*"):
    if path not in used:
        print(f"{path} is not used")""",
    ),
    (
        "functions",
        UNDOCUMENTED,
        """\
for row in functions("FOLDER/**/*.py"):
    if not row["doc"]:
        print(f"{row['path']}:{row['line']} {row['name']}")""",
    ),
)
EXAMPLES = {
    "imports": """\
for row in imports("FOLDER/**/*"):
    if "NAME" in row["module"]:
        print(f"{row['path']}:{row['line']} imports {row['module']}")""",
    "functions": """\
for row in functions("FOLDER/**/*.py"):
    print(f"{row['path']}:{row['line']} {row['name']}: {row['lines']} lines")""",
    "uses": """\
for row in uses("NAME"):
    if row["kind"] == "call":
        print(f"{row['path']}:{row['line']} {row['text']}")""",
    "links": """\
for row in links("FOLDER/**/*"):
    print(f"{row['path']}:{row['line']} links to {row['target']}")""",
    "duplicates": """\
for group in duplicates("FOLDER/**/*"):
    print("The same: " + ", ".join(group))""",
    "comments": """\
for row in comments("TODO", "FOLDER/**/*.py"):
    print(f"{row['path']}:{row['line']} {row['text']}")""",
    "log_rows": """\
totals = {}
for row in log_rows("FILE.log"):
    totals[row["KEY"]] = totals.get(row["KEY"], 0) + row["bytes"]
for name, total in sorted(totals.items(), key=lambda pair: pair[1], reverse=True)[:HOW_MANY]:
    print(f"{name}: {total}")""",
    "rename": """print(rename("OLD", "NEW"))""",
}


def describe_tools(question: str = "", paths: Sequence[str] = (), folder: str = "") -> str:
    """One line for each function: all; or those that a question asks for, with an example.

    Args:
        question: the developer's words.
        paths: the files that there are.
        folder: the one that the question is about, if it names one.
    """
    if not question:
        return "\n".join(f"- {_about(name)}" for name in TOOLS)
    chosen = _choose(question, paths)
    return "\n".join(f"# {_about(name)}\n{_example(name, question, folder)}" for name in chosen)


def begin_with_tools(question: str, paths: Sequence[str], folder: str = "") -> str:
    """How code begins that uses these functions: as the example does, up to what is to be filled in.

    Of an example that is not for questions of just this kind, it is the first line at most.
    """
    chosen = _choose(question, paths)
    if not chosen:
        return ""
    example = _example(chosen[0], question, folder) if len(chosen) == 1 else ""
    if _find_other(chosen[0], question) is None:
        example = "".join(example.splitlines(keepends=True)[:1])
    known, _, _ = re.sub(r"\b[A-Z_]{3,}\b.*", "\0", example, count=1, flags=re.DOTALL).partition("\0")
    return f"from {MODULE} import {', '.join(chosen)}\n\n{known}"


def _choose(question: str, paths: Sequence[str]) -> list[str]:
    """The functions that have to do with a question's words and with files that there are."""
    said = set(re.findall(r"(?<![\w./-])[a-z]+(?![\w/])", question.lower()))
    chosen = [name for name in TOOLS if said & set(WORDS[name].split()) and _has_matter(name, paths)]
    chosen = ["rename"] if "rename" in chosen else chosen  # its words are plain, and name things of every kind
    chosen = [name for name in chosen if name != "functions" or "uses" not in chosen]
    return [name for name in chosen if name != "duplicates" or len(chosen) == 1 or said & {"duplicate", "duplicates"}]


def _example(name: str, question: str, folder: str) -> str:
    example = _find_other(name, question) or EXAMPLES[name]
    old, new = _find_names(question)
    if old and new:
        example = example.replace("OLD", old).replace("NEW", new)
    if decorated := _find_decorated(question):
        example = example.replace(HAS_DECORATOR.format("DECORATOR"), decorated)
    if subject := _find_subject(question):
        raised = "raise " * bool(RAISED.search(question))
        example = example.replace('"TEXT"', f'"{raised}{subject}"').replace('uses("NAME")', f'uses("{subject}")')
    return example.replace("FOLDER/", f"{folder}/" if folder else "")


def _find_names(question: str) -> tuple[str, str]:
    """What is to be renamed to what, as far as a question tells; empty texts if it does not."""
    found = RENAMED.search(question)
    if not found:
        return "", ""
    if found[1].strip() in ("it", "this", "that"):  # named in a sentence before
        named = [name for name in NAME.findall(question[: found.start()]) if MARKS.search(name)]
        return (named or [""])[0], found[2]
    names = NAME.findall(found[1])
    if not names:
        return "", ""
    alike = [name for name in names if name.startswith("-") == found[2].startswith("-")]
    marked = [name for name in alike if MARKS.search(name)]
    return ([*alike[-1:], *marked[-1:]] or [""])[-1], found[2]


def _find_subject(question: str) -> str:
    """The only name of code in a question; empty if it has none, or several."""
    names = {quoted or plain for quoted, plain in SUBJECT.findall(question)}
    marked = {name for name in names if f"`{name}`" in question or re.search(r"_|[a-z][A-Z]", name)}
    return marked.pop() if len(marked) == 1 else ""


def _find_decorated(question: str) -> str:
    """The condition for a function with the decorators that a question names, and without those that it misses."""
    absent = ABSENT.findall(question)
    named = [name for name in re.findall(r"@([\w.]+\w)", question) if name not in absent]
    parts = [HAS_DECORATOR.format(name) for name in named]
    return " and ".join([*parts, *(f"not {HAS_DECORATOR.format(name)}" for name in absent)])


def _find_other(name: str, question: str) -> str | None:
    """The example of a function for questions such as this."""
    return next((code for one, words, code in OTHER_EXAMPLES if one == name and words.search(question)), None)


def _has_matter(name: str, paths: Sequence[str]) -> bool:
    return name not in NEEDS or any(path.endswith(NEEDS[name]) for path in paths)


def _about(name: str) -> str:
    return " ".join((TOOLS[name].__doc__ or "").split())
