"""Sandboxes made by bubblewrap: namespaces of the kernel, no engine, no image, up in milliseconds.

The view is an overlay: below it the snapshot, above it a tmpfs of bounded size. Both are mounted in a mount namespace
that only this sandbox has, so that nothing needs unmounting, whatever ends it.
"""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from codeact.errors import SandboxDied, SandboxUnavailable
from codeact.sandboxes import cgroups, layout
from codeact.sandboxes.base import Sandbox, SandboxSpec, sandbox_user
from codeact.sandboxes.channel import MAX_LINE, Channel
from codeact.sandboxes.turns import in_turn

START_SECONDS = 30.0
END_SECONDS = 5.0
INODES = 200_000
MISSING = "bwrap is not installed"
FORBIDDEN = (
    "This machine does not let its users make namespaces, which the sandbox is made of. As root, whichever of these it "
    "knows: sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0"
)
REMEDY = "Install it, for instance: apt-get install bubblewrap"

# $1: mount point, $2 and $3: options of the tmpfs for view and scratch, $4: owner of the view, $5: options of the
# overlay, $6: control groups; then the program.
MOUNT = """
set -e
base=$1; size=$2; scratch=$3; owner=$4; overlay=$5; groups=$6; shift 6
for group in $groups; do echo $$ > "$group/cgroup.procs"; done
mount -t tmpfs -o "$size" tmpfs "$base"
install -d -o "${owner%:*}" -g "${owner#*:}" "$base/upper" "$base/work" "$base/view" "$base/tmp" "$base/shm"
for folder in tmp shm; do mount -t tmpfs -o "$scratch" tmpfs "$base/$folder"; done
mount -t overlay overlay -o "$overlay" "$base/view"
exec "$@"
"""


class BubblewrapSandbox:
    """A running sandbox. Implements the Sandbox Protocol; the calls are the channel's."""

    name = "bubblewrap"

    def __init__(self, channel: Channel, spec: SandboxSpec, python: str, environment: Mapping[str, str]) -> None:
        self.python = python
        self.environment = environment
        self.execute = channel.execute
        self.spawn = in_turn(channel.spawn, spec.state.with_name("turns"))
        self.preload = partial(channel.preload, python)
        self.attach = channel.attach
        self.write = channel.write
        self.changes = channel.changes
        self.restore = channel.restore


@asynccontextmanager
async def open_bubblewrap(spec: SandboxSpec) -> AsyncIterator[Sandbox]:
    """Start a sandbox; leaving the context ends all that runs in it.

    Raises:
        SandboxUnavailable: bubblewrap is missing, or the kernel does not let it work.
    """
    layout.check_workspace(spec.workspace)
    if spec.image or spec.interpreter is None:
        raise SandboxUnavailable("An image needs Docker. Start Docker, or remove the image setting.")
    with cgroups.limited(spec) as groups, _mount_point(spec) as base:
        process = await _start(spec, base, groups)
        try:
            channel = _connect(process)
            ready = await channel.greet(START_SECONDS)
            facts = layout.describe("bubblewrap", spec, ready)
            yield BubblewrapSandbox(channel, spec, str(spec.interpreter.executable), facts)
        finally:
            await _end(process)


def probe() -> str:
    """Why bubblewrap cannot be used here; empty if it can."""
    if shutil.which("bwrap") is None:
        return MISSING
    for trial in ([*_unshare(), "true"], ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]):
        try:
            done = subprocess.run(trial, capture_output=True, timeout=10, check=False)
        except (OSError, subprocess.SubprocessError) as error:
            return str(error)
        if done.returncode:
            return _explain(done.stderr.decode("utf-8", "replace").strip())
    return ""


def _explain(said: str) -> str:
    """What `unshare` or `bwrap` said, with what to do about it where that is known."""
    if "root filesystem propagation" in said:
        return f"{said}. In a chroot, its top folder must be a mount point: mount --bind DIR DIR, then chroot DIR"
    if os.getuid() and re.search(r"unshare failed|uid.?map|namespace|new mount", said):
        return f"{said}. {FORBIDDEN}"
    return said


async def _start(spec: SandboxSpec, base: Path, groups: Sequence[Path]) -> asyncio.subprocess.Process:
    files = {path: _memory_file(text) for path, text in layout.etc_files().items()}
    try:
        return await asyncio.create_subprocess_exec(
            *_command(spec, base, groups, files),
            pass_fds=tuple(files.values()),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            limit=MAX_LINE,
            start_new_session=True,
            env={"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")},
            cwd="/",
        )
    except FileNotFoundError as error:
        raise SandboxUnavailable(f"{error.filename} is not installed. {REMEDY}") from None
    finally:
        for descriptor in files.values():
            os.close(descriptor)


def _memory_file(text: str) -> int:
    descriptor = os.memfd_create("codeact", 0)
    os.write(descriptor, text.encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _command(spec: SandboxSpec, base: Path, groups: Sequence[Path], files: Mapping[str, int]) -> list[str]:
    is_root = os.getuid() == 0
    size = f"size={spec.limits.view_bytes},nr_inodes={INODES},mode=0755"
    scratch = f"size={spec.limits.scratch_bytes},nr_inodes={INODES},mode=1777,nosuid,nodev"
    overlay = f"lowerdir={_escape(spec.snapshot)},upperdir={_escape(base)}/upper,workdir={_escape(base)}/work"
    owner = ":".join(map(str, sandbox_user() if is_root else (0, 0)))
    # No folder is renamed by reference, so that each with a change in it is in the upper layer; userxattr implies that.
    overlay += ",redirect_dir=off" if is_root else ",userxattr"
    shell = ["sh", "-c", MOUNT, "codeact", str(base), size, scratch, owner, overlay, " ".join(map(str, groups))]
    return [*_unshare(), *shell, *_bwrap(spec, base, files, is_root=is_root)]


def _unshare() -> list[str]:
    """What gives a program mounts of its own, which nobody else sees."""
    alone = ["unshare", "--mount", "--propagation", "private"]
    return alone if os.getuid() == 0 else [*alone, "--user", "--map-root-user"]


def _bwrap(spec: SandboxSpec, base: Path, files: Mapping[str, int], *, is_root: bool) -> list[str]:
    assert spec.interpreter is not None  # noqa: S101 - checked where the sandbox is opened
    arguments = ["bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    arguments += ["--die-with-parent", "--new-session", "--as-pid-1", "--hostname", "sandbox", "--cap-drop", "ALL"]
    if is_root:  # the Worker itself gives up being root, which takes these
        arguments += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP"]
    else:
        arguments += ["--unshare-user", "--uid", "1000", "--gid", "1000"]
    arguments += ["--ro-bind", "/usr", "/usr"]
    for path, link in layout.system_folders():
        arguments += ["--symlink", link, path] if link else ["--ro-bind", path, path]
    arguments += ["--proc", "/proc", "--dev", "/dev"]
    arguments += ["--bind", str(base / "tmp"), "/tmp", "--bind", str(base / "shm"), "/dev/shm"]  # noqa: S108 - its own
    mounts = [("--ro-bind", host, inside) for host, inside in layout.read_only(spec)]
    mounts += [("--ro-bind", base / "upper", layout.UPPER), ("--bind", base / "view", str(spec.workspace))]
    for parent in dict.fromkeys(parent for _, _, inside in mounts for parent in reversed(Path(inside).parents[:-1])):
        arguments += ["--perms", "0755", "--dir", str(parent)]  # by itself bwrap would make them for root only
    mounts += [("--ro-bind", folder, str(folder)) for folder in layout.on_top(spec)]
    for kind, host, inside in mounts:
        arguments += [kind, str(host), inside]
    for path, descriptor in files.items():
        arguments += ["--perms", "0444", "--ro-bind-data", str(descriptor), path]
    arguments += ["--clearenv"]
    for name, value in layout.environment(spec.interpreter).items():
        arguments += ["--setenv", name, value]
    arguments += ["--chdir", str(spec.workspace), "--remount-ro", "/dev", "--remount-ro", "/", "--"]
    program = [str(spec.interpreter.executable), "-I", "-S", "-B", layout.WORKER]
    return [*arguments, *program, layout.worker_config(spec, layer=layout.UPPER)]


def _connect(process: asyncio.subprocess.Process) -> Channel:
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    assert stdin and stdout and stderr  # noqa: S101, PT018 - all three are pipes

    async def send(data: bytes) -> None:
        try:
            stdin.write(data)
            await stdin.drain()
        except (ConnectionError, RuntimeError):
            raise SandboxDied(f"The sandbox has ended. {await why()}".strip()) from None

    async def why() -> str:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                return _explain((await stderr.read(4096)).decode("utf-8", "replace").strip())
        return ""

    return Channel(stdout, send, why)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the sandbox, and wait until it is gone: its process 1 ends with its input, and all others with it."""
    if process.stdin:
        process.stdin.close()
    ended = asyncio.ensure_future(process.wait())
    await asyncio.wait([ended], timeout=1)
    if not ended.done():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.wait([ended], timeout=END_SECONDS)


@contextlib.contextmanager
def _mount_point(spec: SandboxSpec) -> Iterator[Path]:
    """An empty folder to mount on; what is mounted there only the sandbox sees."""
    base = spec.state / f"{spec.run}-{os.getpid()}-{os.urandom(4).hex()}"
    base.mkdir(mode=0o700, parents=True)
    try:
        yield base
    finally:
        base.rmdir()


def _escape(path: Path) -> str:
    """A path as an option of an overlay mount."""
    return str(path).replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")
