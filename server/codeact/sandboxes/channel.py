"""The host's side of the line to a Worker: one request at a time, JSON lines, whatever carries the bytes.

What comes back was sent by the Worker, but may be shaped by code that is not trusted: sizes are bounded and every field
is checked. A line that is not what it should be ends the sandbox.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from codeact.errors import SandboxDied, SandboxError
from codeact.sandboxes.base import Completed, ViewChanges
from codeact.trajectory import Action, Artifact, Failure, FileState, Observation, Rejected

MAX_LINE = 128 * 1024 * 1024
MAX_TEXT = 1024 * 1024
MAX_EXHIBIT = 12 * 1024 * 1024
MAX_EXHIBITS = 10
EXHIBITS = frozenset({"image/png", "text/html", "text/csv"})
GRACE = 15.0  # seconds that a Worker has beyond an action's own time before it counts as dead
CANCEL_GRACE = 1.5
MODES = ("100644", "100755", "120000")

Send = Callable[[bytes], Awaitable[None]]


class Channel:
    """A conversation with one Worker. Implements the calls of the Sandbox Protocol."""

    def __init__(self, reader: asyncio.StreamReader, send: Send, why: Callable[[], Awaitable[str]]) -> None:
        self._reader = reader
        self._send = send
        self._why = why
        self._number = 0
        self._lock = asyncio.Lock()

    async def greet(self, timeout: float) -> Mapping[str, Any]:
        """Wait for the Worker's first words: its Python version, and a note on walls that it could not put up."""
        try:
            async with asyncio.timeout(timeout):
                ready = (await self._receive()).get("ready")
        except TimeoutError:
            raise SandboxDied(f"The sandbox did not start within {timeout:.0f} s.") from None
        if not isinstance(ready, dict):
            raise SandboxDied("The sandbox began with something else than its greeting.")
        return ready

    async def execute(self, action: Action) -> Observation:
        """See Sandbox."""
        done = await self._ask({"op": "execute", "code": action.code, "timeout": action.timeout}, action.timeout)
        notes = [_text(done, "stderr"), _text(done, "message")]
        return Observation(
            stdout=_text(done, "stdout"),
            stderr="\n".join(note for note in notes if note),
            value=_text(done, "value"),
            failure=_failure(done.get("failure")),
            timed_out=done.get("timed_out") is True,
            seconds=_seconds(done),
            artifacts=tuple(_artifacts(done.get("exhibits"))),
            finished=_text(done, "finished") if done.get("finished") is not None else None,
        )

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        environ: Mapping[str, str] | None = None,
        on_report: Callable[[bytes], None] | None = None,
        warm: bool = False,
    ) -> Completed:
        """See Sandbox."""
        request = {
            "op": "spawn",
            "argv": list(argv),
            "environ": dict(environ or {}),
            "timeout": timeout,
            "report": on_report is not None,
            "warm": warm,
        }
        done = await self._ask(request, timeout, on_report)
        code = done.get("exit_code")
        return Completed(
            exit_code=code if isinstance(code, int) else -1,
            stdout=_text(done, "stdout"),
            stderr=_text(done, "stderr"),
            seconds=_seconds(done),
            timed_out=done.get("timed_out") is True,
            out_of_memory=done.get("out_of_memory") is True,
            out_of_space=done.get("out_of_space") is True,
        )

    async def preload(self, python: str) -> None:
        """Have the Worker begin to load what warm programs are forked from."""
        await self._ask({"op": "preload", "python": python}, GRACE)

    async def attach(self, files: Mapping[str, FileState | None]) -> None:
        """See Sandbox."""
        await self._ask({"op": "attach", "files": {path: _pack(state) for path, state in files.items()}}, GRACE)

    async def write(self, files: Mapping[str, FileState | None]) -> None:
        """See Sandbox."""
        if files:
            await self._ask({"op": "write", "files": {path: _pack(state) for path, state in files.items()}}, GRACE)

    async def changes(self) -> ViewChanges:
        """See Sandbox."""
        done = await self._ask({"op": "changes"}, 4 * GRACE)
        files, rejected = done.get("files"), done.get("rejected")
        if not isinstance(files, dict) or not isinstance(rejected, list):
            raise SandboxDied("The sandbox's list of changed files is not one.")
        taken: dict[str, FileState | None] = {}
        refused = [Rejected(str(pair[0])[:4096], str(pair[1])[:400]) for pair in rejected if isinstance(pair, list)]
        for path, state in files.items():
            if _is_safe(path):
                taken[path] = _unpack(state)
            else:
                refused.append(Rejected(path[:4096], "its name leads out of the workspace"))
        return ViewChanges(taken, tuple(refused))

    async def restore(self) -> None:
        """See Sandbox."""
        await self._ask({"op": "restore"}, 4 * GRACE)

    async def _ask(
        self, request: dict[str, Any], seconds: float, on_report: Callable[[bytes], None] | None = None
    ) -> dict[str, Any]:
        async with self._lock:
            self._number += 1
            number = self._number
            await self._send(json.dumps({"id": number, **request}).encode("ascii") + b"\n")
            try:
                async with asyncio.timeout(seconds + GRACE):
                    done = await self._answer(number, on_report)
            except TimeoutError:
                raise SandboxDied("The sandbox no longer answers.") from None
            except asyncio.CancelledError:
                await self._cancel(number)
                raise
        if isinstance(error := done.get("error"), str):
            raise SandboxError(f"The sandbox could not {request['op']}: {error[:400]}")
        return done

    async def _cancel(self, number: int) -> None:
        """Have the Worker end what it does, so that the sandbox can be used again."""
        try:
            async with asyncio.timeout(CANCEL_GRACE):
                await self._send(json.dumps({"id": number, "op": "cancel"}).encode("ascii") + b"\n")
                await self._answer(number, None)
        except (TimeoutError, SandboxDied):
            return  # whoever cancelled closes the sandbox, which ends it in any case

    async def _answer(self, number: int, on_report: Callable[[bytes], None] | None) -> dict[str, Any]:
        while True:
            message = await self._receive()
            if message.get("id") != number:
                raise SandboxDied("The sandbox answered something that was not asked.")
            if isinstance(done := message.get("done"), dict):
                return done
            if on_report and isinstance(piece := message.get("report"), str):
                on_report(_decode(piece))

    async def _receive(self) -> dict[str, Any]:
        try:
            line = await self._reader.readuntil(b"\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            raise SandboxDied(f"The sandbox has ended. {await self._why()}".strip()) from None
        except asyncio.LimitOverrunError:
            raise SandboxDied("The sandbox sent more than it may.") from None
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            raise SandboxDied("The sandbox sent something that is no message.") from None
        if not isinstance(message, dict):
            raise SandboxDied("The sandbox sent something that is no message.")
        return message


def _text(done: Mapping[str, Any], field: str) -> str:
    text = done.get(field, "")
    return text[:MAX_TEXT] if isinstance(text, str) else ""


def _seconds(done: Mapping[str, Any]) -> float:
    seconds = done.get("seconds", 0.0)
    return float(seconds) if isinstance(seconds, (int, float)) else 0.0


def _failure(data: object) -> Failure | None:
    if not isinstance(data, dict):
        return None
    return Failure(_text(data, "type"), _text(data, "message"), _text(data, "traceback"))


def _artifacts(data: object) -> list[Artifact]:
    found = data if isinstance(data, list) else []
    return [
        Artifact(_text(item, "name"), item["type"], _decode(item["data"]))
        for item in found[:MAX_EXHIBITS]
        if isinstance(item, dict)
        and item.get("type") in EXHIBITS
        and isinstance(item.get("data"), str)
        and len(item["data"]) <= MAX_EXHIBIT
    ]


def _pack(state: FileState | None) -> dict[str, str] | None:
    if state is None:
        return None
    return {"mode": state.mode, "content": base64.b64encode(state.content).decode("ascii")}


def _unpack(state: object) -> FileState | None:
    if state is None:
        return None
    if not isinstance(state, dict) or state.get("mode") not in MODES or not isinstance(state.get("content"), str):
        raise SandboxDied("The sandbox sent a file that is none.")
    return FileState(_decode(state["content"]), state["mode"])


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SandboxDied("The sandbox sent bytes that cannot be decoded.") from None


def _is_safe(path: str) -> bool:
    parts = path.split("/")
    return bool(path) and "\n" not in path and "\0" not in path and not {"", ".", "..", ".git"} & set(parts)
