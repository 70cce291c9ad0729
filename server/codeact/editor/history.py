"""What an editor asks about earlier runs: the list, the events of one, its proposal for review, its artifacts."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from codeact.editor.convert import is_editable, to_uri
from codeact.errors import SettingsError
from codeact.events import StepTaken
from codeact.evidence import Patch, Proposal
from codeact.journal import find_run, read_journal
from codeact.lines import split_lines
from codeact.proposal import separate
from codeact.proposing import summary
from codeact.record import Record
from codeact.settings import Settings
from codeact.trajectory import Artifact, FileState, Step
from codeact.wire import to_json

SHOWN = frozenset(
    {"snapshot", "tests", "triaged", "grouped", "tried", "recalled", "localised", "packages", "chosen", "ended"}
)


def show(settings: Settings, run: str) -> dict[str, Any]:
    """The events of a run, as they were told while it went on, without the model's text piece by piece."""
    record = read_journal(settings, find_run(settings, run))
    return {"run": record.run, "events": [{**to_json(event), "run": record.run} for event in _events(record)]}


def review(settings: Settings, run: str) -> dict[str, Any]:
    """A run's proposal, file by file and hunk by hunk, with its evidence and what became of it.

    Raises:
        SettingsError: it made none.
    """
    record, proposal = load_proposal(settings, run)
    started, ended = record.started(), record.ended()
    workspace = Path(started.workspace) if started else settings.workspace
    shown = proposal if proposal.patches else separate(proposal) or proposal
    evidence = record.evidence() or proposal.evidence
    proven = replace(shown, evidence=evidence if evidence and evidence.verified else None)
    return {
        "run": record.run,
        "summary": ended.message if ended else summary(proven, len(evidence.targets) if evidence else 0),
        "status": ended.status if ended else "cancelled",
        "workspace": str(workspace),
        "evidence": to_json(evidence),
        "state": record.fate() or "open",
        "files": [_describe(workspace, patch) for patch in shown.patches],
        "groups": to_json(shown.groups),
    }


def artifact(settings: Settings, run: str, sha256: str) -> dict[str, str]:
    """One file that a run handed over.

    Raises:
        SettingsError: the run has none with this hash.
    """
    record = read_journal(settings, find_run(settings, run))
    for found in _artifacts(record):
        if hashlib.sha256(found.data).hexdigest() == sha256:
            data = base64.b64encode(found.data).decode("ascii")
            return {"name": found.name, "media_type": found.media_type, "base64": data}
    raise SettingsError(f"Run {record.run} has no artifact {sha256}.")


def load_proposal(settings: Settings, run: str) -> tuple[Record, Proposal]:
    """A run's journal and the proposal in it.

    Raises:
        RunNotFound: there is no such run.
        SettingsError: it made no proposal.
    """
    record = read_journal(settings, find_run(settings, run))
    proposal = record.proposal()
    if proposal is None:
        raise SettingsError(f"Run {record.run} made no proposal.")
    return record, proposal


def _events(record: Record) -> Iterator[object]:
    for entry in record.entries:
        if entry.kind == "started":
            yield record.started()
        elif entry.kind == "step" and isinstance(step := record.value(entry), Step):
            yield StepTaken(step=step)
        elif entry.kind in SHOWN:
            yield record.value(entry)


def _artifacts(record: Record) -> Iterator[Artifact]:
    ended = record.ended()
    yield from ended.artifacts if ended else ()
    for step in record.steps():
        yield from step.observation.artifacts


def _describe(workspace: Path, patch: Patch) -> dict[str, Any]:
    text = is_editable(patch)
    return {
        "path": patch.path,
        "uri": to_uri(workspace / patch.path),
        "status": "added" if patch.before is None else "deleted" if patch.after is None else "modified",
        "before": _text(patch.before) if text else None,
        "after": _text(patch.after) if text else None,
        "binary": not text,
        "added": sum(len(split_lines(hunk.new)) for hunk in patch.hunks),
        "removed": sum(len(split_lines(hunk.old)) for hunk in patch.hunks),
        "hunks": [
            {
                "id": hunk.id,
                "old_start": hunk.old_start,
                "old": hunk.old.decode("utf-8"),
                "new_start": hunk.new_start,
                "new": hunk.new.decode("utf-8"),
            }
            for hunk in (patch.hunks if text else ())
        ],
    }


def _text(state: FileState | None) -> str | None:
    return None if state is None else state.content.decode("utf-8")
