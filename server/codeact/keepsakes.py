"""The commands of the terminal about what runs leave for good: artifacts, scripts that were kept, what was learnt."""

import re
import shutil
from argparse import Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from codeact.commands import OK, WITHOUT, require_workspace, run_to_end
from codeact.errors import SettingsError
from codeact.journal import find_run, list_runs, read_journal, run_folder
from codeact.lessons import load_lessons, save_lessons
from codeact.remedies import load_remedies, save_remedies
from codeact.run import run_task
from codeact.scripts import find_scripts
from codeact.settings import Settings
from codeact.snapshot import prune, release
from codeact.tables import Learned
from codeact.terminal import Terminal
from codeact.trajectory import Task, TaskKind
from codeact.wire import dump, to_line


def artifacts(options: Namespace, settings: Settings, terminal: Terminal) -> int:
    """List what a run handed over, or save it to a folder; what is there already is not overwritten."""
    run = find_run(settings, options.run)
    ended = read_journal(settings, run).ended()
    found = ended.artifacts if ended else ()
    if not found:
        terminal.say(f"Run {run} handed over no files.")
        return WITHOUT
    for artifact in found:
        place = Path(options.to or ".") / _safe(artifact.name)
        facts = {"name": artifact.name, "media_type": artifact.media_type, "size": len(artifact.data)}
        if not options.to:
            terminal.line(dump(facts) if terminal.as_json else "{name}\t{media_type}\t{size} bytes".format(**facts))
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with place.open("xb") as file:
                file.write(artifact.data)
        except FileExistsError:
            raise SettingsError(f"{place} exists already. Name another folder: --to DIR") from None
        terminal.line(dump({**facts, "path": str(place)}) if terminal.as_json else str(place))
    return OK


def scripts(options: Namespace, settings: Settings, terminal: Terminal) -> int:
    """List the kept scripts, or run one in a sandbox and propose what it would change."""
    require_workspace(settings)
    kept = find_scripts(settings.workspace, settings.scripts)
    if options.script:
        wanted = [script for script in kept if options.script in (script.path, Path(script.path).name)]
        if not wanted:
            names = ", ".join(script.path for script in kept) or "none"
            raise SettingsError(f"There is no kept script {options.script}. There are: {names}.")
        again = Task(kind=TaskKind.SCRIPT, instruction=wanted[0].task, script=(wanted[0].path, *options.arguments))
        ended = run_to_end(run_task(again, settings, on_event=terminal.show))
        return OK if ended.status in ("verified", "answered") else WITHOUT
    for script in kept:
        terminal.line(to_line(script) if terminal.as_json else f"{script.path}\t{script.task}")
    if not kept:
        terminal.say(f'No scripts in {settings.scripts}/ yet. To write one: codeact script "..."')
    return OK


def learned(options: Namespace, settings: Settings, terminal: Terminal) -> int:
    """List what earlier tasks in this workspace have taught, or forget it, all or one of it."""
    remedies, lessons = load_remedies(settings), load_lessons(settings)
    found = [Learned(one.id, "error", one.signature, "", one.helped, 0, one.code) for one in remedies]
    found += [Learned(one.id, one.about, one.what, one.rung, one.helped, one.missed) for one in lessons]
    if options.forget:
        forgotten = {entry.id for entry in found if options.forget in (entry.id, "all")}
        if not forgotten and options.forget != "all":
            raise SettingsError(f"Nothing is remembered as {options.forget}. See what is: codeact learned")
        save_remedies(settings, [remedy for remedy in remedies if remedy.id not in forgotten])
        save_lessons(settings, [lesson for lesson in lessons if lesson.id not in forgotten])
        terminal.say(f"Forgotten: {len(forgotten)} of {len(found)}.")
        return OK
    if terminal.as_json:
        for entry in found:
            terminal.record(entry)
    elif found:
        terminal.show_learned(found)
    else:
        terminal.say("Nothing is remembered for this workspace.")
    return OK


def clean(options: Namespace, settings: Settings, terminal: Terminal) -> int:
    """Remove runs that ended long ago, with their snapshots; what was accepted stays as it is in the workspace."""
    limit = datetime.now(UTC) - timedelta(days=options.days)
    removed = 0
    for run in list_runs(settings):
        if run.status != "running" and run.time and datetime.fromisoformat(run.time) < limit:
            release(settings, run.run)
            shutil.rmtree(run_folder(settings, run.run), ignore_errors=True)
            removed += 1
    prune(settings)
    terminal.say(f"Removed {removed} run{'s' * (removed != 1)} older than {options.days:g} days.")
    return OK


def _safe(name: str) -> str:
    """A name that leads nowhere else: artifacts are named by what ran in the sandbox."""
    parts = [re.sub(r"[^\w.-]", "_", part) for part in name.split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or "artifact"
