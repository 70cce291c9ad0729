"""Templates of the fork server: runs that go on from one do what others do, and see what pytest is configured by."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from codeact.sandboxes.base import Sandbox
from codeact.settings import Limits
from codeact.testing import Selection, run_tests
from codeact.trajectory import Action, FileState, TestReport

Opener = Callable[..., AbstractAsyncContextManager[Sandbox]]
FIND = """
import os
def children(pid):
    return [int(one) for one in open(f'/proc/{pid}/task/{pid}/children').read().split()]
def is_server(name):
    try:
        return 'forkserver' in open(f'/proc/{name}/cmdline').read()
    except OSError:
        return False
servers = {int(name) for name in os.listdir('/proc') if name.isdigit() and is_server(name)}
sorted(child for server in servers for child in children(server))
"""
TEST = """
import os, sys, mod

def test_value(tmp_path):
    print("to nobody")
    assert mod.VALUE == 1

def test_place():
    assert os.environ["CODEACT_TRACE"] == "0" and sys.stdin.read() == "" and os.getcwd() in sys.path
"""


async def run(sandbox: Sandbox, *tests: str, warm: bool = True) -> TestReport:
    return await run_tests(sandbox, Selection(tests), Limits(), warm=warm)


def outcomes(report: TestReport) -> list[tuple[str, str, str]]:
    return [(result.node_id, result.outcome.value, result.message) for result in report.results]


async def templates(sandbox: Sandbox) -> list[int]:
    found: list[int] = eval((await sandbox.execute(Action(FIND))).value)
    return found


async def wait_for_template(sandbox: Sandbox) -> list[int]:
    """The templates, once there is one: what a run has taught is worked on after it."""
    for _ in range(50):
        if found := await templates(sandbox):
            return found
        await asyncio.sleep(0.1)
    return []


@pytest.fixture
async def waiting(open_one: Opener) -> AsyncIterator[Sandbox]:
    """A sandbox in which the same tests have been run until a template waits for the next run."""
    async with open_one() as sandbox:
        await sandbox.write({"test_it.py": FileState(TEST.encode())})
        for _ in range(3):
            await run(sandbox)
        if not await wait_for_template(sandbox):
            pytest.skip("no template was made in time")
        yield sandbox


async def test_a_run_from_a_template_is_as_a_cold_one(waiting: Sandbox) -> None:
    """Again and again, after a restore too, and with each change of the project seen."""
    cold = outcomes(await run(waiting, warm=False))
    assert [outcomes(await run(waiting)) for _ in range(3)] == [cold] * 3
    await waiting.write({"mod.py": FileState(b"VALUE = 2\n")})
    assert "assert 2 == 1" in outcomes(await run(waiting))[0][2]
    before = await wait_for_template(waiting)
    await waiting.restore()
    assert await templates(waiting) == before != []
    await waiting.write({"test_it.py": FileState(TEST.encode())})
    assert outcomes(await run(waiting)) == cold


@pytest.mark.parametrize(
    "files",
    [
        {"pytest.ini": b"[pytest]\naddopts = -k place\n"},
        {"pyproject.toml": b"[tool.pytest.ini_options]\npython_functions = 'test_place'\n"},
        {
            "pytest.ini": b"[pytest]\naddopts = -p ours\n",
            "ours.py": b"import pytest\n\ndef pytest_itemcollected(item):\n    item.add_marker(pytest.mark.skip)\n",
        },
        {"conftest.py": b"def pytest_itemcollected(item):\n    item.obj = lambda: 1 / 0\n"},
        {"pytest.ini": b"[pytest]\naddopts = --no-such-option\n"},
    ],
    ids=["options", "pyproject", "plugin", "conftest", "nonsense"],
)
async def test_what_pytest_is_configured_by_counts_as_it_is(waiting: Sandbox, files: dict[str, bytes]) -> None:
    """A configuration that has changed since the template was made holds for the next run, and for those after."""
    await waiting.write({path: FileState(content) for path, content in files.items()})
    cold = await run(waiting, warm=False)
    for _ in range(4):
        warm = await run(waiting)
        assert outcomes(warm) == outcomes(cold)
        assert (warm.exit_code, bool(warm.problem)) == (cold.exit_code, bool(cold.problem))


async def test_other_tests_are_other_runs(waiting: Sandbox) -> None:
    """A template is for one command; few are kept."""
    for name in ("test_value", "test_it.py::test_place", "test_it.py", "test_value"):
        cold = outcomes(await run(waiting, name, warm=False))
        assert [outcomes(await run(waiting, name)) for _ in range(3)] == [cold] * 3
    assert len(await templates(waiting)) <= 2


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
async def test_a_template_that_was_hurt_is_done_without(waiting: Sandbox, signal: str) -> None:
    """Code in the sandbox may kill or stop it; the tests run all the same."""
    [template, *_] = await wait_for_template(waiting)
    await waiting.execute(Action(f"import os, signal; os.kill({template}, signal.SIG{signal})"))
    cold = outcomes(await run(waiting, warm=False))
    assert [outcomes(await run(waiting)) for _ in range(2)] == [cold] * 2
