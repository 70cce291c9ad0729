"""The files that an instruction means by folder and kind, as an expression: small models get such walks wrong."""

import re
import textwrap
from collections.abc import Sequence
from pathlib import PurePosixPath

KINDS = {
    "python": (".py",),
    "markdown": (".md", ".markdown"),
    "csv": (".csv",),
    "tsv": (".tsv",),
    "json": (".json",),
    "jsonl": (".jsonl",),
    "yaml": (".yaml", ".yml"),
    "toml": (".toml",),
    "ini": (".ini",),
    "html": (".html", ".htm"),
    "logs": (".log",),
    "javascript": (".js",),
    "typescript": (".ts",),
    "css": (".css",),
    "images": (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp"),
    "pictures": (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp"),
}
FILE = re.compile(r"(?<![\w*])\w[\w.-]*(?:/[\w.-]+)*\.[a-z0-9]{1,8}\b")
OTHER = r"(?:the )?(?:(?:files|those|what is|anything|everything) (?:in|under|of|below) )?(?:the )?(?:folder )?[`'\"]?"
SPARING = "except|excluding|exclude|skip|skipping|ignore|ignoring|without|(?:but )?not|outside|but"
SPARED = (
    re.compile(rf"\b(?:{SPARING})(?: for| of| in| under| touch)? {OTHER}([\w-]+(?:/[\w.-]+)*/?)", re.IGNORECASE),
    re.compile(rf"\bleave {OTHER}([\w-]+(?:/[\w.-]+)*/?)[`'\"]? (?:alone|out|as )", re.IGNORECASE),
)
SUFFIX = re.compile(r"(?<![\w/-])\*?(\.[a-z0-9]{1,8})\b")
FOLDER = re.compile(r"(?<![\w./-])((?:[\w-]+/)+|[\w-]+(?=/))")
ASKED = re.compile(r"^\W*(?:please\s+)?(?:write\s+)?(?:an?\s+)?(?:\w+\s+)?script\s+(?:that|which|to)\s+", re.IGNORECASE)
PLACES = (
    re.compile(r"\b(?:package|folder|directory|module)s? `?([\w-]+)"),
    re.compile(r"([\w-]+)`? (?:package|folder|directory)\b"),
)
WORD = re.compile(r"[a-z]+")


def describe_fileset(paths: Sequence[str], instruction: str) -> str:
    """A Python expression for the files of a workspace that an instruction speaks of; empty if it names no kind.

    Args:
        paths: all files of the workspace.
        instruction: the developer's words, such as "all .txt and .md files under notes/".
    """
    words = FILE.sub(" ", instruction).lower()
    kinds: list[str] = SUFFIX.findall(words)
    kinds += [kind for word in WORD.findall(words) for kind in KINDS.get(word, ())]
    left_out = spared_folders(paths, instruction)
    folder = named_folder(paths, instruction)
    inside = [path for path in paths if path.startswith(f"{folder}/" if folder else "")]
    inside = [path for path in inside if not any(path.startswith(f"{spared}/") for spared in left_out)]
    present = {PurePosixPath(path).suffix.lower() for path in inside}
    found = sorted({kind for kind in kinds if kind in present})
    if not found or len(inside) < 2:  # noqa: PLR2004 - one file is named as it is
        return ""
    place = f'Path("{folder or "."}")'
    if len(found) == 1 and not left_out:
        return f'sorted({place}.rglob("*{found[0]}"))'
    listed = "".join(f'"{kind}", ' for kind in found).removesuffix(" " if len(found) == 1 else ", ")
    spared = "".join(f' and not path.is_relative_to("{one}")' for one in left_out)
    return f'[path for path in sorted({place}.rglob("*")) if path.suffix in ({listed}){spared}]'


def spared_folders(paths: Sequence[str], instruction: str) -> tuple[str, ...]:
    """The folders of the workspace that an instruction wants left alone."""
    folders = _folders(paths)
    found = {name.rstrip("/.") for pattern in SPARED for name in pattern.findall(instruction)}
    return tuple(sorted(found & folders))


def named_folder(paths: Sequence[str], instruction: str) -> str:
    """The only folder of the workspace that an instruction names as such; empty if there is none, or several."""
    folders = _folders(paths) - set(spared_folders(paths, instruction))
    for path in sorted(paths, key=len, reverse=True):
        instruction = instruction.replace(path, " ")  # a file's folder is not what is meant
    said = [word for pattern in (FOLDER, *PLACES) for word in pattern.findall(instruction)]
    named = {found.rstrip("/") for found in said} & folders
    outer = {one for one in named if not any(one.startswith(f"{other}/") for other in named)}
    return outer.pop() if len(outer) == 1 else ""


def _folders(paths: Sequence[str]) -> set[str]:
    return {str(parent) for path in paths for parent in PurePosixPath(path).parents} - {"."}


def bare(instruction: str) -> str:
    """What a script is to do, without the words that ask for one."""
    return ASKED.sub("", instruction.strip())


def spell_out(instruction: str) -> str:
    """What is to be done as comments in a function, sentence by sentence: a small model looks at what is near."""
    sentences = re.split(r"(?<=[.;])\s+", bare(instruction))
    wrapped = (textwrap.wrap(one, 110, initial_indent="    # ", subsequent_indent="    # ") for one in sentences)
    return "".join(f"{line}\n" for lines in wrapped for line in lines)
