"""The fork server: warm programs do what cold ones do, see each change, and are done without when they cannot be."""

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from codeact.sandboxes.base import Completed, Sandbox
from codeact.trajectory import Action, FileState

Opener = Callable[..., AbstractAsyncContextManager[Sandbox]]
SHOW = b"import mod, os, sys\ndef test_it():\n    print('value', mod.VALUE, sys.argv[1:], os.environ['MARK'])\n"
FIND = """
import os
def commands():
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                yield int(name), open(f'/proc/{name}/cmdline').read()
            except OSError:
                pass
[pid for pid, command in commands() if 'forkserver' in command]
"""


async def run_pytest(sandbox: Sandbox, *arguments: str, warm: bool = True, timeout: float = 60) -> Completed:
    argv = [sandbox.python, "-B", "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", *arguments]
    return await sandbox.spawn(argv, timeout=timeout, environ={"MARK": "here"}, warm=warm)


async def fork_servers(sandbox: Sandbox) -> list[int]:
    found: list[int] = eval((await sandbox.execute(Action(FIND))).value)
    return found


async def test_a_warm_run_is_as_a_cold_one_and_sees_each_change(open_one: Opener) -> None:
    """Output, arguments, variables and exit code are the same, and no module of the project is kept."""
    async with open_one() as sandbox:
        await sandbox.write({"test_it.py": FileState(SHOW)})
        cold = await run_pytest(sandbox, warm=False)
        warm = await run_pytest(sandbox)
        shown = "value 1 ['-q', '-s', '-p', 'no:cacheprovider'] here"
        assert shown in cold.stdout
        assert shown in warm.stdout
        assert (cold.exit_code, warm.exit_code) == (0, 0)
        assert await fork_servers(sandbox) != []
        await sandbox.write({"mod.py": FileState(b"VALUE = 2\n")})
        assert "value 2" in (await run_pytest(sandbox)).stdout
        await sandbox.write({"mod.py": FileState(b"VALUE = nonsense\n")})
        assert (await run_pytest(sandbox)).exit_code == 2


async def test_modules_that_the_workspace_has_itself_are_the_workspaces(open_one: Opener) -> None:
    """Where the project shadows what is loaded already, nothing is forked."""
    async with open_one() as sandbox:
        await run_pytest(sandbox)
        test = b"import iniconfig\ndef test_it():\n    assert iniconfig.OURS\n"
        await sandbox.write(
            {"iniconfig.py": FileState(b"OURS = 1\nclass IniConfig: pass\n"), "test_it.py": FileState(test)}
        )
        assert (await run_pytest(sandbox)).exit_code == (await run_pytest(sandbox, warm=False)).exit_code


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
async def test_a_fork_server_that_was_hurt_is_done_without(open_one: Opener, signal: str) -> None:
    """Code in the sandbox may kill or stop it; tests run all the same."""
    async with open_one() as sandbox:
        await sandbox.write({"test_it.py": FileState(SHOW)})
        await run_pytest(sandbox)
        [server] = await fork_servers(sandbox)
        await sandbox.execute(Action(f"import os, signal; os.kill({server}, signal.SIG{signal})"))
        assert "value 1" in (await run_pytest(sandbox)).stdout


async def test_it_outlives_a_timeout_and_a_restore(open_one: Opener) -> None:
    """It has run nothing of the project, so there is no reason to load it anew."""
    async with open_one() as sandbox:
        await sandbox.write({"test_it.py": FileState(b"import time\ndef test_it():\n    time.sleep(60)\n")})
        started = time.monotonic()
        assert (await run_pytest(sandbox, timeout=5)).timed_out
        assert time.monotonic() - started < 30
        servers = await fork_servers(sandbox)
        await sandbox.restore()
        assert await fork_servers(sandbox) == servers != []
        assert (await run_pytest(sandbox)).exit_code == 5


async def test_what_a_run_leaves_behind_ends_with_it(open_one: Opener) -> None:
    """Daemons of a forked test process die as those of any program do."""
    left = b"import subprocess\ndef test_it():\n    subprocess.Popen(['sleep', '1234'], start_new_session=True)\n"
    async with open_one() as sandbox:
        await sandbox.write({"test_it.py": FileState(left)})
        assert (await run_pytest(sandbox)).exit_code == 0
        found = FIND.replace("'forkserver'", "'1234'")
        assert (await sandbox.execute(Action(found))).value == "[]"
