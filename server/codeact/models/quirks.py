"""What an endpoint does not accept, and the request that leaves it out.

OpenAI-compatible endpoints accept different parameters, and tell so in different words. A refused parameter is dropped
or renamed, the request is made again, and what was learnt is kept for the life of the model.
"""

import base64
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from codeact.trajectory import Artifact, Message, Sampling

Body = dict[str, Any]


class Quirk(StrEnum):
    """One thing that an endpoint does not accept."""

    NO_USAGE = "no usage in a stream"
    NO_TEMPERATURE = "no temperature"
    RENAMED_LIMIT = "max_completion_tokens in place of max_tokens"
    NO_LIMIT = "no limit of tokens"
    ONE_SAMPLE = "one sample per request"
    NO_STREAM = "no streaming"
    NO_SYSTEM = "no system message"
    NO_PICTURES = "no pictures"


LIMIT = r"max_tokens|max_completion_tokens|max_new_tokens"
SEEING = re.compile(
    r"gpt-4o|gpt-4\.1|gpt-[5-9]|\bo[134]\b|claude|gemini|pixtral|llava|vision|[-_]vl\b|\dvl\b|gemma-?3|llama-?4|minicpm-v",
    re.IGNORECASE,
)
MENTIONS: tuple[tuple[Quirk, re.Pattern[str]], ...] = (
    (
        Quirk.NO_PICTURES,
        re.compile(r"image|vision|multimodal|modalit|content.{0,30}(string|str\b|array)", re.IGNORECASE),
    ),
    (Quirk.NO_USAGE, re.compile(r"stream_options|include_usage", re.IGNORECASE)),
    (Quirk.NO_TEMPERATURE, re.compile(r"temperature", re.IGNORECASE)),
    (
        Quirk.NO_LIMIT,
        re.compile(rf"({LIMIT}).*(too large|at most|less than|greater than|exceed|maximum)", re.IGNORECASE),
    ),
    (Quirk.RENAMED_LIMIT, re.compile(LIMIT, re.IGNORECASE)),
    (Quirk.NO_LIMIT, re.compile(LIMIT, re.IGNORECASE)),
    (Quirk.NO_SYSTEM, re.compile(r"system.{0,20}(role|message|prompt)|role.{0,40}system", re.IGNORECASE)),
    (Quirk.NO_STREAM, re.compile(r"\bstream(ing)?\b", re.IGNORECASE)),
    (
        Quirk.ONE_SAMPLE,
        re.compile(r"(?<![\w'])n(?![\w'])|'n'|n_cmpl|\bslots\b|multiple|candidate|choices", re.IGNORECASE),
    ),
)
VAGUE = (Quirk.NO_PICTURES, Quirk.NO_USAGE, Quirk.ONE_SAMPLE, Quirk.NO_TEMPERATURE)


def make_body(name: str, messages: Sequence[Message], sampling: Sampling, quirks: frozenset[Quirk]) -> Body:
    """The request that an endpoint with these quirks accepts."""
    opening = [Message("assistant", sampling.opening)] if sampling.opening else []
    body: Body = {"model": name, "messages": _write_messages([*messages, *opening], quirks)}
    if Quirk.NO_TEMPERATURE not in quirks:
        body["temperature"] = sampling.temperature
    if Quirk.NO_LIMIT not in quirks:
        limit = "max_completion_tokens" if Quirk.RENAMED_LIMIT in quirks else "max_tokens"
        body[limit] = sampling.max_tokens
    if sampling.samples > 1 and Quirk.ONE_SAMPLE not in quirks:
        body["n"] = sampling.samples
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if Quirk.NO_STREAM not in quirks:
        body["stream"] = True
        if Quirk.NO_USAGE not in quirks:
            body["stream_options"] = {"include_usage": True}
    return body


def can_see(name: str, setting: str) -> bool:
    """Whether a model takes pictures: as the setting says, or by its name."""
    return setting == "yes" or (setting == "auto" and SEEING.search(name) is not None)


def find_quirk(words: str, body: Body) -> Quirk | None:
    """What to leave out of a request that was refused with these words; None if nothing is left.

    A refusal that names nothing costs a few more requests, each without one more thing that can be done without.
    """
    possible = _list_possible(body)
    for quirk, pattern in MENTIONS:
        if quirk in possible and pattern.search(words):
            return quirk
    return next((quirk for quirk in VAGUE if quirk in possible), None)


def _list_possible(body: Body) -> frozenset[Quirk]:
    present = {
        Quirk.NO_USAGE: "stream_options" in body,
        Quirk.NO_TEMPERATURE: "temperature" in body,
        Quirk.RENAMED_LIMIT: "max_tokens" in body,
        Quirk.NO_LIMIT: "max_tokens" in body or "max_completion_tokens" in body,
        Quirk.ONE_SAMPLE: "n" in body,
        Quirk.NO_STREAM: "stream" in body,
        Quirk.NO_PICTURES: any(not isinstance(message["content"], str) for message in body["messages"]),
        Quirk.NO_SYSTEM: any(message["role"] == "system" for message in body["messages"]),
    }
    return frozenset(quirk for quirk, there in present.items() if there)


def _write_messages(messages: Sequence[Message], quirks: frozenset[Quirk]) -> list[dict[str, Any]]:
    """The conversation; where there may be no system message, it opens the first user message."""
    merge = Quirk.NO_SYSTEM in quirks
    system = "\n\n".join(message.content for message in messages if message.role == "system") if merge else ""
    written: list[dict[str, Any]] = []
    for message in messages:
        if merge and message.role == "system":
            continue
        content = f"{system}\n\n{message.content}" if system and message.role == "user" else message.content
        system = "" if message.role == "user" else system
        pictures = () if Quirk.NO_PICTURES in quirks else message.pictures
        written.append({"role": message.role, "content": _with_pictures(content, pictures) if pictures else content})
    return written


def _with_pictures(text: str, pictures: Sequence[Artifact]) -> list[dict[str, Any]]:
    """A message in parts: its words, then each picture as a data address."""
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}]
    for picture in pictures:
        data = base64.b64encode(picture.data).decode("ascii")
        parts.append({"type": "image_url", "image_url": {"url": f"data:{picture.media_type};base64,{data}"}})
    return parts
