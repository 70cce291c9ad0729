"""A file on a web server."""

import threading
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import Future
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from codeact.models.embedded import EmbeddedModel
from codeact.models.sources.base import BLOCK, Done, SourceFailed

REACH = 6.0
STALL = 30.0
TRIES = 5
PARTIAL_CONTENT = 206
RANGE_NOT_SATISFIABLE = 416


class WebSource:
    """An address. A broken download goes on where it broke; a server that does not answer soon is given up."""

    def __init__(self, url: str, *, reach: float = REACH) -> None:
        host = urllib.parse.urlsplit(url).netloc.rpartition("@")[2]
        self.name = host
        self.key = "web"
        self._url = url
        self._reach = reach

    def fetch(self, model: EmbeddedModel, partial: Path, on_done: Done) -> None:
        """Download the file; see `Source`."""
        for attempt in range(TRIES):
            before = _size(partial)
            try:
                self._fetch_once(model, partial, on_done)
            except urllib.error.HTTPError as error:
                raise SourceFailed(f"it answers {error.code} {error.reason}") from None
            except (OSError, HTTPException) as error:
                if _size(partial) == before or attempt == TRIES - 1:
                    raise SourceFailed(str(getattr(error, "reason", error)) or type(error).__name__) from None
            if _size(partial) >= model.size:
                return
        raise SourceFailed(f"it sent {_size(partial)} of {model.size} bytes")

    def _fetch_once(self, model: EmbeddedModel, partial: Path, on_done: Done) -> None:
        start = _size(partial)
        if start >= model.size:  # complete, or of another file
            partial.unlink()
            start = 0
        with self._open(start) as response:
            goes_on = start and response.status == PARTIAL_CONTENT
            with partial.open("ab" if goes_on else "wb") as target:
                while block := response.read1(BLOCK):
                    target.write(block)
                    on_done(target.tell())
                    if target.tell() > model.size:
                        raise SourceFailed(f"it sends more than {model.size} bytes")

    def _open(self, start: int) -> HTTPResponse:
        """Send the request, with a bound on the whole of looking up, connecting and being redirected."""
        headers = {"User-Agent": "codeact", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        request = urllib.request.Request(self._url, headers=headers)  # noqa: S310 - http(s), checked by list_sources
        answer: Future[HTTPResponse] = Future()
        # A daemon thread: looking up a name has no timeout of its own, and must not hold up the end of the program.
        threading.Thread(target=_resolve, args=(answer, request), daemon=True).start()
        try:
            return answer.result(timeout=self._reach)
        except TimeoutError:
            raise SourceFailed(f"it does not answer within {self._reach:g} s") from None


def _resolve(answer: Future[HTTPResponse], request: urllib.request.Request) -> None:
    try:
        answer.set_result(urllib.request.urlopen(request, timeout=STALL))  # noqa: S310 - as above
    except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
        answer.set_exception(error)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
