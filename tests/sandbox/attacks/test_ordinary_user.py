"""The same walls where the server is an ordinary user: no control groups, and namespaces that it owns."""

import json
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from attack_programs import KERNEL, PRELUDE, PRIVILEGES, WRITING

import codeact
import codeact_sandbox
from codeact.sandboxes import bubblewrap

pytestmark = pytest.mark.bubblewrap
PYTHON = "/usr/bin/python3"
USER = 64102
OPEN = """
import asyncio, json, pathlib, sys
from codeact.sandboxes import find_interpreter, open_sandbox
from codeact.sandboxes.base import SandboxSpec
from codeact.settings import Limits, load_settings
from codeact.trajectory import Action
base, programs = pathlib.Path(sys.argv[1]), json.load(sys.stdin)
for name in ("snapshot", "work"): (base / name).mkdir()
(base / "snapshot" / "mod.py").write_text("VALUE = 1\\n")
settings = load_settings(base / "work", {}, {"CODEACT_PYTHON": sys.executable})
spec = SandboxSpec(run="user", snapshot=base / "snapshot", workspace=base / "work", state=base / "state",
    interpreter=find_interpreter(settings), limits=Limits(memory_bytes=512 << 20))
async def main():
    told = {}
    async with open_sandbox(spec, "bubblewrap") as sandbox:
        for name, program in programs.items():
            seen = await sandbox.execute(Action(program, timeout=30))
            told[name] = seen.stdout.strip() or seen.stderr.strip() or (seen.failure.message if seen.failure else "nothing")
    print(json.dumps(told))
asyncio.run(main())
"""
FILL = """
import os
kept = []
for _ in range(40):
    kept.append(os.memfd_create('x'))
    for _ in range(32): os.write(kept[-1], bytes(1 << 20))
import time
time.sleep(1)
print('filled')
"""
SHARE = """
import mmap, time
kept = []
for _ in range(20):
    kept.append(mmap.mmap(-1, 1 << 26))
    kept[-1].write(bytes(1 << 26))
time.sleep(1)
print('filled')
"""


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder of the ordinary user's; pytest's own are for root only."""
    folder = Path(tempfile.mkdtemp(prefix="codeact-user-"))
    os.chown(folder, USER, USER)
    yield folder
    shutil.rmtree(folder)


def run_as_user(base: Path, programs: dict[str, str]) -> dict[str, str]:
    """What programs say, each an action in one sandbox of an ordinary user's server."""
    if reason := bubblewrap.probe():
        pytest.skip(reason)
    if os.getuid() != 0 or not Path(PYTHON).exists():
        pytest.skip("only root can become another user, and that one needs a Python of the system's")
    places = [Path(codeact.__file__).parent.parent, Path(codeact_sandbox.__file__).parent.parent]
    environ = {
        "PYTHONPATH": ":".join(map(str, [*places, sysconfig.get_path("purelib")])),
        "PATH": "/usr/bin:/bin",
        "HOME": str(base),
    }
    become = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", PYTHON]
    trial = subprocess.run([*become, "-c", "import codeact.sandboxes"], env=environ, capture_output=True, check=False)
    if trial.returncode:
        pytest.skip(f"{PYTHON} cannot run the server as another user: {trial.stderr.decode()[-200:]}")
    done = subprocess.run(
        [*become, "-c", OPEN, base],
        env=environ,
        input=json.dumps(programs),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, str] = json.loads(done.stdout)
    return told


def test_walls_hold(base: Path) -> None:
    """Nothing but view and scratch can be written, and no privilege is gained, though the user owns the namespaces."""
    given = PRELUDE + f"HOST_SECRET = {str(base / 'secret')!r}\n"
    told = run_as_user(base, {"prelude": given + "print('HELD')", **WRITING, **KERNEL, **PRIVILEGES})
    assert {name: said for name, said in told.items() if not said.startswith("HELD")} == {}


@pytest.mark.parametrize("program", [FILL, SHARE], ids=["files without a name", "shared mappings"])
def test_memory_of_no_process_is_bounded(base: Path, program: str) -> None:
    """1.3 GB of memory that counts for no process is noticed where 512 MB may be used."""
    told = run_as_user(base, {"fill": program, "after": "print('still here')"})
    assert "memory was used up" in told["fill"], told
    assert told["after"] == "still here"
