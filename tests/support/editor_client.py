"""An editor for tests: a language client that holds texts, applies edits to them, and keeps what the server tells."""

from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient
from pygls.uris import to_fs_path
from pygls.workspace import TextDocument


def plain(value: Any) -> Any:
    """What pygls gives for an unknown shape, as JSON has it."""
    if hasattr(value, "_asdict"):
        return {name: plain(item) for name, item in value._asdict().items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


class Editor(LanguageClient):
    """A client that keeps what the server tells, and applies edits to the texts it holds and to files."""

    def __init__(self) -> None:
        super().__init__("test-editor", "1")
        self.texts: dict[str, tuple[int, str]] = {}
        self.answers: list[str] = []
        self.asked: list[Any] = []
        self.events: list[dict[str, Any]] = []
        self.diagnostics: dict[str, list[types.Diagnostic]] = {}
        self.edits: list[types.WorkspaceEdit] = []
        self.progress: list[Any] = []
        self.tokens: list[Any] = []

        @self.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def on_diagnostics(params: types.PublishDiagnosticsParams) -> None:
            self.diagnostics[params.uri] = list(params.diagnostics)

        @self.feature(types.WORKSPACE_APPLY_EDIT)
        def on_edit(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
            self.edits.append(params.edit)
            for change in params.edit.document_changes or ():
                self.apply(change)
            return types.ApplyWorkspaceEditResult(applied=True)

        @self.feature(types.WINDOW_WORK_DONE_PROGRESS_CREATE)
        def on_create(params: types.WorkDoneProgressCreateParams) -> None:
            self.tokens.append(params.token)

        @self.feature(types.PROGRESS)
        def on_progress(params: types.ProgressParams) -> None:
            self.progress.append(params.value)

        @self.feature("codeact/event")
        def on_event(params: Any) -> None:
            self.events.append(plain(params))

        @self.feature("codeact/chat")
        async def on_chat(params: Any) -> dict[str, Any]:
            self.asked.append(plain(params))
            if not self.answers:
                raise JsonRpcException("You did not allow CodeAct to use this model.", -32803)
            text = self.answers.pop(0)
            self.protocol.notify("codeact/chatText", {"id": params.id, "text": text})
            return {"text": text, "cut": False}

    def apply(self, change: Any) -> None:
        """Make one change of a workspace edit; texts that are not open are opened by it, as editors do."""
        match change:
            case types.CreateFile(uri=uri):
                Path(to_fs_path(uri) or "").touch()
            case types.DeleteFile(uri=uri):
                Path(to_fs_path(uri) or "").unlink()
                self.texts.pop(uri, None)
            case types.TextDocumentEdit(text_document=document, edits=edits):
                uri = document.uri
                if uri not in self.texts:
                    open_document(self, Path(to_fs_path(uri) or ""), Path(to_fs_path(uri) or "").read_text("utf-8"))
                version, text = self.texts[uri]
                assert document.version in (None, version), "the edit is for another version of the text"
                for edit in sorted(edits, key=lambda edit: (edit.range.start.line, edit.range.start.character))[::-1]:
                    whole = TextDocument(uri, text)
                    start, stop = (whole.offset_at_position(where) for where in (edit.range.start, edit.range.end))
                    text = text[:start] + edit.new_text + text[stop:]
                change_document(self, uri, text)


def change_document(editor: Editor, uri: str, text: str) -> None:
    """Type: the document has another text now."""
    version = editor.texts[uri][0] + 1
    editor.texts[uri] = (version, text)
    editor.text_document_did_change(
        types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(version, uri), [types.TextDocumentContentChangeWholeDocument(text)]
        )
    )


def open_document(editor: Editor, path: Path, text: str, version: int = 1) -> str:
    item = types.TextDocumentItem(uri=path.as_uri(), language_id="python", version=version, text=text)
    editor.texts[item.uri] = (version, text)
    editor.text_document_did_open(types.DidOpenTextDocumentParams(item))
    return item.uri


async def run_command(editor: Editor, command: str, **arguments: Any) -> Any:
    answer = await editor.workspace_execute_command_async(types.ExecuteCommandParams(command, [arguments]))
    return plain(answer)
