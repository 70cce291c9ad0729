"""What verified fixes have taught about a workspace: which kinds of edits mend it, and which places are at fault.

The kind of an edit is its description without names, numbers and texts: "`_ < _` becomes `_ <= _`". A lesson only makes
edits of its kind, or at its place, come somewhat earlier: what they come to is proven as ever. Each run in which such
edits were tried and it was something else that helped, or nothing, takes weight from it, until it is forgotten.
"""

import builtins
import keyword
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from codeact.memory import name_entry, recall, remember
from codeact.settings import Settings

FILE = "lessons"
MAX_KEPT = 100
LEAST_WEIGHT = 0.2  # a lesson that helped once is forgotten with the fourth miss
MOST_GAIN = 0.6  # what a lesson may take off the cost of an edit, which begins at 1
LONGEST = 80
QUOTED = re.compile(r"`([^`]*)`")
WORD = re.compile(r"""'[^']*'|"[^"]*"|\d[\w.]*|[^\W\d]\w*""")
KNOWN = frozenset((*keyword.kwlist, *(name for kind in (builtins, str, list, dict, set) for name in dir(kind))))


class About(StrEnum):
    """What a lesson is about."""

    EDIT = "edit"
    PLACE = "place"


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A kind of edit that mended something, or a definition that was at fault.

    Attributes:
        about: which of both.
        what: the kind of edit, or the path and the name of the definition.
        rung: the rung of the ladder that mended it last.
        helped: in how many verified fixes it was so.
        missed: in how many runs it was tried to no avail.
    """

    about: About
    what: str
    rung: str
    helped: int = 1
    missed: int = 0

    @property
    def id(self) -> str:
        """The name by which it can be forgotten."""
        return name_entry(self.about, self.what)

    @property
    def weight(self) -> float:
        """How much it counts, 0 to 1."""
        return self.helped / (self.helped + self.missed + 1)


Index = Mapping[tuple[About, str], Lesson]


def kind_of(edit: str) -> str:
    """The kind of an edit, from its description in a few words; the same for other names, numbers and texts."""
    return QUOTED.sub(lambda found: f"`{WORD.sub(_stand_in, found[1])}`", edit)[:LONGEST]


def place_of(path: str, name: str) -> str:
    """A definition, as lessons name it."""
    return f"{path} {name}"


def index(lessons: Iterable[Lesson]) -> Index:
    """Lessons by their subjects."""
    return {(lesson.about, lesson.what): lesson for lesson in lessons}


def concerning(lessons: Index, edit: str, path: str, name: str) -> list[Lesson]:
    """The lessons that have to do with an edit, described in a few words, of a definition."""
    if not lessons:
        return []
    subjects = (About.EDIT, kind_of(edit)), (About.PLACE, place_of(path, name))
    return [lessons[subject] for subject in subjects if subject in lessons]


def learn(known: Sequence[Lesson], taught: Sequence[Lesson], tried: Collection[str]) -> tuple[Lesson, ...]:
    """What is known after a run, what helped last first.

    Args:
        known: what was known before.
        taught: what its fix has taught.
        tried: ids of the lessons by which it has tried edits.
    """
    before = {lesson.id: lesson for lesson in known}
    fresh = {lesson.id: lesson for lesson in taught}
    for name, lesson in fresh.items():
        if old := before.pop(name, None):
            fresh[name] = replace(old, rung=lesson.rung, helped=old.helped + 1)
    left = [replace(old, missed=old.missed + (name in tried)) for name, old in before.items()]
    return (*fresh.values(), *(lesson for lesson in left if lesson.weight >= LEAST_WEIGHT))[:MAX_KEPT]


def load_lessons(settings: Settings) -> tuple[Lesson, ...]:
    """What is remembered of a workspace, what helped last first."""
    return tuple(lesson for entry in recall(settings, FILE)[:MAX_KEPT] if (lesson := _read(entry)))


def save_lessons(settings: Settings, lessons: Sequence[Lesson]) -> None:
    """Remember these, and no others."""
    remember(settings, FILE, [asdict(lesson) for lesson in lessons])


def _stand_in(word: re.Match[str]) -> str:
    """What stands for a word of an edit in its kind."""
    text = word[0]
    if text[0] in "'\"":
        return "''"
    if text[0].isdigit():
        return "N"
    return text if text in KNOWN else "_"


def _read(entry: Mapping[str, Any]) -> Lesson | None:
    try:
        return Lesson(
            about=About(entry["about"]),
            what=str(entry["what"]),
            rung=str(entry["rung"]),
            helped=max(int(entry["helped"]), 1),
            missed=max(int(entry["missed"]), 0),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
