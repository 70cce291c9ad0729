"""Candidates validated at once: each sees its own changes only, whatever kind they are, and nothing is left."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from workspaces import make_workspace

from codeact.errors import SandboxError
from codeact.sandboxes import bubblewrap, docker
from codeact.settings import load_settings
from codeact.snapshot import take_snapshot
from codeact.testing import Selection
from codeact.trajectory import FileState
from codeact.verify import find_bench
from codeact.views import Files, Views, open_views

DATA = "import json\n\n\ndef total():\n    with open('rates/data.json') as file:\n        return sum(json.load(file))\n"
TESTS = """
import os, pathlib, socket, time
from shop import total

def test_total():
    assert total() == int(os.environ.get('WANTED', '6'))

def test_alone():
    # Candidates that shared a folder or a port would meet here.
    with socket.create_server(('127.0.0.1', 8123)):
        mark = pathlib.Path('/tmp/mark')
        assert not mark.exists()
        mark.write_text('mine')
        pathlib.Path('left.txt').write_text('mine')
        time.sleep(0.3)
        assert len(list(pathlib.Path('.').glob('left*'))) == 1
"""


@pytest.fixture(params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("bubblewrap", "docker")])
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend that works here."""
    name: str = request.param
    if reason := {"bubblewrap": bubblewrap, "docker": docker}[name].probe():
        pytest.skip(reason)
    return name


@asynccontextmanager
async def views_of(folder: Path, backend: str, count: int = 2) -> AsyncIterator[Views]:
    """Views of a workspace whose total comes from a data file and a module."""
    files = {"shop.py": DATA, "rates/data.json": "[1, 2]", "test_shop.py": TESTS}
    workspace = make_workspace(folder / "work", files, git=False)
    own = {"state": str(folder / "state"), "cache": str(folder / "cache"), "sandbox": {"backend": backend}}
    settings = load_settings(workspace, own, {})
    bench = await find_bench(settings, "views")
    async with open_views(bench, take_snapshot(settings), count) as views:
        yield views
    assert list((folder / "state" / "sandboxes").iterdir()) == []


def text(content: str) -> FileState:
    return FileState(content.encode())


async def test_each_candidate_sees_its_own_files(tmp_path: Path, backend: str) -> None:
    """Changed data, a changed module, several files at once, a deleted file: each is judged alone."""
    module = text("from rates.more import total\n")
    candidates: list[Files] = [
        {"rates/data.json": text("[1, 2, 3]")},
        {},
        {"shop.py": module, "rates/__init__.py": text(""), "rates/more.py": text("def total():\n    return 6\n")},
        {"rates/data.json": None},
        {"shop.py": text(DATA.replace("sum", "2 * sum"))},
        {"shop.py": module},
    ]
    async with views_of(tmp_path, backend) as views:
        found = {number: report async for number, report in views.try_changes(candidates, Selection())}
        passed = {number: [result.outcome for result in report.results] for number, report in found.items()}
        assert [number for number in sorted(found) if not found[number].failing] == [0, 2, 4], passed
        again = [number async for number, _ in views.try_changes(candidates[:1], Selection(("test_total",)))]
        assert again == [0]


async def test_whoever_has_heard_enough_stops(tmp_path: Path, backend: str) -> None:
    """What still runs is ended, and the views serve the next candidates."""
    slow = "import time\ntime.sleep(15)\n"
    async with views_of(tmp_path, backend) as views:
        [_] = [number async for number, _ in views.try_changes([{}], Selection())]
        candidates: list[Files] = [{"shop.py": text(slow)}, {"rates/data.json": text("[6]")}]
        async with aclosing(views.try_changes(candidates, Selection(("test_total",)))) as reports:
            async for number, report in reports:
                assert (number, report.failing) == (1, ())
                break
        found = [number async for number, _ in views.try_changes([{}, {}, {}], Selection(("test_total",)))]
        assert sorted(found) == [0, 1, 2]


async def test_a_candidate_that_cannot_be_written(tmp_path: Path, backend: str) -> None:
    """It is an error, and no report."""
    async with views_of(tmp_path, backend, 1) as views:
        with pytest.raises(SandboxError, match="write"):
            [_ async for _ in views.try_changes([{"rates/data.json/x": text("")}], Selection())]
