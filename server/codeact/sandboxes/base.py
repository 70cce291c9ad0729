"""What the core knows of a sandbox."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from codeact.sandboxes.library import worker_package
from codeact.settings import Limits
from codeact.trajectory import Action, FileState, Observation, Rejected

SANDBOX_UID = 64101


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A Python, and the host folders it needs to run (read-only, at their own paths).

    Attributes:
        executable: absolute path, as the developer's shell would name it (a venv's `bin/python`, not what it links to).
        version: (major, minor).
        folders: host folders to show: its prefix, its base prefix, the folders that its `.pth` files name outside
            the workspace.
        sources: folders of the workspace to look for modules in, since they hold a project that is not installed.
        additions: those of the folders that hold more packages, beside its own.
        library: host folder with the Worker's package, compiled for this Python where that was possible.
    """

    executable: Path
    version: tuple[int, int]
    folders: tuple[Path, ...]
    sources: tuple[Path, ...] = ()
    additions: tuple[Path, ...] = ()
    library: Path = field(default_factory=worker_package)


def sandbox_user() -> tuple[int, int]:
    """The host's (uid, gid) that code in a sandbox has: the server's own, or an unused one when the server is root."""
    return (os.getuid(), os.getgid()) if os.getuid() else (SANDBOX_UID, SANDBOX_UID)


@dataclass(frozen=True, kw_only=True)
class SandboxSpec:
    """What to open.

    Attributes:
        run: id of the run; labels what must be cleaned up.
        snapshot: folder that holds the frozen files (the lower layer; never written).
        workspace: absolute path at which the writable view appears, the workspace's own path.
        interpreter: the Python for the worker, actions and tests; None means the image's.
        limits: what the sandbox may use.
        image: Docker image to use instead of the machine's own `/usr`; empty for none.
        runtime: the engine's runtime to use instead of its default one (docker only).
        state: folder for what the host must keep while the sandbox lives.
    """

    run: str
    snapshot: Path
    workspace: Path
    interpreter: Interpreter | None
    limits: Limits
    image: str = ""
    runtime: str = ""
    state: Path


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A program that ran in the sandbox and is over.

    Attributes:
        exit_code: its exit code, negative when a signal ended it.
        stdout: bounded, head and tail kept.
        stderr: bounded, head and tail kept.
        seconds: wall time.
        timed_out: it was killed because its time was over.
        out_of_memory: it was killed because the sandbox's memory was used up.
        out_of_space: it was killed because it wrote more than the view may hold.
    """

    exit_code: int
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool = False
    out_of_memory: bool = False
    out_of_space: bool = False


@dataclass(frozen=True)
class ViewChanges:
    """What differs between view and snapshot: `files` maps a path to its state now, None for deleted."""

    files: Mapping[str, FileState | None]
    rejected: tuple[Rejected, ...] = field(default=())


class Sandbox(Protocol):
    """A place where code runs contained, with a writable view of one snapshot.

    Not for concurrent use: one call at a time. Cancelling a call ends what it runs.

    Attributes:
        name: what the journal and the user see: `docker` or `bubblewrap`.
        python: path of the interpreter inside.
        environment: facts for the evidence: backend and Python version, image, limits.
    """

    name: str
    python: str
    environment: Mapping[str, str]

    async def execute(self, action: Action) -> Observation:
        """Run an action in the persistent interpreter, whose state the next action sees.

        A timeout kills everything that runs inside; the next action meets a fresh interpreter, and the observation
        says so.

        Raises:
            SandboxDied: the sandbox itself is gone.
        """
        ...

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        environ: Mapping[str, str] | None = None,
        on_report: Callable[[bytes], None] | None = None,
        warm: bool = False,
    ) -> Completed:
        """Run a program in the view's root folder.

        Args:
            argv: program and arguments.
            timeout: wall seconds; then it and all its descendants are killed.
            environ: variables on top of the sandbox's own few.
            on_report: if given, the program inherits a pipe whose descriptor number is in `CODEACT_REPORT_FD`; what is
                written to it arrives here in pieces, as it comes, bounded to 64 MiB in all.
            warm: `argv` is `[python, "-B", ...]`: let it be a fork of a process that has loaded pytest and the
                libraries of earlier runs. Where that would not do what a new process does, it is a new one.

        Raises:
            SandboxDied: the sandbox itself is gone.
        """
        ...

    async def preload(self) -> None:
        """Begin to load, beside what runs, what actions need and what warm programs are forked from."""
        ...

    async def attach(self, files: Mapping[str, FileState | None]) -> None:
        """Make the snapshot another one, which has these files; None for those that it has not.

        For a sandbox that was started before its snapshot was taken, and in which nothing has run.
        """
        ...

    async def write(self, files: Mapping[str, FileState | None]) -> None:
        """Put files into the view, replacing what is there; None deletes. Folders are made as needed."""
        ...

    async def changes(self) -> ViewChanges:
        """What differs between the view and the snapshot, read as hostile input."""
        ...

    async def restore(self) -> None:
        """End what runs, forget interpreter state, and make the view equal to the snapshot again."""
        ...
