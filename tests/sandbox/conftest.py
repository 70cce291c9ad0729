"""Sandboxes for tests, over a snapshot folder made by hand."""

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codeact.sandboxes import bubblewrap, docker, find_interpreter, open_sandbox
from codeact.sandboxes.base import Sandbox, SandboxSpec, sandbox_user
from codeact.settings import Limits, load_settings

Opener = Callable[..., AbstractAsyncContextManager[Sandbox]]


BACKENDS = ("bubblewrap", "docker")


@pytest.fixture(params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in BACKENDS])
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend that works here."""
    name: str = request.param
    if reason := {"bubblewrap": bubblewrap, "docker": docker}[name].probe():
        pytest.skip(reason)
    return name


@pytest.fixture
def open_one(tmp_path: Path, backend: str) -> Opener:
    """Opens a sandbox whose snapshot has a module, a script and a folder; limits may be given."""
    snapshot, workspace = tmp_path / "snapshot", tmp_path / "work"
    (snapshot / "pkg").mkdir(parents=True)
    workspace.mkdir()
    (snapshot / "mod.py").write_text("VALUE = 1\n")
    (snapshot / "pkg" / "data.txt").write_text("data\n")
    (snapshot / "run.sh").write_text("#!/bin/sh\n")
    (snapshot / "run.sh").chmod(0o755)
    for path in (snapshot, *snapshot.rglob("*")):
        os.chown(path, *sandbox_user())
    interpreter = find_interpreter(load_settings(workspace, {}, {}))

    def open_(**limits: Any) -> AbstractAsyncContextManager[Sandbox]:
        spec = SandboxSpec(
            run="test",
            snapshot=snapshot,
            workspace=workspace,
            interpreter=interpreter,
            limits=replace(Limits(), **limits),
            state=tmp_path / "state",
        )
        return open_sandbox(spec, backend)

    return open_
