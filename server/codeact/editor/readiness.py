"""Being ready for the next run: a sandbox that has started, and an index that knows what has changed.

Only for folders in which CodeAct was used before: to open a folder must cost nothing. What the editor tells of changed
files is a hint to look again now, while nobody waits; a run looks for itself, always.
"""

import asyncio
from contextlib import suppress

from lsprotocol import types

from codeact.editor.convert import to_path
from codeact.editor.session import Session, server
from codeact.errors import CodeActError
from codeact.pool import order_for
from codeact.settings import Settings
from codeact.snapshot import has_snapshots, take_snapshot
from codeact.verify import find_bench

QUIET_SECONDS = 2.0  # after the last change that the editor told of
WATCHED = "**/*.{py,pyi,toml,cfg,ini,txt,json,yaml,yml}"


async def get_ready(ls: Session) -> None:
    """Start a sandbox for each folder in which CodeAct was used before, and have the editor tell what changes."""
    for folder in ls.workspace.folders.values():
        with suppress(CodeActError):
            settings = ls.settings_for(folder.uri)
            if settings.sandbox.ready and await asyncio.to_thread(has_snapshots, settings):
                await _prepare(ls, settings)
    workspace = ls.client_capabilities.workspace
    watching = workspace and workspace.did_change_watched_files
    if watching and watching.dynamic_registration:
        await _watch(ls)


@server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
def on_files_changed(ls: Session, params: types.DidChangeWatchedFilesParams) -> None:
    """Look again soon, once the changes have stopped."""
    for uri in {change.uri for change in params.changes}:
        with suppress(CodeActError):
            settings = ls.settings_for(uri)
            if to_path(uri) and ls.pool.holds(settings.workspace):
                _look_soon(ls, settings)


def _look_soon(ls: Session, settings: Settings) -> None:
    if waiting := ls.looks.pop(settings.workspace, None):
        waiting.cancel()

    async def look() -> None:
        await asyncio.sleep(QUIET_SECONDS)
        with suppress(CodeActError):
            if not ls.runs:  # a run has looked just now, and wants the processor
                snapshot = await asyncio.to_thread(take_snapshot, settings, ls.buffers(settings.workspace))
                await ls.pool.refresh(snapshot)

    ls.looks[settings.workspace] = asyncio.ensure_future(look())


async def _prepare(ls: Session, settings: Settings) -> None:
    bench = await find_bench(settings, "ahead")
    snapshot = await asyncio.to_thread(take_snapshot, settings, ls.buffers(settings.workspace))
    ls.pool.prepare(order_for(settings, bench.interpreter), snapshot, warm=True)


async def _watch(ls: Session) -> None:
    watchers = [types.FileSystemWatcher(glob_pattern=WATCHED)]
    options = types.DidChangeWatchedFilesRegistrationOptions(watchers=watchers)
    registration = types.Registration("codeact-files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
    await ls.client_register_capability_async(types.RegistrationParams([registration]))
