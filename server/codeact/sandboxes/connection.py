"""The connection to the Docker engine, one for the process, and what the engine says of itself."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from docker import APIClient
from docker.context import ContextAPI
from docker.errors import DockerException
from docker.utils import kwargs_from_env
from requests.exceptions import RequestException

from codeact.errors import SandboxUnavailable
from codeact.sandboxes import engine
from codeact.sandboxes.engine_facts import EngineFacts, read_facts
from codeact.sandboxes.tunnel import open_tunnel

CALL_SECONDS = 60


@cache
def connect() -> APIClient:
    """A connection to the engine.

    Raises:
        SandboxUnavailable: there is none, it does not answer, or this user may not talk to it.
    """
    if reason := engine.trouble():
        raise SandboxUnavailable(reason)
    host = engine.address()
    with translated(f"connect to {host}"):
        if host.startswith("ssh://"):
            return APIClient(base_url=open_tunnel(host), timeout=CALL_SECONDS, version="auto")
        if os.environ.get("DOCKER_HOST"):
            return APIClient(timeout=CALL_SECONDS, version="auto", **kwargs_from_env())
        context = ContextAPI.get_context(engine.context())
        tls = context.TLSConfig if context and not host.startswith("unix://") else None
        return APIClient(base_url=host, tls=tls or False, timeout=CALL_SECONDS, version="auto")


@cache
def facts() -> EngineFacts:
    """What the engine is."""
    with translated("say what it is"):
        return read_facts(connect().info(), connect().version(api_version=False))


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turns what the engine or the way to it says into a SandboxUnavailable that names what could not be done."""
    try:
        yield
    except (DockerException, RequestException, OSError) as error:
        words = getattr(error, "explanation", None) or str(error)
        raise SandboxUnavailable(f"Docker could not {what}: {str(words)[:600]}") from None
