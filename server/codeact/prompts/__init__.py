"""The prompts, as Markdown files that are reviewed as prose. `$name` marks what is filled in."""

from functools import cache
from importlib.resources import files
from string import Template


@cache
def load_prompt(name: str) -> Template:
    """The prompt `NAME.md` of this package."""
    return Template(files(__name__).joinpath(f"{name}.md").read_text("utf-8"))


def fill(name: str, **values: str) -> str:
    """A prompt with its values, and no more than one empty line anywhere."""
    lines = load_prompt(name).substitute(values).strip().split("\n")
    return "\n".join(line for number, line in enumerate(lines) if line.strip() or lines[number - 1].strip())
