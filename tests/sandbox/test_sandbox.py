"""What a sandbox does and what it does not let happen, with real programs in a real one."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from codeact.sandboxes import sweep
from codeact.sandboxes.base import Sandbox
from codeact.sandboxes.docker import connect
from codeact.settings import load_settings
from codeact.trajectory import Action, FileState, Observation

Opener = Callable[..., AbstractAsyncContextManager[Sandbox]]


async def run(sandbox: Sandbox, code: str, timeout: float = 20) -> Observation:
    return await sandbox.execute(Action(code, timeout))


async def test_state_values_output_and_errors(open_one: Opener) -> None:
    """Variables stay, a last expression has a value, output is caught at the descriptor, errors name the action's line."""
    async with open_one() as sandbox:
        assert (await run(sandbox, "x = 20\nx + 1")).value == "21"
        assert (await run(sandbox, "x * 2")).value == "40"
        seen = await run(
            sandbox,
            "import subprocess, sys\nprint('out')\nsubprocess.run(['echo', 'child'])\nprint('err', file=sys.stderr)",
        )
        assert (sorted(seen.stdout.split()), seen.stderr) == (["child", "out"], "err\n")
        failed = await run(sandbox, "def f(y):\n    return 1 / y\nf(0)")
        assert failed.failure
        assert failed.failure.type == "ZeroDivisionError"
        assert "line 2, in f\n    return 1 / y" in failed.failure.traceback
        assert "interpreter.py" not in failed.failure.traceback
        assert (await run(sandbox, "finish('done')")).finished == "done"
        assert (await run(sandbox, "import mod\nmod.VALUE")).value == "1"


async def test_output_is_bounded_with_head_and_tail(open_one: Opener) -> None:
    """A flood costs no memory, and both its ends are seen."""
    async with open_one(output_bytes=2000) as sandbox:
        seen = await run(sandbox, "print('first')\nfor i in range(300_000): print('x' * 50)\nprint('last')")
        assert len(seen.stdout) < 2200
        assert seen.stdout.startswith("first")
        assert seen.stdout.endswith("last\n")
        assert "bytes left out" in seen.stdout


async def test_what_is_written_to_the_view_is_bounded(open_one: Opener) -> None:
    """Many files of a lawful size fill the view as one of an unlawful does; hiding them does not help."""
    flood = (
        "import os\nos.mkdir('deep')\nfor i in range(60):\n    with open(f'deep/{i}', 'wb') as f:\n"
        "        for _ in range(16): f.write(bytes(1 << 20)); os.fsync(f)\n    os.chmod('deep', 0o300)"
    )
    async with open_one(view_bytes=64 << 20) as sandbox:
        seen = await run(sandbox, flood, timeout=20)
        assert "No space left" in str(seen.failure) or "more than a view may hold" in seen.stderr
        await sandbox.restore()
        assert (await run(sandbox, "import os\nos.path.exists('deep')")).value == "False"


async def test_a_timeout_ends_the_whole_tree_and_the_sandbox_goes_on(open_one: Opener) -> None:
    """Also what forked twice, took its own session and ignores signals."""
    daemon = (
        "import os, signal, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n        time.sleep(1000)\n    os._exit(0)\nwhile True: pass"
    )
    async with open_one() as sandbox:
        seen = await run(sandbox, daemon, timeout=1)
        assert seen.timed_out
        assert seen.seconds < 3
        assert "variables of earlier actions are lost" in seen.stderr
        alive = await run(sandbox, "import os\nsorted(int(p) for p in os.listdir('/proc') if p.isdigit())")
        assert len(alive.value.split(",")) == 2, "only the Worker and the interpreter"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os._exit(3)", "exit code 3"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
    ],
)
async def test_a_dead_interpreter_is_told_and_replaced(open_one: Opener, code: str, words: str) -> None:
    """Whatever ends the interpreter, the next action has a new one."""
    async with open_one() as sandbox:
        seen = await run(sandbox, code)
        assert seen.failure
        assert words in seen.failure.message
        assert (await run(sandbox, "1 + 1")).value == "2"


async def test_nothing_of_the_host_is_seen(open_one: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable, no file of the home folder, no capability, no privilege to gain."""
    monkeypatch.setenv("HOST_SECRET", "1")
    async with open_one() as sandbox:
        seen = await run(
            sandbox,
            "import os\nprint(os.environ)\nprint(os.path.exists(os.path.expanduser('~root/.bashrc')))\nprint(open('/proc/self/status').read())",
        )
        assert "HOST_SECRET" not in seen.stdout
        status = dict(line.split(":\t", 1) for line in seen.stdout.splitlines() if ":\t" in line)
        assert {status[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        assert "0" not in status["Uid"].split()


async def test_the_worker_survives_signals_from_inside(open_one: Opener) -> None:
    """Process 1 can neither be killed nor stopped by code of its own user."""
    async with open_one() as sandbox:
        await run(sandbox, "import os\nfor number in (9, 15, 19, 11): os.kill(1, number)")
        assert (await run(sandbox, "2")).value == "2"


async def test_ordinary_programs_work(open_one: Opener) -> None:
    """multiprocessing with shared memory, threads, a loopback server, subprocesses, temporary files."""
    code = """
import multiprocessing, socket, subprocess, tempfile, threading
with multiprocessing.get_context('fork').Pool(2) as pool:
    assert pool.map(abs, [-1, 2]) == [1, 2]
value = multiprocessing.Value('i', 5)
server = socket.create_server(('127.0.0.1', 0))
thread = threading.Thread(target=lambda: server.accept()[0].sendall(b'hi'))
thread.start()
assert socket.create_connection(server.getsockname()).recv(2) == b'hi'
assert subprocess.run(['sh', '-c', 'echo ok'], capture_output=True).stdout == b'ok\\n'
tempfile.NamedTemporaryFile().write(b'x')
'fine'
"""
    async with open_one() as sandbox:
        seen = await run(sandbox, code)
        assert seen.value == "fine", seen


async def test_changes_are_read_as_hostile_input_and_restored(open_one: Opener) -> None:
    """Edits, deletions, modes and links are told; pipes, sockets and giants are refused; junk is passed over."""
    code = """
import os, pathlib, socket
pathlib.Path('mod.py').write_text('VALUE = 2\\n')
os.remove('pkg/data.txt')
os.chmod('run.sh', 0o644)
os.makedirs('new/deep')
pathlib.Path('new/deep/\\u00fc x.txt').write_bytes(b'\\xff')
open(b'bad-\\xff', 'wb').close()
os.symlink('/etc/passwd', 'link')
os.mkfifo('pipe')
socket.socket(socket.AF_UNIX).bind('sock')
with open('giant', 'wb') as f: f.truncate(3 << 30)
open('line\\nbreak', 'w').close()
os.makedirs('__pycache__'); open('__pycache__/mod.pyc', 'w').close()
"""
    async with open_one(view_bytes=4 << 30) as sandbox:
        assert (await run(sandbox, code)).failure is None
        changes = await sandbox.changes()
        assert changes.files == {
            "mod.py": FileState(b"VALUE = 2\n"),
            "pkg/data.txt": None,
            "run.sh": FileState(b"#!/bin/sh\n"),
            "new/deep/\u00fc x.txt": FileState(b"\xff"),
            "bad-\udcff": FileState(b""),
            "link": FileState(b"/etc/passwd", "120000"),
        }
        assert {rejected.path for rejected in changes.rejected} == {"pipe", "sock", "giant", "line\nbreak"}
        await sandbox.restore()
        assert (await sandbox.changes()).files == {}
        assert (await run(sandbox, "import os\nsorted(os.listdir())")).value == "['mod.py', 'pkg', 'run.sh']"


async def test_write_does_not_follow_links(open_one: Opener) -> None:
    """A folder that code replaced by a link is not written through."""
    async with open_one() as sandbox:
        await run(sandbox, "import os, shutil\nshutil.rmtree('pkg')\nos.symlink('/tmp', 'pkg')")
        with pytest.raises(Exception, match="symlink"):
            await sandbox.write({"pkg/evil.txt": FileState(b"x")})
        await sandbox.write({"ok/there.txt": FileState(b"x", "100755")})
        assert (await run(sandbox, "import os\nos.access('ok/there.txt', os.X_OK)")).value == "True"


async def test_spawn_reports_times_out_and_leaves_nothing(open_one: Opener) -> None:
    """A program's report arrives by its own pipe; what it leaves behind is ended, the interpreter is not."""
    async with open_one() as sandbox:
        await run(sandbox, "kept = 7")
        pieces: list[bytes] = []
        program = "import os; os.write(int(os.environ['CODEACT_REPORT_FD']), b'told'); os.system('sleep 100 &'); raise SystemExit(3)"
        done = await sandbox.spawn([sandbox.python, "-c", program], timeout=20, on_report=pieces.append)
        assert (done.exit_code, b"".join(pieces)) == (3, b"told")
        done = await sandbox.spawn(["sleep", "100"], timeout=0.5)
        assert done.timed_out
        assert (await sandbox.spawn(["surely-no-program"], timeout=5)).exit_code == 127


async def test_cancelling_leaves_a_usable_sandbox(open_one: Opener) -> None:
    """A cancelled action is ended within two seconds, and the next one works."""
    async with open_one() as sandbox:
        running = asyncio.ensure_future(run(sandbox, "while True: pass", timeout=60))
        await asyncio.sleep(0.5)
        running.cancel()
        started = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert time.monotonic() - started < 2
        assert (await run(sandbox, "3")).value == "3"


async def test_a_killed_server_leaves_nothing(tmp_path: Path, backend: str) -> None:
    """`kill -9` of the server ends its sandbox, whatever runs in it; the next start removes what lies about."""
    if not sys.platform.startswith("linux"):
        pytest.skip("Linux only")
    workspace = tmp_path / "killed"
    workspace.mkdir()
    (workspace / "test_x.py").write_text("import time\n\n\ndef test_x():\n    time.sleep(600)\n")
    program = (
        "import asyncio, pathlib\nfrom codeact.revisit import run_tests_once\nfrom codeact.settings import load_settings\n"
        f"settings = load_settings(pathlib.Path({str(workspace)!r}), {{'state': {str(tmp_path / 'state')!r}, "
        f"'cache': {str(tmp_path / 'cache')!r}, 'sandbox': {{'backend': {backend!r}, "
        "'limits': {'test_seconds': 600}}}, {})\n"
        "asyncio.run(run_tests_once(settings))"
    )
    server = subprocess.Popen([sys.executable, "-c", program])  # noqa: ASYNC220 - it is what the test is about
    try:
        await _until(lambda: _processes(workspace), 20)
        server.send_signal(signal.SIGKILL)
        server.wait()
        await _until(lambda: not _processes(workspace), 5)
        sweep(load_settings(workspace, {"state": tmp_path / "state"}, {}))
        assert list((tmp_path / "state" / "sandboxes").iterdir()) == []
        if backend == "docker":
            assert connect().containers(all=True, filters={"label": "codeact=tests"}) == []
    finally:
        with contextlib.suppress(ProcessLookupError):
            server.kill()


async def _until(condition: Callable[[], object], seconds: float) -> None:
    for _ in range(int(seconds / 0.1)):
        if condition():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it did not come to that")


def _processes(workspace: Path) -> list[str]:
    found = []
    for pid in (path.name for path in Path("/proc").iterdir() if path.name.isdigit()):
        with contextlib.suppress(OSError):
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"worker.py" in line and str(workspace).encode() in line:
                found.append(pid)
    return found
