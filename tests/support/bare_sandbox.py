"""A stand-in for a sandbox that contains nothing: a plain subprocess in a folder. For tests of trusted code only.

It has just the part of the Sandbox Protocol that running tests needs, so that the plugin can be tried with any
interpreter, also where no sandbox works.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import codeact_sandbox
from codeact.sandboxes.base import Completed


class UncontainedSandbox:
    """Runs programs in `folder`, with a pipe for their report. Nothing keeps them from doing what they like."""

    name = "uncontained"

    def __init__(self, folder: Path, python: str) -> None:
        self.folder = folder
        self.python = python
        self.environment: Mapping[str, str] = {}
        self.commands: list[tuple[str, ...]] = []

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        environ: Mapping[str, str] | None = None,
        on_report: Callable[[bytes], None] | None = None,
        warm: bool = False,  # noqa: ARG002 - each is a new process
    ) -> Completed:
        """See Sandbox."""
        self.commands.append(tuple(argv))
        return await asyncio.to_thread(
            self._spawn, list(argv), timeout, dict(environ or {}), on_report or (lambda _: None)
        )

    def _spawn(
        self, argv: list[str], timeout: float, environ: dict[str, str], on_report: Callable[[bytes], None]
    ) -> Completed:
        source, sink = os.pipe()
        out, err = self.folder.parent / "stdout", self.folder.parent / "stderr"
        library = str(Path(codeact_sandbox.__file__).parent.parent)
        variables = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": library,
            "PYTHONDONTWRITEBYTECODE": "1",
            "LANG": "C.UTF-8",
        }
        started = time.monotonic()
        files = [(os.POSIX_SPAWN_OPEN, number, str(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                 for number, path in ((1, out), (2, err))]  # fmt: skip
        files += [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
        os.set_inheritable(sink, True)  # noqa: FBT003 - positional only
        argv = ["/usr/bin/env", "-C", str(self.folder), *argv]
        pid = os.posix_spawn(
            argv[0], argv, {**variables, **environ, "CODEACT_REPORT_FD": str(sink)}, file_actions=files, setpgroup=0
        )
        os.close(sink)
        os.set_blocking(source, False)
        code, late = self._wait(pid, source, on_report, started + timeout)
        os.close(source)
        text = [path.read_text("utf-8", "replace") for path in (out, err)]
        return Completed(
            exit_code=code, stdout=text[0], stderr=text[1], seconds=time.monotonic() - started, timed_out=late
        )

    @staticmethod
    def _wait(pid: int, source: int, on_report: Callable[[bytes], None], deadline: float) -> tuple[int, bool]:
        late = False
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            while piece := _read(source):
                on_report(piece)
            if done:
                return os.waitstatus_to_exitcode(status), late
            if time.monotonic() > deadline and not late:
                os.killpg(pid, signal.SIGKILL)
                late = True
            time.sleep(0.002)


def _read(source: int) -> bytes:
    try:
        return os.read(source, 1 << 16)
    except BlockingIOError:
        return b""
