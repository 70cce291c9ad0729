"""Applying a proposal to the workspace from the terminal, and undoing that."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from codeact.disk import check_writable, look
from codeact.errors import ApplyError
from codeact.evidence import Applied, Patch, Proposal
from codeact.merge import merge
from codeact.settings import Settings
from codeact.trajectory import FileChange, FileState
from codeact.transaction import is_written, load_undo, take_back, write_all, writing
from codeact.unified import is_text


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What applying a proposal would do to the workspace as it is now.

    Attributes:
        run: the run that made the proposal.
        workspace: where to write.
        files: each file of the proposal: as it is now, and as it is to be. They are equal where it was applied already.
        merged: paths in which the developer's later edits were merged with the proposal's.
        conflicts: what stands against it, one sentence for each file; then nothing can be written.
    """

    run: str
    workspace: Path
    files: tuple[FileChange, ...]
    merged: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[FileChange, ...]:
        """The files that would change."""
        return tuple(file for file in self.files if file.before != file.after)

    @property
    def needs_proof(self) -> bool:
        """Whether what would be written is something else than what was proven."""
        return bool(self.merged)


def plan_apply(settings: Settings, proposal: Proposal, state: Callable[[Path, str], FileState | None] = look) -> Plan:
    """Find out what applying a proposal to `settings.workspace` would do, and write nothing.

    A file that is as the snapshot had it becomes what is proposed. One that was edited since is merged line by line.

    Args:
        settings: name the workspace.
        proposal: what to apply.
        state: tells a file's state now, by workspace and path; an editor has texts that are not on disk.

    Raises:
        ApplyError: a file cannot be written, whatever is in it (read-only, a folder, outside the workspace, in .git);
            or another write is going on, or one that was interrupted could not be taken back whole.
    """
    root = settings.workspace
    with writing(settings, root):
        pass  # only what a crash left half done must not be planned on
    files: list[FileChange] = []
    merged: list[str] = []
    conflicts: list[str] = []
    for patch in proposal.patches:
        now = state(root, patch.path)
        if now != patch.after:
            check_writable(root, patch.path, patch.after)
        if now in (patch.before, patch.after):
            files.append(FileChange(patch.path, now, patch.after))
            continue
        merged_state, reason = _merge(patch, now)
        if reason:
            conflicts.append(f"{patch.path}: {reason}")
        else:
            merged.append(patch.path)
            files.append(FileChange(patch.path, now, merged_state))
    return Plan(run=proposal.run, workspace=root, files=tuple(files), merged=tuple(merged), conflicts=tuple(conflicts))


def execute(settings: Settings, plan: Plan) -> Applied:
    """Write all files of a plan, or none. If the plan needs proof, prove it before.

    What was there is kept in the run's folder for `undo`, which takes back the latest write of a run.

    Raises:
        ApplyError: the plan has conflicts, the workspace changed since it was made, another write is going on, or a
            file could not be written; then the workspace is as it was.
    """
    if plan.conflicts:
        raise ApplyError("The proposal cannot be applied to the files as they are now. " + " ".join(plan.conflicts))
    root = plan.workspace
    with writing(settings, root) as lock:
        for file in plan.changes:
            check_writable(root, file.path, file.after)
        _expect(root, {file.path: file.before for file in plan.files}, "since this was planned. Apply again")
        if plan.changes:
            write_all(settings, plan.run, root, plan.changes, lock)
    return Applied(run=plan.run, paths=tuple(file.path for file in plan.changes), merged=plan.merged)


def undo(settings: Settings, run: str) -> Applied:
    """Put back what was there before a run's proposal was applied.

    Raises:
        ApplyError: it is not applied, a file was edited since, another write is going on, or a file cannot be written.
    """
    record = load_undo(settings, run)
    if record is None:
        raise ApplyError(f"The proposal of {run} is not applied, so there is nothing to undo.")
    with writing(settings, record.workspace) as lock:
        if is_written(settings, run):  # else an interrupted undo, which was completed just now
            for saved in record.saved:
                check_writable(record.workspace, saved.path, None)
            states = {saved.path: saved.after for saved in record.saved}
            _expect(record.workspace, states, "since it was applied. Take that back first")
            take_back(settings, record, lock)
    return Applied(run=run, paths=tuple(saved.path for saved in record.saved))


def _merge(patch: Patch, now: FileState | None) -> tuple[FileState | None, str]:
    """The file with both changes, or the reason why there is no such thing."""
    before, after = patch.before, patch.after
    if before is None:
        return None, "the proposal creates it, but it is there by now with other content."
    if now is None:
        return None, "the proposal changes it, but it was deleted."
    if after is None:
        return None, "the proposal deletes it, but it was edited."
    if not (is_text(before) and is_text(now) and is_text(after)):
        return None, "it was changed, and is no text that could be merged."
    mode = now.mode if after.mode == before.mode else after.mode
    result = merge(before.content, now.content, after.content)
    if result.content is None:
        lines = ", ".join(f"{first}-{last}" if first < last else f"{first}" for first, last in result.clashes)
        return None, f"its lines {lines or 'that the proposal changes'} were edited too."
    return FileState(result.content, mode), ""


def _expect(root: Path, states: dict[str, FileState | None], when: str) -> None:
    differing = [path for path, state in states.items() if look(root, path) != state]
    if differing:
        raise ApplyError(f"Changed {when}: {', '.join(differing)}. Nothing was written.")
