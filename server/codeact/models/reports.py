"""A trouble with an endpoint in words for the developer: what happened, where, and what to do."""

import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from codeact.errors import ContextTooLong, ModelError, ModelRefused, ModelUnavailable
from codeact.models.trouble import Kind, Trouble
from codeact.settings import ModelSettings

DEFAULT_BASE_URL = "https://api.openai.com/v1"
MAX_NAMES = 12
FORBIDDEN = 403


@dataclass(frozen=True)
class Endpoint:
    """Where requests go.

    Attributes:
        url: the base URL, without a slash at its end.
        host: host and port, for messages: never the user or key that a URL may hold.
        loopback: it is this machine.
    """

    url: str
    host: str
    loopback: bool

    @classmethod
    def parse(cls, base_url: str) -> "Endpoint":
        """Read a base URL; an empty one is OpenAI's.

        Raises:
            ModelUnavailable: it is no address.
        """
        url = (base_url.strip() or DEFAULT_BASE_URL).rstrip("/")
        try:
            parts = urllib.parse.urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urllib.parse.urlsplit(""), None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            shown = url if "@" not in url else "that is set"
            raise ModelUnavailable(
                f"The base URL {shown} is not an address. Set CODEACT_BASE_URL to one like http://127.0.0.1:11434/v1."
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(url, f"{host}:{port}" if port else host, _is_loopback(parts.hostname))


# Filled with host, url, model, words, status, tries and seconds.
MESSAGES: Mapping[Kind, tuple[type[ModelError], str]] = {
    "key": (ModelRefused, "The endpoint {host} refused the key. Set CODEACT_API_KEY to one that is valid there."),
    "no key": (ModelRefused, "The endpoint {host} wants a key. Set CODEACT_API_KEY."),
    "forbidden": (ModelRefused, "The endpoint {host} forbids this: {words}. Set CODEACT_API_KEY to a key that may."),
    "quota": (ModelRefused, "The endpoint {host} does not serve this account: {words}. Look at its plan and billing."),
    "model": (ModelRefused, "The endpoint {host} has no model {model}."),
    "context": (ContextTooLong, "The conversation does not fit the model {model}: {words}."),
    "parameter": (ModelRefused, "The endpoint {host} refused the request ({status}): {words}."),
    "refused": (ModelRefused, "The endpoint {host} refused the request ({status}): {words}."),
    "path": (
        ModelUnavailable,
        "There are no chat completions under {url} ({status}). Most base URLs end in /v1: set CODEACT_BASE_URL.",
    ),
    "busy": (ModelUnavailable, "The endpoint {host} failed in {tries} tries ({status}): {words}. Try again later."),
    "dead": (
        ModelUnavailable,
        "Nothing answers at {host} ({words}). Start the model server there, or set CODEACT_BASE_URL to where one runs.",
    ),
    "silent": (
        ModelUnavailable,
        "The endpoint {host} sent nothing for {seconds:g} s. Try again, or raise the setting model.timeout.",
    ),
    "certificate": (
        ModelUnavailable,
        "The certificate of {host} is not trusted ({words}). If it is right, name its authority in SSL_CERT_FILE.",
    ),
    "broken": (ModelUnavailable, "The connection to {host} broke in {tries} tries: {words}. Try again later."),
    "garbled": (
        ModelUnavailable,
        "The endpoint {host} does not speak the OpenAI protocol: {words}. Is CODEACT_BASE_URL the right one?",
    ),
}


def report(
    trouble: Trouble, endpoint: Endpoint, model: str, settings: ModelSettings, names: tuple[str, ...] = ()
) -> ModelError:
    """The error that a trouble becomes.

    Args:
        trouble: what happened.
        endpoint: where.
        model: the model's name.
        settings: how it was asked.
        names: the models that the endpoint lists, if the name was the trouble.
    """
    kind, message = MESSAGES[_refine(trouble, settings)]
    text = message.format(
        host=endpoint.host,
        url=endpoint.url if "@" not in endpoint.url else "its address",
        model=model,
        words=trouble.words.rstrip("."),
        status=trouble.status or "in a reply",
        tries=settings.retries + 1,
        seconds=settings.timeout,
    )
    if trouble.kind == "model":
        text = f"{text} {_list_names(names)}"
    if trouble.kind == "busy" and trouble.wait:
        text = f"{text} It asks to wait {trouble.wait:.0f} s."
    return kind(text)


def scrub(trouble: Trouble, settings: ModelSettings) -> Trouble:
    """The same trouble, without the key in what it quotes, and without the exceptions that it came from."""
    words = trouble.words
    key = settings.api_key.value.strip() if settings.api_key else ""
    for form in {key, urllib.parse.quote(key, safe=""), json.dumps(key)[1:-1]} - {""}:
        words = words.replace(form, "***")
    return Trouble(trouble.kind, words, status=trouble.status, wait=trouble.wait)


def _refine(trouble: Trouble, settings: ModelSettings) -> Kind:
    if trouble.kind != "key":
        return trouble.kind
    # What an endpoint says of a wrong key often quotes part of it; what it says of a forbidden thing helps.
    return "no key" if not settings.api_key else "forbidden" if trouble.status == FORBIDDEN else "key"


def _list_names(names: tuple[str, ...]) -> str:
    if not names:
        return "Set CODEACT_MODEL to one that it has."
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return f"It has: {', '.join(names[:MAX_NAMES])}{more}. Set CODEACT_MODEL to one of them."


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
