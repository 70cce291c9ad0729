"""The editor's door: a language server that speaks standard LSP, and a little more to clients that announce it.

Standard output is the wire and nothing else. Everything that blocks runs in threads or in other processes, so that a
request is answered while a run goes on.
"""

import asyncio
import contextlib
import os
import sys
import uuid
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from codeact import __version__
from codeact.errors import ApplyError, CodeActError, SettingsError
from codeact.events import Event, Progress, RunEnded, RunStarted, StepTaken, TestsRan
from codeact.evidence import Applied, Patch, Proposal
from codeact.journal import find_run, list_runs, open_journal, read_journal
from codeact.protocol import (
    EVENT,
    SOURCE,
    FixArguments,
    RunArguments,
    find_test,
    fix_command,
    is_editable,
    parse_arguments,
    to_diagnostics,
    to_edits,
    to_path,
    to_uri,
)
from codeact.revisit import run_tests_once, verify_run
from codeact.run import run_task
from codeact.sandboxes import sweep
from codeact.settings import Settings, load_settings
from codeact.trajectory import Task, TaskKind, TestReport
from codeact.wire import to_json

REQUEST_FAILED = -32803  # RequestFailed of LSP 3.17: understood, and could not be done


class CodeActServer(LanguageServer):
    """One editor's session: what it told at the start, the runs that go on, and what the tests last said."""

    def __init__(self) -> None:
        # Full sync: with increments pygls counts lines as str.splitlines does, which corrupts texts with form feeds.
        super().__init__("codeact", __version__, text_document_sync_kind=types.TextDocumentSyncKind.Full)
        self.overrides: dict[str, Any] = {}
        self.wants_events = False
        self.runs: dict[str, asyncio.Task[Any]] = {}
        self.reports: dict[Path, TestReport] = {}

    def settings_for(self, uri: str = "") -> Settings:
        """The settings for the workspace folder that a file is in; without a file, for the only folder.

        Raises:
            SettingsError: no folder is open, or it is not clear which is meant.
        """
        paths = [to_path(folder.uri) for folder in self.workspace.folders.values()]
        folders = [path.resolve() for path in paths if path]
        if not folders and (root := self.workspace.root_path):
            folders = [Path(root).resolve()]
        file = to_path(uri) if uri else None
        if file:
            folders = [folder for folder in folders if folder == file.resolve() or folder in file.resolve().parents]
        if not folders:
            raise SettingsError("Open a folder first: CodeAct works on folders, and this file is in none that is open.")
        if len(folders) > 1 and not file:
            raise SettingsError("Several folders are open. Name one of them: the argument uri.")
        return load_settings(max(folders, key=lambda folder: len(folder.parts)), self.overrides)

    def buffers(self, workspace: Path) -> dict[str, str]:
        """The open documents of a workspace whose text is not what is on disk, by path."""
        found = {}
        for uri, document in self.workspace.text_documents.items():
            path = to_path(uri)
            if path and workspace in path.resolve().parents:
                with contextlib.suppress(OSError):
                    if path.read_bytes() == document.source.encode("utf-8"):
                        continue
                found[path.resolve().relative_to(workspace).as_posix()] = document.source
        return found

    async def follow(self, title: str, work: Callable[[Callable[[Event], None]], Any]) -> Any:  # noqa: ANN401 - JSON
        """Do something long: with progress, events, and a way to cancel it.

        Raises:
            JsonRpcException: it failed; the message says why.
        """
        token = await self._begin_progress(title)
        run = ""

        def tell(event: Event) -> None:
            nonlocal run
            if isinstance(event, RunStarted):
                run = event.run
                self.runs[run] = task
            self._show(event, token)

        task = asyncio.ensure_future(work(tell))
        if token:
            self.work_done_progress.tokens[token].add_done_callback(lambda future: future.cancelled() and task.cancel())
        try:
            return to_json(await task)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task], timeout=5)
            return {"event": "result", "run": run, "status": "cancelled", "message": "Cancelled."}
        except CodeActError as error:
            raise JsonRpcException(str(error), REQUEST_FAILED) from None
        finally:
            self.runs.pop(run, None)
            if token:
                self.work_done_progress.end(token, types.WorkDoneProgressEnd(message="done"))
                self.work_done_progress.tokens.pop(token, None)

    def publish(self, workspace: Path, report: TestReport) -> None:
        """Show what fails, and no longer what does not."""
        old = self.reports.get(workspace)
        self.reports[workspace] = report
        paths = {result.node_id.partition("::")[0] for known in (old, report) if known for result in known.failing}
        for path in paths:
            self.text_document_publish_diagnostics(
                types.PublishDiagnosticsParams(to_uri(workspace / path), to_diagnostics(report, path))
            )

    async def _begin_progress(self, title: str) -> str:
        window = self.client_capabilities.window
        if not (window and window.work_done_progress):
            return ""
        token = str(uuid.uuid4())
        await self.work_done_progress.create_async(token)
        self.work_done_progress.begin(token, types.WorkDoneProgressBegin(title=title, cancellable=True))
        return token

    def _show(self, event: Event, token: str) -> None:
        if self.wants_events:
            self.protocol.notify(EVENT, to_json(event))
        message = ""
        match event:
            case Progress(message=text):
                message = text
            case StepTaken(step=step):
                message = f"step {step.number}"
        if token and message:
            self.work_done_progress.report(token, types.WorkDoneProgressReport(message=message))


server = CodeActServer()


@server.feature(types.INITIALIZE)
def on_initialize(ls: CodeActServer, params: types.InitializeParams) -> None:
    """Take over what the client told: settings, and whether it wants events."""
    options = params.initialization_options
    options = dict(options) if isinstance(options, Mapping) else {}
    experimental = params.capabilities.experimental
    announced = isinstance(experimental, Mapping) and experimental.get("codeact") is True
    ls.wants_events = bool(options.pop("events", announced))
    ls.overrides = options


@server.feature(types.INITIALIZED)
async def on_initialized(ls: CodeActServer, _: types.InitializedParams) -> None:
    """Clean up after servers that were killed, and say so if the settings are wrong."""
    try:
        await asyncio.to_thread(sweep, ls.settings_for())
    except CodeActError as error:
        ls.window_show_message(types.ShowMessageParams(types.MessageType.Warning, f"CodeAct: {error}"))


@server.feature(types.SHUTDOWN)
async def on_shutdown(ls: CodeActServer, *_: Any) -> None:  # noqa: ANN401 - pygls passes None
    """End all runs."""
    tasks = list(ls.runs.values())
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=5)


@server.command("codeact.fix")
async def fix(ls: CodeActServer, *arguments: Any) -> Any:  # noqa: ANN401 - JSON in and out
    """Fix failing tests: all, or those that are named."""
    wanted = parse_arguments(FixArguments, arguments)
    settings = _settings(ls, wanted.uri)
    task = Task(kind=TaskKind.FIX, tests=wanted.tests, instruction=wanted.instruction)

    async def work(tell: Callable[[Event], None]) -> RunEnded:
        def tell_and_publish(event: Event) -> None:
            if isinstance(event, TestsRan) and event.phase == "before":
                ls.publish(settings.workspace, event.report)
            tell(event)

        return await run_task(task, settings, buffers=ls.buffers(settings.workspace), on_event=tell_and_publish)

    return await ls.follow("Fixing tests", work)


@server.command("codeact.test")
async def test(ls: CodeActServer, *arguments: Any) -> Any:  # noqa: ANN401
    """Run the tests once, in a sandbox, and show what fails."""
    wanted = parse_arguments(FixArguments, arguments)
    settings = _settings(ls, wanted.uri)

    async def work(tell: Callable[[Event], None]) -> TestReport:
        report = await run_tests_once(settings, wanted.tests, ls.buffers(settings.workspace), tell)
        ls.publish(settings.workspace, report)
        return report

    return await ls.follow("Running tests", work)


@server.command("codeact.verify")
async def verify(ls: CodeActServer, *arguments: Any) -> Any:  # noqa: ANN401
    """Prove a run's proposal again."""
    settings, run, _ = await _proposal(ls, parse_arguments(RunArguments, arguments))
    return await ls.follow("Proving again", lambda tell: verify_run(settings, run, tell))


@server.command("codeact.apply")
async def apply(ls: CodeActServer, *arguments: Any) -> Any:  # noqa: ANN401
    """Accept a verified proposal: one workspace edit, all or nothing."""
    settings, run, proposal = await _proposal(ls, parse_arguments(RunArguments, arguments))
    try:
        edit = _workspace_edit(ls, settings.workspace, proposal)
    except ApplyError as error:
        raise JsonRpcException(str(error), REQUEST_FAILED) from None
    answer = await ls.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit, label="CodeAct"))
    if answer.applied:
        applied = Applied(run=run, paths=tuple(patch.path for patch in proposal.patches))
        await asyncio.to_thread(_append, settings, run, "applied", applied)
    return {"applied": answer.applied, "reason": answer.failure_reason or ""}


@server.command("codeact.discard")
async def discard(ls: CodeActServer, *arguments: Any) -> Any:  # noqa: ANN401
    """Mark a proposal as dropped."""
    settings, run, _ = await _proposal(ls, parse_arguments(RunArguments, arguments))
    await asyncio.to_thread(_append, settings, run, "discarded", None)
    return {"discarded": run}


@server.command("codeact.cancel")
def cancel(ls: CodeActServer, *arguments: Any) -> Any:  # noqa: ANN401
    """End a run that goes on."""
    task = ls.runs.get(parse_arguments(RunArguments, arguments).run)
    return {"cancelled": bool(task and task.cancel())}


@server.command("codeact.runs")
async def runs(ls: CodeActServer, *arguments: Any) -> Any:  # noqa: ANN401
    """List all runs, newest first."""
    settings = _settings(ls, parse_arguments(FixArguments, arguments).uri)
    return to_json(await asyncio.to_thread(list_runs, settings))


@server.feature(types.TEXT_DOCUMENT_CODE_LENS)
def code_lens(ls: CodeActServer, params: types.CodeLensParams) -> list[types.CodeLens]:
    """A way to fix it above each test that failed."""
    uri = params.text_document.uri
    text = ls.workspace.get_text_document(uri).source
    return [
        types.CodeLens(find_test(text, result), fix_command(uri, [result.node_id]))
        for workspace, report in ls.reports.items()
        for result in report.failing
        if to_uri(workspace / result.node_id.partition("::")[0]) == uri
    ]


@server.feature(
    types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])
)
def code_action(_: CodeActServer, params: types.CodeActionParams) -> list[types.CodeAction]:
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


def main(options: Namespace, _: Settings, __: object) -> int:
    """`codeact lsp`: serve one editor, on standard input and output or on a socket; stray prints go to standard error.

    Raises:
        SettingsError: `--tcp` is no HOST:PORT.
    """
    if options.tcp:
        host, _colon, port = options.tcp.rpartition(":")
        if not port.isdigit():
            raise SettingsError(f"--tcp wants HOST:PORT, not {options.tcp!r}.")
        server.start_tcp(host or "127.0.0.1", int(port))
        return 0
    wire = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    server.start_io(sys.stdin.buffer, wire)
    return 0


def _settings(ls: CodeActServer, uri: str) -> Settings:
    try:
        return ls.settings_for(uri)
    except CodeActError as error:
        raise JsonRpcException(str(error), REQUEST_FAILED) from None


async def _proposal(ls: CodeActServer, arguments: RunArguments) -> tuple[Settings, str, Proposal]:
    """A run's proposal, and the settings for the workspace it is about."""
    settings = load_settings(Path.cwd(), ls.overrides)
    try:
        run = find_run(settings, arguments.run)
        record = await asyncio.to_thread(read_journal, settings, run)
    except CodeActError as error:
        raise JsonRpcException(str(error), REQUEST_FAILED) from None
    proposal, started = record.proposal(), record.started()
    if proposal is None or started is None:
        raise JsonRpcException(f"Run {run} made no proposal.", REQUEST_FAILED)
    return replace(settings, workspace=Path(started.workspace)), run, proposal


def _append(settings: Settings, run: str, kind: str, value: object) -> None:
    with open_journal(settings, run) as journal:
        journal.append(kind, value)


def _workspace_edit(ls: CodeActServer, workspace: Path, proposal: Proposal) -> types.WorkspaceEdit:
    """All patches as one edit of versioned documents.

    Raises:
        ApplyError: it is not proven, a file has moved on, or the client cannot do what a patch needs.
    """
    capabilities = ls.client_capabilities.workspace
    if not (capabilities and capabilities.apply_edit):
        raise ApplyError(f"This editor cannot apply edits. In a terminal: codeact apply {proposal.run}")
    if not (proposal.evidence and proposal.evidence.verified):
        raise ApplyError(
            f"Nothing proves this proposal. To accept it all the same: codeact apply {proposal.run} --unproven"
        )
    edit = capabilities.workspace_edit
    operations = (edit.resource_operations if edit else None) or []
    changes: list[types.TextDocumentEdit | types.CreateFile | types.RenameFile | types.DeleteFile] = []
    for patch in proposal.patches:
        changes += _document_changes(ls, workspace, patch, [str(operation) for operation in operations])
    return types.WorkspaceEdit(document_changes=changes)


def _document_changes(
    ls: CodeActServer, workspace: Path, patch: Patch, operations: list[str]
) -> list[types.TextDocumentEdit | types.CreateFile | types.RenameFile | types.DeleteFile]:
    path = workspace / patch.path
    uri = to_uri(path)
    document = ls.workspace.text_documents.get(uri)
    now = document.source.encode("utf-8") if document else path.read_bytes() if path.is_file() else None
    if now != (patch.before.content if patch.before else None):
        raise ApplyError(f"{patch.path} has changed since the run began, so nothing was applied. Run the fix again.")
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
    return [
        types.TextDocumentEdit(
            identifier, list(to_edits(patch, ls.workspace.position_encoding or types.PositionEncodingKind.Utf16))
        )
    ]
