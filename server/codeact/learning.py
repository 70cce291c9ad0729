"""What a fix task learns: from a verified fix which edits and places it took, and which lessons were of no use."""

from collections.abc import Collection, Iterator, Sequence

from codeact.definitions import list_definitions
from codeact.events import RunEnded
from codeact.evidence import Proposal
from codeact.fixing import Repair
from codeact.lessons import About, Lesson, kind_of, learn, load_lessons, place_of, save_lessons
from codeact.proposal import changes_of
from codeact.settings import Rung, Settings
from codeact.trajectory import FileChange, FileState
from codeact_sandbox.textfile import decode_source


def remember_fix(settings: Settings, repair: Repair, ended: RunEnded, tried: Collection[str]) -> None:
    """Remember what a run has taught.

    Args:
        settings: name the workspace, and where to remember it.
        repair: the work that was done.
        ended: how the run ended: only a verified fix teaches something new.
        tried: ids of the lessons by which it has tried edits.
    """
    verified = ended.proposal if ended.status == "verified" else None
    taught = list(_teach(repair, verified)) if verified else []
    if taught or tried:
        save_lessons(settings, learn(load_lessons(settings), taught, tried))


def _teach(repair: Repair, proposal: Proposal) -> Iterator[Lesson]:
    """The lessons of each step to a fix, as far as the proposal still has what it changed."""
    kept = _find_places(changes_of(proposal))
    seen: set[str] = set()
    for step in repair.causes:
        places = _find_places(repair.changes(step.files)) - seen
        seen |= places
        if step.edit and step.rung == Rung.EDITS and places & kept:
            yield Lesson(about=About.EDIT, what=kind_of(step.edit), rung=step.rung)
        for place in sorted(places & kept):
            yield Lesson(about=About.PLACE, what=place, rung=step.rung)


def _find_places(changes: Sequence[FileChange]) -> set[str]:
    """The definitions that were there before, and are not as they were."""
    places = set()
    for change in changes:
        before, after = (
            {found.name: found.source for found in list_definitions(change.path, _text(state))}
            for state in (change.before, change.after)
        )
        places |= {place_of(change.path, name) for name, source in before.items() if after.get(name) != source}
    return places


def _text(state: FileState | None) -> str:
    return decode_source(state.content) if state else ""
