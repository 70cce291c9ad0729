"""Fetching an embedded model from real sources: a web server, wheels through pip and uv, files."""

import hashlib
import random
import socket
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from codeact.errors import ModelUnavailable
from codeact.models import embedded, pull
from codeact.models.embedded import EmbeddedModel, Packages
from codeact.models.pull import PullProgress, installed_models, model_path, pull_model
from codeact.models.sources import index, list_sources
from codeact.models.sources.web import WebSource
from codeact.settings import Settings

DATA = random.Random(7).randbytes(300_000)
PARTS = (DATA[:100_000], DATA[100_000:200_000], DATA[200_000:])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(workspace=tmp_path, state=tmp_path / "state", cache=tmp_path / "cache")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> EmbeddedModel:
    """A small model of three parts, whose home does not answer."""
    made = EmbeddedModel(
        name="tiny",
        file="tiny.gguf",
        sha256=hashlib.sha256(DATA).hexdigest(),
        size=len(DATA),
        home="http://127.0.0.1:9/tiny.gguf",
        packages=Packages(names=("tiny-part1", "tiny-part2", "tiny-part3"), version="1.0", member="*/data/part*.bin"),
        context=2048,
        schedule=embedded.SMALL_MODEL_SCHEDULE,
        about="for these tests",
    )
    monkeypatch.setattr(embedded, "EMBEDDED", (made,))
    monkeypatch.setattr(pull, "EMBEDDED", (made,))
    monkeypatch.setattr(embedded, "DEFAULT_EMBEDDED", "tiny")
    return made


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The three parts as wheels, in a folder that pip and uv are set up to take packages from."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for number, part in enumerate(PARTS, 1):
        make_wheel(folder, f"tiny_part{number}", f"data/part{number}.bin", part)
    for client in ("PIP", "UV"):
        monkeypatch.setenv(f"{client}_NO_INDEX", "1")
        monkeypatch.setenv(f"{client}_FIND_LINKS", str(folder))
    return folder


def make_wheel(folder: Path, package: str, member: str, data: bytes) -> None:
    info = f"{package}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{package}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{package}/__init__.py", "raise SystemExit('nothing of a wheel is run')")
        archive.writestr(f"{package}/{member}", data)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package.replace('_', '-')}\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


class Web(ThreadingHTTPServer):
    """A web server that knows ranges, and may break a connection after some bytes."""

    def __init__(self, data: bytes, *, break_after: int = 0, ranges: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), WebHandler)
        self.data, self.break_after, self.ranges = data, break_after, ranges
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class WebHandler(BaseHTTPRequestHandler):
    server: Web

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append(wanted)
        if self.path != "/tiny.gguf":
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-") or 0) if self.server.ranges else 0
        data = self.server.data[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: self.server.break_after or None])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Be quiet."""


@contextmanager
def serve(data: bytes = DATA, **options: object) -> Iterator[Web]:
    with Web(data, **options) as server:  # type: ignore[arg-type]  # passed on
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("wheels")
def test_a_dead_home_fails_over_to_the_index(settings: Settings, model: EmbeddedModel) -> None:
    """The parts are joined and checked, progress is told, and nothing but the model is left."""
    told: list[PullProgress] = []
    assert model_path(settings, "tiny") is None
    file = pull_model(settings, "", told.append)
    assert file.read_bytes() == DATA
    assert file == model_path(settings, "tiny") == installed_models(settings)[0].file
    assert [entry.done for entry in told] == [0, 0, 100_000, 200_000, 300_000, 300_000]
    assert all(entry.total == model.size for entry in told)
    assert sorted(path.name for path in file.parent.iterdir()) == ["tiny.gguf", "tiny.gguf.checked", "tiny.gguf.lock"]


def test_complete_parts_are_kept(settings: Settings, model: EmbeddedModel, wheels: Path) -> None:
    """A pull that broke off goes on with the next part, also when it was killed within one."""
    third = (wheels / "tiny_part3-1.0-py3-none-any.whl").rename(wheels / "later")
    with pytest.raises(ModelUnavailable, match="tiny-part3"):
        pull_model(settings)
    partial = settings.cache / "models" / "tiny.gguf.index.part"
    assert partial.read_bytes() == DATA[:200_000]
    with partial.open("ab") as file:
        file.write(b"half a part")
    for number in (1, 2):
        (wheels / f"tiny_part{number}-1.0-py3-none-any.whl").unlink()
    third.rename(wheels / "tiny_part3-1.0-py3-none-any.whl")
    assert pull_model(settings).read_bytes() == DATA
    assert model.sha256 in (settings.cache / "models" / "tiny.gguf.checked").read_text("utf-8")


@pytest.mark.usefixtures("wheels", "model")
def test_uv_where_there_is_no_pip(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environments made by uv have no pip."""
    monkeypatch.setattr(index.importlib.util, "find_spec", lambda _: None)
    assert pull_model(settings).read_bytes() == DATA


@pytest.mark.usefixtures("model")
def test_neither_pip_nor_uv(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the message names every source, why it failed, and what is left to do."""
    monkeypatch.setattr(index.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(index.shutil, "which", lambda *_, **__: None)
    with pytest.raises(ModelUnavailable) as caught:
        pull_model(settings)
    assert "127.0.0.1:9: [Errno 111] Connection refused" in str(caught.value)
    assert "the package index: neither pip nor uv is installed" in str(caught.value)
    assert "codeact model pull tiny --from FILE" in str(caught.value)


def test_a_broken_download_goes_on(settings: Settings, model: EmbeddedModel) -> None:
    """Each connection brings some more, and no byte is fetched twice."""
    with serve(break_after=100_000) as web:
        assert pull_model(settings, "tiny", source=web.url).read_bytes() == DATA
    assert web.asked == ["", "bytes=100000-", "bytes=200000-"]
    assert model.size == 300_000


@pytest.mark.usefixtures("model")
def test_a_server_without_ranges(settings: Settings) -> None:
    """What an earlier pull left is dropped when the server begins anew."""
    partial = settings.cache / "models" / "tiny.gguf.web.part"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"x" * 1000)
    with serve(ranges=False) as web:
        assert pull_model(settings, "tiny", source=f"{web.url}/tiny.gguf").read_bytes() == DATA


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("data", [DATA[:-1] + b"?", DATA + b"more", b"<html>"])
def test_what_does_not_match_is_never_used(settings: Settings, data: bytes) -> None:
    """Another file, a longer and a shorter one are refused, and nothing of them stays."""
    with (
        serve(data) as web,
        pytest.raises(ModelUnavailable, match=r"not this model|more than|sent 6 of|IncompleteRead"),
    ):
        pull_model(settings, "tiny", source=web.url)
    assert model_path(settings, "tiny") is None


@pytest.mark.usefixtures("model")
def test_a_host_that_swallows_packets_is_given_up_soon(settings: Settings) -> None:
    """A firewall that drops everything costs seconds, not minutes."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        source = WebSource(f"http://127.0.0.1:{silent.getsockname()[1]}/tiny.gguf", reach=0.3)
        start = time.monotonic()
        with pytest.raises(Exception, match=r"does not answer within 0\.3 s"):
            source.fetch(embedded.EMBEDDED[0], settings.workspace / "part", lambda _: None)
        assert time.monotonic() - start < 2


@pytest.mark.usefixtures("wheels")
def test_a_mirror_is_tried_first(settings: Settings, model: EmbeddedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder, a file or an address; when it lacks the model, the other sources are tried."""
    mirror = settings.workspace / "mirror"
    mirror.mkdir()
    monkeypatch.setenv("CODEACT_MODEL_SOURCE", str(mirror))
    assert next(source.name for source in list_sources(model)) == str(mirror / "tiny.gguf")
    assert pull_model(settings).read_bytes() == DATA
    (mirror / "tiny.gguf").write_bytes(DATA)
    told: list[PullProgress] = []
    pull_model(replace(settings, cache=settings.workspace / "other"), "tiny", told.append)
    assert str(mirror) in told[0].message
    assert told[-1].message == "checking"


@pytest.mark.usefixtures("model")
def test_a_given_file(settings: Settings) -> None:
    """`--from FILE` takes that file or says why not, and looks nowhere else."""
    with pytest.raises(ModelUnavailable, match=r"missing\.gguf: there is no such file"):
        pull_model(settings, "tiny", source=str(settings.workspace / "missing.gguf"))
    short = settings.workspace / "short.gguf"
    short.write_bytes(b"short")
    with pytest.raises(ModelUnavailable, match="it has 5 bytes, the model has 300000"):
        pull_model(settings, "tiny", source=str(short))
    whole = settings.workspace / "whole.gguf"
    whole.write_bytes(DATA)
    assert pull_model(settings, "tiny", source=str(whole)).read_bytes() == DATA


@pytest.mark.usefixtures("model")
def test_a_full_disk_is_told_before(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched that has no room."""
    monkeypatch.setattr(pull.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 5 * 1024 * 1024}))
    with pytest.raises(ModelUnavailable, match=r"has 5 MiB free, 256 MiB are needed"):
        pull_model(settings, "tiny", source=sys.executable)


@pytest.mark.usefixtures("model")
def test_a_changed_file_is_no_model(settings: Settings) -> None:
    """A file that was changed after it was checked is not used, one without its stamp is checked again."""
    whole = settings.workspace / "whole.gguf"
    whole.write_bytes(DATA)
    file = pull_model(settings, "tiny", source=str(whole))
    file.with_name("tiny.gguf.checked").unlink()
    assert model_path(settings, "tiny") == file
    file.write_bytes(DATA[:-1] + b"?")
    assert model_path(settings, "tiny") is None
    assert pull_model(settings, "tiny", source=str(whole)).read_bytes() == DATA
