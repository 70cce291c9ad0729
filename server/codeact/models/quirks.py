"""What an endpoint does not accept, and the request that leaves it out.

OpenAI-compatible endpoints accept different parameters, and tell so in different words. A refused parameter is dropped
or renamed, the request is made again, and what was learnt is kept for the life of the model.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from codeact.trajectory import Message, Sampling

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


LIMIT = r"max_tokens|max_completion_tokens|max_new_tokens"
MENTIONS: tuple[tuple[Quirk, re.Pattern[str]], ...] = (
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
VAGUE = (Quirk.NO_USAGE, Quirk.ONE_SAMPLE, Quirk.NO_TEMPERATURE)


def make_body(name: str, messages: Sequence[Message], sampling: Sampling, quirks: frozenset[Quirk]) -> Body:
    """The request that an endpoint with these quirks accepts."""
    body: Body = {"model": name, "messages": _write_messages(messages, merge=Quirk.NO_SYSTEM in quirks)}
    if Quirk.NO_TEMPERATURE not in quirks:
        body["temperature"] = sampling.temperature
    if Quirk.NO_LIMIT not in quirks:
        limit = "max_completion_tokens" if Quirk.RENAMED_LIMIT in quirks else "max_tokens"
        body[limit] = sampling.max_tokens
    if sampling.samples > 1 and Quirk.ONE_SAMPLE not in quirks:
        body["n"] = sampling.samples
    if Quirk.NO_STREAM not in quirks:
        body["stream"] = True
        if Quirk.NO_USAGE not in quirks:
            body["stream_options"] = {"include_usage": True}
    return body


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
        Quirk.NO_SYSTEM: any(message["role"] == "system" for message in body["messages"]),
    }
    return frozenset(quirk for quirk, there in present.items() if there)


def _write_messages(messages: Sequence[Message], *, merge: bool) -> list[dict[str, str]]:
    """The conversation; with `merge`, the system message opens the first user message."""
    system = "\n\n".join(message.content for message in messages if message.role == "system") if merge else ""
    written = []
    for message in messages:
        if merge and message.role == "system":
            continue
        content = f"{system}\n\n{message.content}" if system and message.role == "user" else message.content
        system = "" if message.role == "user" else system
        written.append({"role": message.role, "content": content})
    return written
