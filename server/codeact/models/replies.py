"""Reading what an OpenAI-compatible endpoint sends back: a stream of events, or one JSON body.

Endpoints differ: some ignore `stream`, some send no usage, some put reasoning into a field of its own, some into the
text between `<think>` tags, some end a stream without `[DONE]`. All of them become one `Reply`.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from codeact.models.base import Listener
from codeact.models.trouble import Trouble, describe_body, read_error
from codeact.trajectory import Answer

MAX_LINE = 16 * 1024 * 1024
THINKING = re.compile(r"\s*<think>.*?(</think>\s*|\Z)", re.DOTALL)
END_OF_THINKING = re.compile(r"^</think>\s*$\s*", re.MULTILINE)  # some templates open the block in the prompt


@dataclass(frozen=True)
class Reply:
    """What one request brought; tokens are 0 where the endpoint does not tell."""

    answers: tuple[Answer, ...]
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Piece:
    """Some more text of one choice, and why it ended (empty while it goes on)."""

    choice: int
    text: str
    finish: str


@dataclass(frozen=True)
class Chunk:
    """One event of a stream, or a whole reply."""

    pieces: tuple[Piece, ...]
    prompt_tokens: int
    completion_tokens: int


@dataclass
class _Draft:
    """An answer being put together."""

    parts: list[str] = field(default_factory=list)
    finish: str = ""


async def read_reply(blocks: AsyncIterator[bytes], media_type: str, timeout: float, on_text: Listener) -> Reply:
    """Read a reply to its end.

    Args:
        blocks: the body, in pieces as they arrive.
        media_type: its `Content-Type`.
        timeout: seconds that may pass without an event.
        on_text: called with each piece of the first answer, without what it thinks aloud.

    Raises:
        Trouble: the reply is no completion, breaks off, or tells an error.
        TimeoutError: nothing came for too long.
    """
    if "json" in media_type:
        async with asyncio.timeout(timeout):
            body = b"".join([block async for block in blocks])
        return _assemble([_parse_chunk(body)], on_text=on_text, done=True)
    if "html" in media_type:
        raise Trouble("garbled", "it answers with a web page")
    return await _read_stream(_read_events(blocks), timeout, on_text)


async def _read_stream(events: AsyncIterator[bytes], timeout: float, on_text: Listener) -> Reply:
    chunks: list[Chunk] = []
    show = _hide_thinking(on_text)
    while True:
        async with asyncio.timeout(timeout):
            event = await anext(events, None)
        if event is None or event == b"[DONE]":
            return _assemble(chunks, done=event is not None)
        chunk = _parse_chunk(event)
        chunks.append(chunk)
        for piece in chunk.pieces:
            if piece.choice == 0 and piece.text:
                show(piece.text)


async def _read_events(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The data of each server-sent event. Split on line feeds only: JSON text may hold U+2028 and its like."""
    rest = b""
    async for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()
        if len(rest) > MAX_LINE:
            raise Trouble("garbled", "it sends a line without an end")
    if rest.startswith(b"data:"):
        yield rest[5:].strip()


def _parse_chunk(data: bytes) -> Chunk:
    try:
        value = json.loads(data)
    except ValueError:
        raise Trouble("garbled", f"it sends broken JSON: {describe_body(data.decode(errors='replace'))}") from None
    if not isinstance(value, Mapping):
        raise Trouble("garbled", f"it sends {describe_body(value)} in place of a completion")
    if error := value.get("error"):
        raise read_error(error)
    choices = value.get("choices")
    usage = value.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    return Chunk(
        pieces=tuple(_parse_piece(choice) for choice in choices if isinstance(choice, Mapping))
        if isinstance(choices, list)
        else (),
        prompt_tokens=_read_count(usage.get("prompt_tokens")),
        completion_tokens=_read_count(usage.get("completion_tokens")),
    )


def _parse_piece(choice: Mapping[str, object]) -> Piece:
    content = choice.get("delta") or choice.get("message")
    content = content if isinstance(content, Mapping) else {}
    text = _read_text(content.get("content")) or _read_text(content.get("refusal"))
    return Piece(_read_count(choice.get("index")), text, _read_text(choice.get("finish_reason")))


def _read_text(content: object) -> str:
    """The text of a message, which may be a list of typed parts."""
    if isinstance(content, list):
        return "".join(_read_text(part.get("text")) for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""


def _read_count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _assemble(chunks: list[Chunk], *, done: bool, on_text: Listener | None = None) -> Reply:
    drafts: dict[int, _Draft] = {}
    for piece in (piece for chunk in chunks for piece in chunk.pieces):
        draft = drafts.setdefault(piece.choice, _Draft())
        draft.parts.append(piece.text)
        draft.finish = piece.finish or draft.finish
    if not done and not (drafts and all(draft.finish for draft in drafts.values())):
        raise Trouble("broken", "the connection ended in the middle of an answer")
    if not drafts:
        raise Trouble("garbled", "its reply holds no answer")
    answers = tuple(_finish_draft(drafts[choice]) for choice in sorted(drafts))
    if on_text:
        on_text(answers[0].text)
    # llama.cpp counts one sample of several; it sends a piece per token, so that counting them mends this.
    pieces = sum(bool(part) for draft in drafts.values() for part in draft.parts)
    return Reply(
        answers,
        prompt_tokens=max(chunk.prompt_tokens for chunk in chunks),
        completion_tokens=max(pieces, *(chunk.completion_tokens for chunk in chunks)),
    )


def _finish_draft(draft: _Draft) -> Answer:
    return Answer(strip_thinking("".join(draft.parts)), cut=draft.finish == "length")


def strip_thinking(text: str) -> str:
    """An answer without the reasoning that some models write before it."""
    if match := THINKING.match(text) or END_OF_THINKING.search(text):
        return text[match.end() :]
    return text


def _hide_thinking(on_text: Listener) -> Listener:
    """Pass pieces on, except for a leading block of reasoning."""
    held: list[str] | None = []

    def show(piece: str) -> None:
        nonlocal held
        if held is None:
            on_text(piece)
            return
        held.append(piece)
        text = "".join(held)
        if "<think>".startswith(text.lstrip()[:7]) and "</think>" not in text:
            return
        held = None
        if visible := strip_thinking(text):
            on_text(visible)

    return show
