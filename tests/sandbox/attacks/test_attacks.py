"""Attacks on the walls of a sandbox, each tried in earnest on each backend. See also `test_hostile`."""

import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from attack_programs import PRELUDE, THEMES

from codeact.sandboxes.base import Sandbox
from codeact.trajectory import Action

Opener = Callable[..., AbstractAsyncContextManager[Sandbox]]
MARK = secrets.token_hex(16)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """Something worth stealing on the host: a file, a variable, services; none may be touched."""
    monkeypatch.setenv("HOST_SECRET_TOKEN", MARK)
    secret = tmp_path / "secret.txt"
    secret.write_text(MARK)
    secret.chmod(0o644)
    name = f"codeact-{secrets.token_hex(8)}"
    path = tmp_path / "host.sock"
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as abstract, socket.socket(socket.AF_UNIX) as unix:
        tcp.bind(("127.0.0.1", 0))
        abstract.bind(f"\0{name}")
        unix.bind(str(path))
        path.chmod(0o666)
        for service in (tcp, abstract, unix):
            service.listen()
            service.settimeout(0)
        yield {
            "HOST_PORT": tcp.getsockname()[1],
            "HOST_ABSTRACT": name,
            "HOST_SOCKET": str(path),
            "HOST_SECRET": str(secret),
            "HOST_HOME": str(Path.home()),
            "HOST_MARK": MARK,
            "HOST_PID": os.getpid(),
        }
        for service in (tcp, abstract, unix):
            with pytest.raises(BlockingIOError):
                service.accept()
    assert secret.read_text() == MARK
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("theme", THEMES)
async def test_every_wall_holds(open_one: Opener, host: dict[str, object], theme: str) -> None:
    """Each program of the theme tried, and met a wall; none came through, and none could not even try."""
    given = "".join(f"{name} = {value!r}\n" for name, value in host.items())
    outcomes = {}
    async with open_one() as sandbox:
        await sandbox.execute(Action(PRELUDE + given))
        for name, program in THEMES[theme].items():
            seen = await sandbox.execute(Action(program))
            outcomes[name] = seen.stdout.strip() or (seen.failure.message if seen.failure else "it said nothing")
            assert MARK not in seen.stdout
        assert (await sandbox.execute(Action("print('still here')"))).stdout == "still here\n"
    assert {name: outcome for name, outcome in outcomes.items() if not outcome.startswith("HELD")} == {}


def test_there_are_enough_of_them() -> None:
    """A battery that shrinks by accident is noticed."""
    assert sum(len(programs) for programs in THEMES.values()) >= 75
