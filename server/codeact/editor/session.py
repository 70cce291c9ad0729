"""One editor's session: what it told at the start, its folders and texts, and the runs that go on."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from codeact import __version__
from codeact.diagnosis import Diagnosis
from codeact.disk import look
from codeact.editor.cancelling import CancellingProtocol
from codeact.editor.convert import BOM, to_diagnostics, to_path, to_uri
from codeact.errors import CodeActError, SettingsError
from codeact.events import Event, Progress, RunStarted, StepTaken
from codeact.evidence import Evidence
from codeact.pool import Pool
from codeact.settings import Settings, load_settings
from codeact.trajectory import FileState, TestReport
from codeact.wire import to_json

EVENT = "codeact/event"
REQUEST_FAILED = -32803  # RequestFailed of LSP 3.17: understood, and could not be done
Tell = Callable[[Event], None]


class Session(LanguageServer):
    """The language server of one editor.

    Attributes:
        overrides: the settings that the client sent.
        wants_events: whether it takes `codeact/event`.
        offers_models: whether it answers `codeact/chat`.
        runs: what goes on, by run id.
        reports: what the tests last said, by workspace.
        checked: what was proven of a part of a proposal, by run and chosen hunks.
        pool: the sandboxes that are ready for the next run.
        looks: who waits for changes of a workspace's files to stop.
    """

    protocol: CancellingProtocol

    def __init__(self) -> None:
        # Full sync: with increments pygls counts lines as str.splitlines does, which corrupts texts with form feeds.
        super().__init__(
            "codeact",
            __version__,
            text_document_sync_kind=types.TextDocumentSyncKind.Full,
            protocol_cls=CancellingProtocol,
        )
        self.overrides: dict[str, Any] = {}
        self.wants_events = False
        self.offers_models = False
        self.runs: dict[str, asyncio.Task[Any]] = {}
        self.reports: dict[Path, TestReport] = {}
        self.checked: dict[tuple[str, tuple[str, ...]], Evidence] = {}
        self.pool = Pool()
        self.looks: dict[Path, asyncio.Future[None]] = {}

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
        for document in self.workspace.text_documents.values():
            path = to_path(document.uri)
            if path and workspace in path.resolve().parents:
                text = _with_mark(document, path)
                if not path.is_file() or path.read_bytes() != text.encode("utf-8"):
                    found[path.resolve().relative_to(workspace).as_posix()] = text
        return found

    def document_at(self, path: Path) -> TextDocument | None:
        """The open document of a file, however its client writes the URI."""
        wanted = path.resolve()
        documents: Mapping[str, TextDocument] = self.workspace.text_documents
        found = (document for document in documents.values() if (p := to_path(document.uri)) and p.resolve() == wanted)
        return next(found, None)

    def state_of(self, workspace: Path, path: str) -> FileState | None:
        """A file as the developer sees it: its text in the editor if it is open, else what is on disk."""
        on_disk = look(workspace, path)
        document = self.document_at(workspace / path)
        if document is None:
            return on_disk
        text = _with_mark(document, workspace / path)
        return FileState(text.encode("utf-8"), on_disk.mode if on_disk else "100644")

    async def follow(self, title: str, work: Callable[[Tell], Awaitable[Any]], *, measured: bool = False) -> Any:  # noqa: ANN401
        """Do something long: with progress, events if it is a run, and three ways to cancel it. Returns JSON.

        Args:
            title: what the editor shows.
            work: what to do; it is given somebody to tell what happens.
            measured: it will tell how much of it is done.

        Raises:
            JsonRpcException: it failed; the message says why.
        """
        token = await self._begin_progress(title, measured=measured)
        run = ""

        def tell(event: Event) -> None:
            nonlocal run
            if isinstance(event, RunStarted):
                run = event.run
                self.runs[run] = task
            self._show(event, token, run)

        task = asyncio.ensure_future(work(tell))
        self.protocol.bind(task)
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

    async def ask(self, question: str) -> bool:
        """Ask the developer, in the editor; what is closed without an answer means no."""
        yes = types.MessageActionItem(title="Yes")
        answer = await self.window_show_message_request_async(
            types.ShowMessageRequestParams(types.MessageType.Info, question, [yes, types.MessageActionItem(title="No")])
        )
        return answer is not None and answer.title == yes.title

    def publish(self, workspace: Path, report: TestReport) -> None:
        """Show what fails, and no longer what does not."""
        old = self.reports.get(workspace)
        self.reports[workspace] = report
        paths = {result.node_id.partition("::")[0] for known in (old, report) if known for result in known.failing}
        for path in paths:
            self.text_document_publish_diagnostics(
                types.PublishDiagnosticsParams(to_uri(workspace / path), to_diagnostics(report, path))
            )
        capabilities = self.client_capabilities.workspace
        if capabilities and capabilities.code_lens and capabilities.code_lens.refresh_support:
            self.workspace_code_lens_refresh(None)

    def explain(self, workspace: Path, diagnoses: Sequence[Diagnosis]) -> None:
        """Show with the failing tests what kind of failure each is, where it is no ordinary one."""
        details = {found.node_id: f" [{found.kind}] {found.detail}" for found in diagnoses if found.detail}
        if details and (known := self.reports.get(workspace)):
            explained = (
                replace(result, message=result.message + details.get(result.node_id, "")) for result in known.results
            )
            self.publish(workspace, replace(known, results=tuple(explained)))

    def settle(self, workspace: Path, tests: Collection[str]) -> None:
        """Show no longer what an accepted change has mended."""
        known = self.reports.get(workspace)
        if known:
            left = tuple(result for result in known.results if result.node_id not in tests)
            self.publish(workspace, replace(known, results=left))

    async def _begin_progress(self, title: str, *, measured: bool) -> str:
        window = self.client_capabilities.window
        if not (window and window.work_done_progress):
            return ""
        token = str(uuid.uuid4())
        await self.work_done_progress.create_async(token)
        percentage = 0 if measured else None
        begin = types.WorkDoneProgressBegin(title=title, cancellable=True, percentage=percentage)
        self.work_done_progress.begin(token, begin)
        return token

    def _show(self, event: Event, token: str, run: str) -> None:
        if self.wants_events and run:
            self.protocol.notify(EVENT, {**to_json(event), "run": run})
        if not token:
            return
        match event:
            case Progress(message=message, percentage=percentage):
                report = types.WorkDoneProgressReport(message=message, percentage=percentage)
                self.work_done_progress.report(token, report)
            case StepTaken(step=step):
                self.work_done_progress.report(token, types.WorkDoneProgressReport(message=f"step {step.number}"))


def _with_mark(document: TextDocument, path: Path) -> str:
    """A document's text with the byte order mark that its file has, which editors keep to themselves."""
    text = document.source
    if text.startswith(BOM) or not path.is_file():
        return text
    with path.open("rb") as file:
        return BOM + text if file.read(3) == BOM.encode() else text


server = Session()
