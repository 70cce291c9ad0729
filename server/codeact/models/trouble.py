"""What can go wrong with an endpoint, told apart by what helps against it.

A `Trouble` is this package's private exception: `openai.py` retries, adapts its request, or turns it into a
`ModelError` with words for the developer. It never holds another exception, since those hold the request and so the
key.
"""

import email.utils
import re
import time
from collections.abc import Mapping
from typing import Literal

import httpx2
import openai

Kind = Literal[
    "key",  # the endpoint does not accept the key
    "no key",  # ... because there is none
    "forbidden",  # ... for what was asked
    "model",  # it has no such model
    "quota",  # it will not serve this account
    "path",  # there is no such API at this address
    "context",  # the conversation is too long
    "parameter",  # it does not accept the request as it is written
    "refused",  # it will not, for another reason
    "busy",  # too many requests, overloaded, an error of its own: passes
    "broken",  # the connection broke: passes
    "dead",  # nothing answers there: may pass
    "silent",  # it took the request and says nothing
    "certificate",  # its certificate is not trusted
    "garbled",  # what it says is not the protocol
]
PASSING = frozenset({"busy", "broken", "dead"})

CONTEXT = re.compile(
    r"context.{0,20}(length|size|window)|exceed_context|maximum context|prompt is too long|input.{0,20}too long"
    r"|too many tokens|request too large|exceeds? .{0,40}(context|token)",
    re.IGNORECASE,
)
MODEL = re.compile(
    r"model_not_found|model.{0,80}(not found|not exist|does not exist|is not available|unknown)"
    r"|(unknown|invalid|no such|not a valid) model",
    re.IGNORECASE,
)
QUOTA = re.compile(
    r"insufficient_quota|exceeded your current quota|billing|insufficient.{0,10}(balance|credit)", re.IGNORECASE
)
MAX_WORDS = 300


class Trouble(Exception):
    """Why a request brought no answer.

    Attributes:
        kind: what helps against it.
        words: what happened, in a clause that follows "The endpoint X failed:". May quote the endpoint.
        status: the HTTP status, 0 without one.
        wait: seconds that the endpoint asks to wait before the next try.
    """

    def __init__(self, kind: Kind, words: str, *, status: int = 0, wait: float | None = None) -> None:
        super().__init__(words)
        self.kind = kind
        self.words = words
        self.status = status
        self.wait = wait


def translate(error: Exception) -> Trouble:
    """The trouble behind whatever the client raised."""
    if isinstance(error, Trouble):
        return error
    if isinstance(error, openai.APIStatusError):
        words = describe_body(error.body) or error.response.reason_phrase
        kind = _classify(error.status_code, f"{error.code} {error.type} {words}")
        return Trouble(kind, words, status=error.status_code, wait=_read_wait(error.response.headers))
    if isinstance(error, openai.APIConnectionError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    if isinstance(error, httpx2.ConnectTimeout | httpx2.ConnectError):
        certificate = "CERTIFICATE" in str(error).upper()
        return Trouble("certificate" if certificate else "dead", describe_body(str(error)) or "it does not answer")
    if isinstance(error, TimeoutError | httpx2.ReadTimeout | httpx2.PoolTimeout):
        return Trouble("silent", "it sends nothing")
    if isinstance(error, httpx2.TransportError | OSError | EOFError):
        return Trouble("broken", "the connection broke")
    return Trouble("garbled", f"its reply cannot be read ({type(error).__name__})")


def read_error(error: object) -> Trouble:
    """The trouble that an error object inside a reply tells of."""
    code = error.get("code") if isinstance(error, Mapping) else None
    kind = error.get("type") if isinstance(error, Mapping) else None
    words = describe_body(error)
    return Trouble(_classify(code if isinstance(code, int) else 500, f"{code} {kind} {words}"), words)


def describe_body(body: object) -> str:
    """What the body of a reply says, in one short line."""
    while isinstance(body, Mapping):
        body = body.get("message") or body.get("error") or body.get("detail") or repr(dict(body))
    text = body if isinstance(body, str) else "" if body is None else repr(body)
    if re.match(r"\s*<(!doctype|html)", text, re.IGNORECASE):
        return "a web page"
    text = " ".join(text.split())
    return text if len(text) <= MAX_WORDS else f"{text[:MAX_WORDS]}..."


def _classify(status: int, text: str) -> Kind:  # noqa: PLR0911 - a table, read from top to bottom
    if status in {401, 403}:
        return "key"
    if status == 402 or QUOTA.search(text):  # noqa: PLR2004 - Payment Required
        return "quota"
    if status == 413 or CONTEXT.search(text):  # noqa: PLR2004 - Content Too Large
        return "context"
    if status == 429:  # noqa: PLR2004 - Too Many Requests
        return "busy"
    if status in {400, 404, 422} and MODEL.search(text):
        return "model"
    if status in {404, 405, 501}:
        return "path"
    if status in {400, 422}:
        return "parameter"
    return "busy" if status in {408, 409, 425} or status >= 500 else "refused"  # noqa: PLR2004 - server errors


def _read_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds named by `Retry-After`, which may be a number or a date."""
    for header, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[header]) / unit)
        except (KeyError, ValueError):
            continue
    try:
        return max(0.0, email.utils.parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError, TypeError):
        return None
