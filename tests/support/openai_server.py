"""A small real HTTP server that speaks the OpenAI protocol and says what a test tells it to.

    with ScriptedOpenAI(["hello", say("cut", finish="length"), Fault(429)]) as server:
        settings = ModelSettings(name="scripted", base_url=server.base_url, api_key=Secret("key"))

Each chat request takes the next entry of the script (the last one again and again when `repeat` is set); a plain string
is a reply. `requests` holds the bodies of the chat requests, `headers` what they came with.

As a program, `openai_server.py SCRIPT [KEY]`, it follows a JSON list of texts, for those who have the key if there is one;
it prints its address and runs until its input ends.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A completion. Construct it with `say(...)`.

    Attributes:
        texts: one text per choice; a single one is given for each choice that was asked for, unless `ignore_n`.
        finish: the finish reason.
        usage: sent at the end if the client asked for it; None for a server that knows no usage.
        reasoning: sent before, in a field of its own.
        ignore_n: give one choice, whatever was asked for.
        ignore_stream: answer with one JSON body.
        cut_after: pieces after which the connection is closed; None to go on to the end.
        delay: seconds before each piece.
        done: end the stream with `[DONE]`.
    """

    texts: tuple[str, ...] = ("",)
    finish: str = "stop"
    usage: Mapping[str, int] | None = field(default_factory=lambda: {"prompt_tokens": 7, "completion_tokens": 11})
    reasoning: str = ""
    ignore_n: bool = False
    ignore_stream: bool = False
    cut_after: int | None = None
    delay: float = 0.0
    done: bool = True


def say(*texts: str, **options: Any) -> Reply:
    """A completion with these texts."""
    return Reply(texts=texts, **options)


@dataclass(frozen=True)
class Fault:
    """An answer that is no completion: a status, a body (a message, or an error object), headers."""

    status: int
    body: str | Mapping[str, Any] = "scripted fault"
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


@dataclass(frozen=True)
class Raw:
    """Bytes sent with status 200, as they are."""

    body: bytes
    media_type: str = "text/event-stream"


@dataclass(frozen=True)
class Silence:
    """Take the request and say nothing for some seconds, then close the connection."""

    seconds: float


class Refuse:
    """A rule in place of an entry: a fault while a parameter is in the request, else a reply."""

    def __init__(self, parameter: str, otherwise: "Entry" = "fine", *, message: str = "", status: int = 400) -> None:
        self.parameter = parameter
        self.otherwise = otherwise
        self.fault = Fault(
            status, {"message": message or f"Unsupported parameter: '{parameter}'", "param": parameter, "code": None}
        )

    def __call__(self, body: Mapping[str, Any]) -> "Entry":
        refused = body.get("n", 1) > 1 if self.parameter == "n" else self.parameter in body
        return self.fault if refused else self.otherwise


Entry = str | Reply | Fault | Raw | Silence | Callable[[Mapping[str, Any]], Any]


class ScriptedOpenAI:
    """The server; use it with `with`. `script` may be extended while it runs."""

    def __init__(
        self,
        script: Iterable[Entry] = (),
        *,
        models: Iterable[str | Mapping[str, Any]] = ("scripted",),
        repeat: bool = False,
        key: str | None = None,
        lists: bool = True,
    ) -> None:
        self.script = list(script)
        self.models = [{"id": model, "object": "model"} if isinstance(model, str) else dict(model) for model in models]
        self.repeat = repeat
        self.key = key
        self.lists = lists
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.scripted = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, body: dict[str, Any], headers: Mapping[str, str]) -> Any:
        """The next entry of the script, for a request."""
        with self._lock:
            self.requests.append(body)
            self.headers.append({name.lower(): value for name, value in headers.items()})
            if not self.script:
                return Fault(500, "the script is over")
            entry = self.script[0] if self.repeat and len(self.script) == 1 else self.script.pop(0)
        while callable(entry):
            entry = entry(body)
        return entry


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    scripted: ScriptedOpenAI

    def handle_error(self, request: object, client_address: object) -> None:
        """A client may leave at any time: that is no fault of this server's."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        scripted = self.server.scripted
        if self._refuse_key():
            return
        if self.path == "/v1/models" and scripted.lists:
            self._send(200, json.dumps({"object": "list", "data": scripted.models}).encode())
        else:
            self._send(404, b'{"error": {"message": "not here"}}')

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._refuse_key():
            return
        if self.path != "/v1/chat/completions":
            self._send(404, b"<!DOCTYPE html><html>no such page</html>", "text/html")
            return
        entry = self.server.scripted.take(body, dict(self.headers))
        match entry:
            case str():
                self._reply(say(entry), body)
            case Reply():
                self._reply(entry, body)
            case Fault():
                error = {"message": entry.body} if isinstance(entry.body, str) else entry.body
                data = json.dumps({"error": error}) if entry.media_type == "application/json" else str(entry.body)
                self._send(entry.status, data.encode(), entry.media_type, entry.headers)
            case Raw():
                self._send(200, entry.body, entry.media_type)
            case Silence():
                self.server.scripted.ended.wait(entry.seconds)
                self.close_connection = True

    def _refuse_key(self) -> bool:
        key = self.server.scripted.key
        given = self.headers.get("Authorization", "")
        if key is None or given == f"Bearer {key}":
            return False
        echo = f"Incorrect API key provided: {given.removeprefix('Bearer ')}. Get one elsewhere."
        self._send(401, json.dumps({"error": {"message": echo, "code": "invalid_api_key"}}).encode())
        return True

    def _reply(self, reply: Reply, body: Mapping[str, Any]) -> None:
        count = 1 if reply.ignore_n else int(body.get("n", 1))
        texts = reply.texts if len(reply.texts) > 1 else reply.texts * count
        if reply.ignore_stream or not body.get("stream"):
            choices = [
                {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": reply.finish}
                for index, text in enumerate(texts)
            ]
            self._send(200, json.dumps({"choices": choices, "usage": reply.usage}).encode())
            return
        self._begin_stream()
        try:
            self._stream(reply, texts, with_usage=bool(body.get("stream_options", {}).get("include_usage")))
        except OSError:  # the client has gone
            self.close_connection = True

    def _begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _stream(self, reply: Reply, texts: tuple[str, ...], *, with_usage: bool) -> None:
        events: list[dict[str, Any]] = []
        if reply.reasoning:
            events.append(_delta(0, reasoning_content=reply.reasoning))
        for index, text in enumerate(texts):
            events += [_delta(index, content=piece) for piece in _split(text)]
        for sent, event in enumerate(events):
            if sent == reply.cut_after:
                self.close_connection = True
                return
            self._event(event, reply.delay)
        for index in range(len(texts)):
            self._event({"choices": [{"index": index, "delta": {}, "finish_reason": reply.finish}]})
        if with_usage and reply.usage is not None:
            self._event({"choices": [], "usage": reply.usage})
        if reply.done:
            self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(self, event: Mapping[str, Any], delay: float = 0.0) -> None:
        if delay:
            time.sleep(delay)
        self._chunk(f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode())

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _send(
        self, status: int, data: bytes, media_type: str = "application/json", headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Be quiet."""


def _delta(index: int, **delta: str) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": delta, "finish_reason": None}]}


def _split(text: str, size: int = 8) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def main() -> None:
    """Serve a script from the command line."""
    script = [say(entry, delay=0.02) for entry in json.loads(sys.argv[1])]
    key = sys.argv[2] if len(sys.argv) > 2 else ""
    with ScriptedOpenAI(script, repeat=True, key=key or None) as server:
        sys.stdout.write(server.base_url + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
