"""The fork server: warm programs do what cold ones do, see each change, and are done without when they cannot be."""

import os
import time
import venv
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from codeact.sandboxes import describe_interpreter, open_sandbox
from codeact.sandboxes.base import Completed, Sandbox, SandboxSpec, sandbox_user
from codeact.settings import Limits, load_settings
from codeact.testing import Selection, run_tests
from codeact.trajectory import Action, FileState, Outcome

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


async def test_a_warm_run_ends_as_an_interpreter_does(open_one: Opener) -> None:
    """Threads are waited for, what was registered for the end runs, and the exit code is the program's."""
    program = b"""
import atexit, sys, time
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

atexit.register(print, "at the end")
Thread(target=lambda: (time.sleep(0.2), print("a thread"))).start()
ThreadPoolExecutor(1).submit(lambda: print("a pool's thread"))
sys.exit({"text": "some words", "number": 7, "nothing": None}[sys.argv[1]])
"""
    async with open_one() as sandbox:
        await sandbox.write({"program.py": FileState(program)})
        for argument, code in (("number", 7), ("text", 1), ("nothing", 0)):
            for warm in (False, True):
                argv = [sandbox.python, "-B", "program.py", argument]
                done = await sandbox.spawn(argv, timeout=30, warm=warm)
                assert done.exit_code == code
                assert sorted(done.stdout.splitlines()) == ["a pool's thread", "a thread", "at the end"]
                assert done.stderr.split("\n")[0] == ("some words" if argument == "text" else "")


async def test_a_changed_test_file_is_rewritten_again(open_one: Opener) -> None:
    """Assertions explain themselves, before and after a change, though the fork server rewrote the file ahead."""
    async with open_one() as sandbox:
        for value in (3, 4, 3):
            test = f"def test_it():\n    assert [1] == [{value}]\n"
            await sandbox.write({"test_it.py": FileState(test.encode())})
            for _ in range(2):
                assert f"E       assert [1] == [{value}]" in (await run_pytest(sandbox)).stdout


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


LIBRARIES = {
    "lib_plain.py": "import os\nPID = os.getpid()\n",
    "lib_reads.py": "import os\nPID = os.getpid()\nMODE = os.environ.get('LIB_MODE', 'usual')\n",
    "lib_holds.py": "import os, socket\nPID = os.getpid()\nPAIR = socket.socketpair()\n",
    "lib_threads.py": "import os, threading, time\nPID = os.getpid()\n"
    "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n",
    "lib_helper.py": "import os, subprocess\nPID = os.getpid()\nHELPER = subprocess.Popen(['sleep', '600'])\n",
    "lib_crashes.py": "import os\nPID = os.getpid()\ndef work():\n    os.getpid() == PID or os.abort()\n",
}
ASK = "import os, lib_{name} as lib\ndef test_it():\n    print('own' if lib.PID == os.getpid() else 'shared', {what})\n"


@pytest.fixture
def with_libraries(tmp_path: Path, backend: str) -> Opener:
    """Opens a sandbox whose interpreter has libraries that do at their import what some real ones do."""
    snapshot, workspace, environment = tmp_path / "snapshot", tmp_path / "work", tmp_path / "environment"
    snapshot.mkdir()
    workspace.mkdir()
    os.chown(snapshot, *sandbox_user())
    venv.create(environment, symlinks=True)
    [packages] = environment.glob("lib/python*/site-packages")
    for name, text in LIBRARIES.items():
        (packages / name).write_text(text)
    (packages / "own.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
    settings = load_settings(workspace, {"cache": str(tmp_path / "cache")}, {})
    spec = SandboxSpec(
        run="test",
        snapshot=snapshot,
        workspace=workspace,
        interpreter=describe_interpreter(environment / "bin" / "python", settings),
        limits=Limits(),
        state=tmp_path / "state",
    )
    return lambda: open_sandbox(spec, backend)


async def run_thrice(sandbox: Sandbox, files: dict[str, str]) -> list[str]:
    """What three warm runs print: of the first the fork server learns, by the second it has loaded what it will."""
    await sandbox.write({path: FileState(text.encode()) for path, text in files.items()})
    printed = []
    for _ in range(3):
        done = await run_pytest(sandbox)
        assert done.exit_code == 0, done.stdout
        printed += [line for line in done.stdout.splitlines() if line.startswith(("own", "shared"))]
    return printed


async def test_a_plain_library_is_loaded_once(with_libraries: Opener) -> None:
    """The measure for the others: from the second run on it is the fork server's."""
    async with with_libraries() as sandbox:
        printed = await run_thrice(sandbox, {"test_it.py": ASK.format(name="plain", what="''")})
        if not await fork_servers(sandbox):
            pytest.skip("the fork server did not start in time")
        assert printed == ["own ", "shared ", "shared "]


@pytest.mark.parametrize("name", ["holds", "threads", "helper"])
async def test_what_does_not_survive_a_fork_is_not_shared(with_libraries: Opener, name: str) -> None:
    """Connections, threads and child processes that a library makes at its import are each run's own."""
    async with with_libraries() as sandbox:
        assert await run_thrice(sandbox, {"test_it.py": ASK.format(name=name, what="''")}) == ["own "] * 3


async def test_what_a_project_sets_before_it_imports_counts(with_libraries: Opener) -> None:
    """A variable that a conftest file sets, and a library reads when it is imported, has been set by then."""
    conftest = "import os\nos.environ['LIB_MODE'] = 'special'\n"
    test = ASK.format(name="reads", what="lib.MODE")
    async with with_libraries() as sandbox:
        assert await run_thrice(sandbox, {"conftest.py": conftest, "test_it.py": test}) == ["own special"] * 3


async def test_a_run_that_crashes_in_a_fork_is_run_cold(with_libraries: Opener) -> None:
    """A library that aborts in another process than the one it was loaded in does no harm to a report."""
    test = "import lib_crashes\ndef test_it():\n    lib_crashes.work()\n"
    async with with_libraries() as sandbox:
        await sandbox.write({"test_it.py": FileState(test.encode())})
        for _ in range(3):
            report = await run_tests(sandbox, Selection(), Limits(), warm=True)
            assert [result.outcome for result in report.results] == [Outcome.PASSED]


async def test_pytest_has_nothing_to_object_to(with_libraries: Opener) -> None:
    """Plugins that were imported before pytest began are a warning, and here warnings are errors."""
    ini = "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n"
    test = ASK.format(name="plain", what="''")
    async with with_libraries() as sandbox:
        printed = await run_thrice(sandbox, {"pytest.ini": ini, "test_it.py": test})
        assert printed[0] == "own "
        assert set(printed[1:]) <= {"shared ", "own "}  # whichever it is, it did not fail
