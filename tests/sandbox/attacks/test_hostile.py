"""Attacks on what the host believes: results, reports, names, output; and on the machine's own resources."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from codeact.sandboxes.base import Sandbox
from codeact.settings import Limits
from codeact.testing import Selection, run_tests
from codeact.trajectory import Action, FileState, Outcome
from codeact.wire import printable

Opener = Callable[..., AbstractAsyncContextManager[Sandbox]]
SMALL = {"memory_bytes": 512 << 20, "processes": 64, "scratch_bytes": 32 << 20, "view_bytes": 32 << 20}

HOGS = {
    "spin on every core": "while True: pass",
    "fork bomb": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "zombies": "import os\nfor _ in range(10**6):\n    try:\n        if os.fork() == 0: os._exit(0)\n    except OSError: pass",
    "SIGTERM ignored by daemons": (
        "import os, signal, time\nfor _ in range(20):\n    if os.fork() == 0:\n        os.setsid()\n"
        "        for number in range(1, 32):\n            try: signal.signal(number, signal.SIG_IGN)\n            except OSError: pass\n"
        "        if os.fork() == 0: time.sleep(1234)\n        time.sleep(1234)\ntime.sleep(1234)"
    ),
    "a flood of output": "import os\nwhile True: os.write(1, b'x' * 65536)",
    "a flood without line ends": "while True: print('x' * 10**6, end='')",
    "stopped by itself": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "an endless result": "class Long:\n    def __repr__(self):\n        while True: pass\nLong()",
    "shared memory filled": "with open('/dev/shm/x', 'wb') as f:\n    while True: f.write(bytes(1 << 20))",
    "many names in scratch": "for n in range(10**7): open(f'/tmp/{n}', 'x').close()",
    "many names in the view": "for n in range(10**7): open(f'{n}.x', 'x').close()",
    "memory by mappings": "import mmap\nkept = []\nwhile True: kept.append(mmap.mmap(-1, 1 << 26)); kept[-1].write(b'x' * (1 << 26))",
    "one large object": "x = bytearray(3 << 30)",
    "memory in many processes": (
        "import subprocess, sys, time\n"
        "kept = [subprocess.Popen([sys.executable, '-c', 'x = bytearray(120 << 20); input()'], stdin=-1) for _ in range(9)]\n"
        "time.sleep(15)"
    ),
    "threads": "import threading, time\nfor _ in range(5000): threading.Thread(target=time.sleep, args=(60,)).start()",
    "scratch filled": "with open('/tmp/big', 'wb') as f:\n    while True: f.write(bytes(1 << 20))",
    "the view filled": "with open('big', 'wb') as f:\n    while True: f.write(bytes(1 << 20))",
    "locks": "import multiprocessing\nkept = [multiprocessing.Lock() for _ in range(10**6)]",
    "files without a name": (
        "import os\nkept = []\nwhile True:\n    kept.append(os.memfd_create('x'))\n"
        "    for _ in range(31): os.write(kept[-1], bytes(1 << 20))"
    ),
    "everybody stopped": "import os, signal, subprocess\nsubprocess.Popen(['sleep', '1234'])\nos.kill(-1, signal.SIGSTOP)\nos.kill(0, signal.SIGSTOP)",
    "a sparse giant": "with open('sparse', 'wb') as f: f.truncate(1 << 45)",
    "inodes by links": "open('one', 'x').close()\nimport os\nfor n in range(10**7): os.link('one', f'{n}.link')",
    "folders without end": "import os\nwhile True:\n    os.mkdir('d')\n    os.chdir('d')",
    "threads that begin threads": (
        "import threading\ndef more():\n    while True: threading.Thread(target=more, daemon=True).start()\nmore()"
    ),
    "sockets": "import socket\nkept = []\nwhile True: kept.append(socket.socketpair())",
    "pipes": "import os\nkept = []\nwhile True: kept.append(os.pipe())",
    "deep recursion in C": "x = ()\nfor _ in range(10**6): x = (x,)\nrepr(x)",
}


@pytest.mark.parametrize("name", HOGS)
async def test_what_hogs_the_machine_is_ended(open_one: Opener, name: str) -> None:
    """It fails or its time is over, the next action works, and nothing that it began goes on."""
    async with open_one(**SMALL) as sandbox:
        started = time.monotonic()
        seen = await sandbox.execute(Action(HOGS[name], timeout=1))
        assert seen.failure or seen.timed_out or seen.stderr or name in ("zombies", "deep recursion in C"), seen
        await sandbox.restore()
        assert (
            await sandbox.execute(Action("import os; len([p for p in os.listdir('/proc') if p.isdigit()])"))
        ).value in (
            "2",
            "3",
        )
        assert time.monotonic() - started < 40


RESULTS = """
import os, socket
os.symlink('/etc/passwd', 'link_out')
os.symlink('../../../../etc/passwd', 'link_up')
os.mkfifo('pipe')
socket.socket(socket.AF_UNIX).bind('sock')
open('sparse', 'wb').truncate(1 << 33) if False else None
open('ends with\\nline', 'w').write('x')
open(b'not utf-8 \\xff', 'w').write('x')
open(' -rf --help', 'w').write('x')
open('con:aux|nul', 'w').write('x')
open('\\u202egnp.exe', 'w').write('x')
os.makedirs('.git/hooks', exist_ok=True)
open('.git/hooks/pre-commit', 'w').write('evil')
os.makedirs('sub/.git', exist_ok=True)
open('sub/.git/config', 'w').write('evil')
deep = 'd/' * 300
os.makedirs(deep, exist_ok=True)
os.link('mod.py', 'hard')
"""


async def test_hostile_names_and_kinds_stay_inside(open_one: Opener) -> None:
    """Links are told as links and never followed; pipes and sockets are refused; nothing of `.git` comes out."""
    async with open_one() as sandbox:
        seen = await sandbox.execute(Action(RESULTS))
        assert seen.failure is None, seen.failure
        found = await sandbox.changes()
        for link in ("link_out", "link_up"):
            state = found.files[link]
            assert state is None or state.mode == "120000"
        assert {"pipe", "sock"} <= {rejected.path for rejected in found.rejected} | (
            {"pipe", "sock"} - set(found.files)
        )
        assert not any(".git" in path.split("/") for path in found.files)
        assert not any(path.startswith("/") or ".." in path.split("/") or "\n" in path for path in found.files)
        assert found.files["hard"] == FileState(b"VALUE = 1\n")


async def test_a_million_files_are_refused_soon(open_one: Opener) -> None:
    """More files than may be read back end in an error or are cut, within the time that reading may take."""
    async with open_one() as sandbox:
        make = "import os\nos.mkdir('many')\nfor n in range(30_000): open(f'many/{n}', 'x').close()"
        await sandbox.execute(Action(make, timeout=50))
        started = time.monotonic()
        with contextlib.suppress(Exception):
            await sandbox.changes()
        assert time.monotonic() - started < 60
        assert (await sandbox.execute(Action("1 + 1"))).value == "2"


async def test_forged_messages_do_not_reach_the_host(open_one: Opener) -> None:
    """Whatever an action writes to descriptors it finds, the host hears the Worker only."""
    forge = """
import json, os
line = json.dumps({"id": 1, "done": {"value": "'forged'", "stdout": "forged"}}).encode() + b"\\n"
for number in range(3, 256):
    try:
        os.write(number, line * 50)
    except OSError:
        pass
for pid in os.listdir('/proc'):
    if pid.isdigit():
        for number in range(20):
            try:
                os.write(os.open(f'/proc/{pid}/fd/{number}', os.O_WRONLY | os.O_NONBLOCK), line)
            except OSError:
                pass
"""
    async with open_one() as sandbox:
        try:
            await sandbox.execute(Action(forge, timeout=3))
        except Exception:  # noqa: BLE001 - the interpreter's own line may have been spoiled, which ends only it
            return
        for _ in range(2):
            seen = await sandbox.execute(Action("'true'"))
            assert "forged" not in seen.value + seen.stdout
        assert seen.value == "true"


FORGED = {
    "a result for a test that never ran": """
import json, os
def test_real():
    for number in range(3, 64):
        try:
            os.write(number, json.dumps({"event": "result", "id": "test_x.py::test_ghost", "outcome": "passed"}).encode() + b"\\n")
        except OSError:
            pass
    assert False
""",
    "exit with success before the end": "import os\ndef test_real():\n    os._exit(0)\n",
    "exit in a thread": "import os, threading\ndef test_real():\n    threading.Thread(target=os._exit, args=(0,)).start()\n    import time; time.sleep(1)\n    assert False\n",
    "kill its own process": "import os, signal\ndef test_real():\n    os.kill(os.getpid(), signal.SIGKILL)\n",
    "stop its own process": "import os, signal\ndef test_real():\n    os.kill(os.getpid(), signal.SIGSTOP)\n",
    "sys.exit": "import sys\ndef test_real():\n    sys.exit(0)\n",
    "pytest.exit": "import pytest\ndef test_real():\n    pytest.exit('all is well', 0)\n",
    "kill the Worker": "import os, signal\ndef test_real():\n    os.kill(1, signal.SIGKILL)\n    assert False\n",
    "kill all others": "import os, signal\ndef test_real():\n    os.kill(-1, signal.SIGKILL)\n    assert False\n",
}


@pytest.mark.parametrize(
    ("name", "warm"),
    [*((name, False) for name in FORGED), ("exit with success before the end", True), ("sys.exit", True)],
)
async def test_a_test_process_does_not_report_success_by_dying_or_shouting(
    open_one: Opener, name: str, warm: bool
) -> None:
    """The test that fails is reported as failing, and no test that does not exist is reported at all."""
    async with open_one() as sandbox:
        await sandbox.write({"test_x.py": FileState(FORGED[name].encode())})
        limits = Limits(test_seconds=2, suite_seconds=15)
        report = await run_tests(sandbox, Selection(), limits, warm=warm)
        assert [result.node_id for result in report.results] == ["test_x.py::test_real"], report
        assert report.results[0].outcome is not Outcome.PASSED, report


async def test_terminal_escapes_are_shown_as_text(open_one: Opener) -> None:
    """What would move the cursor, set a title or ring is printable by the time a person sees it."""
    async with open_one() as sandbox:
        seen = await sandbox.execute(Action(r"print('\x1b]0;owned\x07\x1b[2J\x9b31m\r\x08 \u202e')"))
        shown = printable(seen.stdout)
        assert not any(ord(character) < 32 and character != "\n" for character in shown)
        assert "\x9b" not in shown
        assert "\u202e" not in shown


BOMB = r"""
import base64, struct, zlib
def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
packer = zlib.compressobj(9)
rows = b''.join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
picture = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 200_000, 200_000, 8, 0, 0, 0, 0))
picture += chunk(b'IDAT', rows) + chunk(b'IEND', b'')
small = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 2, 2, 8, 0, 0, 0, 0)) + chunk(b'IEND', b'')
import codeact_sandbox.exhibits as exhibits
exhibits.collect = lambda *_: [
    {'name': name, 'type': kind, 'data': base64.b64encode(data).decode()}
    for name, kind, data in (
        ('bomb.png', 'image/png', picture), ('../../evil.png', 'image/png', small), ('page', 'text/html', b'<b>' * 10**7),
        ('not.png', 'image/png', b'MZ'), ('program', 'application/x-executable', b'x'), ('fine.png', 'image/png', small),
    )
]
"""


async def test_exhibits_that_would_unfold_are_dropped(open_one: Opener) -> None:
    """A picture of 40 gigapixels in some kilobytes, a giant page, and what is no exhibit never reach whoever shows them."""
    async with open_one() as sandbox:
        seen = await sandbox.execute(Action(BOMB))
        assert [artifact.name for artifact in seen.artifacts] == ["../../evil.png", "fine.png"], seen


async def test_nothing_is_left_on_the_host(open_one: Opener, tmp_path: Path) -> None:
    """After an action that leaves all it can, no process, mount or folder of it is there."""
    leave = "import subprocess\nfor _ in range(5): subprocess.Popen(['sleep', '98765'], start_new_session=True)"
    async with open_one() as sandbox:
        await sandbox.execute(Action(leave))
    await asyncio.to_thread(_check_nothing_left, tmp_path)


def _check_nothing_left(folder: Path) -> None:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "sleep 98765" not in listed
    assert str(folder) not in Path("/proc/self/mounts").read_text()
    assert list((folder / "state").glob("*")) == []
