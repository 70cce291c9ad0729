"""Accepting a proposal in an editor: one workspace edit, all or nothing, over texts that may not be saved."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from lsprotocol import types

from codeact.apply import Plan, plan_apply
from codeact.apply import undo as undo_written
from codeact.editor.convert import is_editable, to_edits, to_uri
from codeact.editor.history import load_proposal
from codeact.editor.session import Session, Tell
from codeact.errors import ApplyError
from codeact.evidence import Applied, Evidence, Patch, Proposal
from codeact.journal import open_journal
from codeact.proposal import changes_of, make_proposal, select
from codeact.revisit import prove_again, prove_plan
from codeact.settings import Settings
from codeact.trajectory import FileChange

DocumentChange = types.TextDocumentEdit | types.CreateFile | types.RenameFile | types.DeleteFile


async def check(ls: Session, settings: Settings, proposal: Proposal, hunks: Sequence[str], tell: Tell) -> Evidence:
    """Prove a part of a proposal on the snapshot it was made from."""
    part = select(proposal, hunks)
    evidence = await prove_again(settings, proposal, proposal.snapshot, changes_of(part), tell, part=True)
    ls.checked[proposal.run, tuple(sorted(hunks))] = evidence
    return evidence


async def accept(
    ls: Session, settings: Settings, proposal: Proposal, hunks: Sequence[str] | None, tell: Tell
) -> dict[str, object]:
    """Apply a proposal, or some of its hunks; what was not proven as it would be written is proven first.

    Raises:
        ApplyError: it is not proven, the files have moved on in a way that cannot be merged, or the client cannot do
            what it needs. Then nothing was changed.
    """
    chosen = proposal if hunks is None else select(proposal, hunks)
    plan = _plan(ls, settings, chosen)
    evidence = proposal.evidence if hunks is None else ls.checked.get((proposal.run, tuple(sorted(hunks))))
    if plan.needs_proof or evidence is None:
        evidence = await prove_plan(
            settings, proposal, plan, ls.buffers(settings.workspace), tell, part=hunks is not None
        )
        if (again := _plan(ls, settings, chosen)) != plan:
            moved = [file.path for file in again.files if file not in plan.files]
            raise ApplyError(f"{', '.join(moved)} changed while this was proven again, so nothing was applied.")
    if not evidence.verified:
        why = " ".join(evidence.reasons)
        raise ApplyError(
            f"Nothing proves what would be applied, so nothing was. {why} "
            f"To accept it all the same, in a terminal: codeact apply {proposal.run} --unproven"
        )
    answer = await _send(ls, settings.workspace, plan.changes, "CodeAct: apply the proposal")
    if answer.applied:
        applied = Applied(
            run=proposal.run,
            paths=tuple(change.path for change in plan.changes),
            merged=plan.merged,
            files=plan.changes,
        )
        await asyncio.to_thread(append, settings, proposal.run, "applied", applied)
        ls.settle(settings.workspace, evidence.targets)
    return {
        "applied": answer.applied,
        "files": [change.path for change in plan.changes],
        "merged": list(plan.merged),
        "message": "" if answer.applied else answer.failure_reason or "The editor did not apply the change.",
    }


async def take_back(ls: Session, settings: Settings, run: str) -> dict[str, object]:
    """Put back what was there before a proposal was applied.

    Raises:
        ApplyError: it is not applied, or a file was edited since.
    """
    record, _ = await asyncio.to_thread(load_proposal, settings, run)
    applied = record.applied()
    if applied is None:
        raise ApplyError(f"The proposal of {run} is not applied, so there is nothing to take back.")
    if not applied.files:  # a terminal wrote it, and keeps what was there
        undone = await asyncio.to_thread(undo_written, settings, run)
        await asyncio.to_thread(append, settings, run, "undone", undone)
        return {"applied": True, "files": list(undone.paths), "merged": [], "message": ""}
    moved = [file.path for file in applied.files if ls.state_of(settings.workspace, file.path) != file.after]
    if moved:
        raise ApplyError(f"Edited since it was applied: {', '.join(moved)}. Nothing was put back.")
    reverse = [FileChange(file.path, file.after, file.before) for file in applied.files]
    answer = await _send(ls, settings.workspace, reverse, "CodeAct: take the proposal back")
    if answer.applied:
        undone = Applied(run=run, paths=applied.paths)
        await asyncio.to_thread(append, settings, run, "undone", undone)
    return {
        "applied": answer.applied,
        "files": list(applied.paths),
        "merged": [],
        "message": "" if answer.applied else answer.failure_reason or "The editor did not put the files back.",
    }


def append(settings: Settings, run: str, kind: str, value: object) -> None:
    """Add to a run's journal what became of its proposal."""
    with open_journal(settings, run) as journal:
        journal.append(kind, value)


def _plan(ls: Session, settings: Settings, chosen: Proposal) -> Plan:
    plan = plan_apply(settings, chosen, ls.state_of)
    if plan.conflicts:
        raise ApplyError("The files have moved on since the run began. " + " ".join(plan.conflicts))
    return plan


async def _send(
    ls: Session, workspace: Path, changes: Sequence[FileChange], label: str
) -> types.ApplyWorkspaceEditResult:
    """Have the client make all changes as one edit of versioned documents, and set the modes that no edit can."""
    capabilities = ls.client_capabilities.workspace
    if not (capabilities and capabilities.apply_edit):
        raise ApplyError("This editor cannot apply edits. In a terminal: codeact apply last")
    announced = capabilities.workspace_edit.resource_operations if capabilities.workspace_edit else None
    operations = [str(operation.value) for operation in announced or ()]
    document_changes: list[DocumentChange] = []
    for patch in make_proposal("", "", changes).patches:
        document_changes += _document_changes(ls, workspace, patch, operations)
    edit = types.WorkspaceEdit(document_changes=document_changes)
    answer = await ls.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit, label=label))
    if answer.applied:
        await asyncio.to_thread(_set_modes, workspace, changes)
    return answer


def _document_changes(ls: Session, workspace: Path, patch: Patch, operations: Sequence[str]) -> list[DocumentChange]:
    path = workspace / patch.path
    document = ls.document_at(path)
    uri = document.uri if document else to_uri(path)
    wanted = "create" if patch.before is None else "delete" if patch.after is None else ""
    if not is_editable(patch) or (wanted and wanted not in operations):
        raise ApplyError(f"This editor cannot {wanted or 'edit'} {patch.path}. In a terminal: codeact apply last")
    if patch.after is None:
        return [types.DeleteFile(uri)]
    identifier = types.OptionalVersionedTextDocumentIdentifier(uri, document.version if document else None)
    if patch.before is None:
        begin = types.Position(0, 0)
        text = types.TextEdit(types.Range(begin, begin), patch.after.content.decode("utf-8"))
        return [types.CreateFile(uri), types.TextDocumentEdit(identifier, [text])]
    encoding = ls.workspace.position_encoding or types.PositionEncodingKind.Utf16
    edits = to_edits(patch, encoding)
    return [types.TextDocumentEdit(identifier, list(edits))] if edits else []


def _set_modes(workspace: Path, changes: Sequence[FileChange]) -> None:
    for change in changes:
        file = workspace / change.path
        if change.after and file.is_file() and change.after.mode != (change.before.mode if change.before else "100644"):
            bits = file.stat().st_mode
            file.chmod(bits | 0o111 if change.after.mode == "100755" else bits & ~0o111)
