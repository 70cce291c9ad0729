"""How soon the language server answers: once started, at rest, and while a run goes on over a long file.

usage: python benchmarks/editor.py
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from lsprotocol import types
from rich.console import Console
from rich.table import Table

TOP = Path(__file__).parents[1]
sys.path.insert(0, str(TOP / "tests" / "support"))
from editor_client import Editor, change_document, open_document, run_command  # noqa: E402
from openai_server import ScriptedOpenAI, say  # noqa: E402
from workspaces import ANSWER, make_workspace  # noqa: E402

LINES, REQUESTS = 5000, 150
FAILING = "\n\ndef test_far_down():\n    from calc import add\n\n    assert add(1, 2) == 3\n"


async def main() -> None:
    """Print the table."""
    slow = say(ANSWER, delay=0.4)
    with tempfile.TemporaryDirectory(prefix="codeact-editor-") as folder, ScriptedOpenAI([slow]) as model:
        workspace = prepare(Path(folder))
        editor = Editor()
        began = time.perf_counter()
        await start(editor, workspace, model.base_url)
        ready = time.perf_counter() - began
        text = "".join(f"value_{number} = {number}\n" for number in range(LINES)) + FAILING
        uri = open_document(editor, workspace / "test_long.py", text)
        await run_command(editor, "codeact.test")
        rest = await ask_again_and_again(editor, uri, text)
        running = asyncio.ensure_future(run_command(editor, "codeact.fix"))
        await asyncio.sleep(0.2)
        busy = await ask_again_and_again(editor, uri, text)
        going_on = not running.done()
        ended = await running
        editor.exit(None)
    show(ready, rest, busy)
    sys.stdout.write(f"The run went on meanwhile: {going_on}; it ended {ended['status']}.\n")


def prepare(folder: Path) -> Path:
    """A workspace that the sandbox's user may read."""
    folder.chmod(0o755)
    workspace = folder / "work"
    workspace.mkdir()
    return make_workspace(workspace)


async def start(editor: Editor, workspace: Path, base_url: str) -> None:
    """As an editor starts it, up to the answer to its first request."""
    await editor.start_io(sys.executable, "-m", "codeact", "lsp", cwd="/")
    options: dict[str, Any] = {
        "events": True,
        "model": {"name": "scripted", "base_url": base_url},
        "sandbox": {"backend": "bubblewrap"},
        "state": str(workspace.parent / "state"),
        "cache": str(workspace.parent / "cache"),
    }
    folder = types.WorkspaceFolder(uri=workspace.as_uri(), name="work")
    await editor.initialize_async(
        types.InitializeParams(
            capabilities=types.ClientCapabilities(), initialization_options=options, workspace_folders=[folder]
        )
    )
    editor.initialized(types.InitializedParams())


async def ask_again_and_again(editor: Editor, uri: str, text: str) -> list[float]:
    """Type a character, and ask for lenses and quick fixes as editors do then; the seconds of each answer."""
    document = types.TextDocumentIdentifier(uri)
    place = types.Range(types.Position(LINES, 0), types.Position(LINES, 0))
    seconds = []
    for number in range(REQUESTS):
        change_document(editor, uri, f"{text}# {'x' * number}\n")
        lenses = editor.text_document_code_lens_async(types.CodeLensParams(document))
        fixes = editor.text_document_code_action_async(
            types.CodeActionParams(document, place, types.CodeActionContext(editor.diagnostics.get(uri, [])))
        )
        seconds += await asyncio.gather(_clock(lenses), _clock(fixes))
        await asyncio.sleep(0.02)
    return seconds


async def _clock(answer: Awaitable[Any]) -> float:
    began = time.perf_counter()
    await answer
    return time.perf_counter() - began


def show(ready: float, rest: list[float], busy: list[float]) -> None:
    """The figures, in milliseconds."""
    table = Table("what", "median ms", "p99 ms", "promise", box=None)
    table.add_row("server started, first answer", f"{1000 * ready:.0f}", "", "2000")
    for name, seconds in (("typing and asking, at rest", rest), ("the same during a run", busy)):
        p99 = statistics.quantiles(seconds, n=100)[98]
        table.add_row(name, f"{1000 * statistics.median(seconds):.1f}", f"{1000 * p99:.1f}", "50")
    Console(highlight=False).print(table)


if __name__ == "__main__":
    asyncio.run(main())
