"""The standard features of the language server: its beginning and end, lenses, quick fixes, and proposed texts."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from codeact.editor import history
from codeact.editor.convert import SOURCE, find_test, fix_command, to_path
from codeact.editor.readiness import get_ready
from codeact.editor.session import REQUEST_FAILED, Session, server
from codeact.errors import CodeActError
from codeact.sandboxes import sweep
from codeact.settings import load_settings
from codeact.snapshot import prune_weekly

SCHEME = "codeact-proposal"


@server.feature(types.INITIALIZE)
def on_initialize(ls: Session, params: types.InitializeParams) -> None:
    """Take over what the client told: settings, and whether it wants events."""
    options = params.initialization_options
    options = dict(options) if isinstance(options, Mapping) else {}
    experimental = params.capabilities.experimental
    announced = isinstance(experimental, Mapping) and experimental.get("codeact") is True
    ls.offers_models = announced
    ls.wants_events = bool(options.pop("events", announced))
    ls.overrides = options


@server.feature(types.INITIALIZED)
async def on_initialized(ls: Session, _: types.InitializedParams) -> None:
    """Clean up after servers that were killed and runs long ago, and say so if the settings are wrong."""
    try:
        settings = ls.settings_for()
        await asyncio.to_thread(sweep, settings)
        await asyncio.to_thread(prune_weekly, settings)
    except CodeActError as error:
        ls.window_show_message(types.ShowMessageParams(types.MessageType.Warning, f"CodeAct: {error}"))
    await get_ready(ls)


@server.feature(types.SHUTDOWN)
async def on_shutdown(ls: Session, *_: Any) -> None:  # noqa: ANN401 - pygls passes None
    """End all runs, and what waits for the next one."""
    tasks = [*ls.runs.values(), *ls.looks.values()]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=5)
    await ls.pool.close()


@server.feature(types.TEXT_DOCUMENT_CODE_LENS)
def code_lens(ls: Session, params: types.CodeLensParams) -> list[types.CodeLens]:
    """A way to fix it above each test that failed."""
    document = ls.workspace.get_text_document(params.text_document.uri)
    path = to_path(document.uri)
    return [
        types.CodeLens(find_test(document.source, result), fix_command(document.uri, [result.node_id]))
        for workspace, report in ls.reports.items()
        for result in report.failing
        if path and workspace / result.node_id.partition("::")[0] == path.resolve()
    ]


@server.feature(
    types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])
)
def code_action(_: Session, params: types.CodeActionParams) -> list[types.CodeAction]:
    """A quick fix on the diagnostic of a failing test."""
    uri = params.text_document.uri
    return [
        types.CodeAction(
            title="Fix with CodeAct",
            kind=types.CodeActionKind.QuickFix,
            diagnostics=[diagnostic],
            command=fix_command(uri, [str(diagnostic.code)]),
        )
        for diagnostic in params.context.diagnostics
        if diagnostic.source == SOURCE
    ]


@server.feature(types.WORKSPACE_TEXT_DOCUMENT_CONTENT, types.TextDocumentContentRegistrationOptions(schemes=[SCHEME]))
async def text_document_content(
    ls: Session, params: types.TextDocumentContentParams
) -> types.TextDocumentContentResult:
    """The text of a proposed file: `codeact-proposal:/RUN/PATH`."""
    run, _, path = unquote(urlsplit(params.uri).path).lstrip("/").partition("/")
    try:
        settings = load_settings(Path.cwd(), ls.overrides)
        _, proposal = await asyncio.to_thread(history.load_proposal, settings, run)
    except CodeActError as error:
        raise JsonRpcException(str(error), REQUEST_FAILED) from None
    for patch in proposal.patches:
        if patch.path == path and patch.after:
            return types.TextDocumentContentResult(patch.after.content.decode("utf-8", "replace"))
    raise JsonRpcException(f"Run {run} proposes no file {path}.", REQUEST_FAILED)
