"""The scripts do on a bare machine what they say: install what is missing when they may, else name the one command."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
TOOLS = ("bash", "cat", "dirname", "env", "timeout")
FAKE_APT = '#!/bin/bash\necho "$@" >> "$APT_LOG"\n[ "$APT_FAILS" != "$(wc -l < "$APT_LOG")" ]\n'


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A PATH with next to nothing on it, and an apt-get that writes down what it is asked."""
    path = tmp_path / "bin"
    path.mkdir()
    for tool in (*TOOLS, "wc"):
        (path / tool).symlink_to(shutil.which(tool) or tool)
    add_program(path, "apt-get", FAKE_APT)
    return path


def add_program(path: Path, name: str, text: str = "#!/bin/bash\n") -> None:
    (path / name).write_text(text, "utf-8")
    (path / name).chmod(0o755)


def run_script(path: Path, *command: str, **variables: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """What a script gave, and the lines of what apt-get was asked."""
    log = path.parent / "apt.log"
    environ = {"PATH": str(path), "APT_LOG": str(log), "APT_FAILS": "", "DOCKER_HOST": "unix:///nonexistent.sock"}
    done = subprocess.run(
        [str(path / "bash"), *command],
        cwd=TOP,
        env={**environ, **variables},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return done, log.read_text("utf-8").splitlines() if log.exists() else []


def test_root_gets_bubblewrap(machine: Path) -> None:
    """Root on a bare machine: apt-get installs it, without asking anything."""
    add_program(machine, "id", "#!/bin/bash\necho 0\n")
    done, asked = run_script(machine, "scripts/system.sh")
    assert done.returncode == 0, done.stderr
    assert len(asked) == 1
    assert asked[0].endswith("install -y -q --no-install-recommends bubblewrap")


def test_old_package_lists_are_fetched_anew(machine: Path) -> None:
    """When the first attempt fails, the lists are updated and it is tried again."""
    add_program(machine, "id", "#!/bin/bash\necho 0\n")
    done, asked = run_script(machine, "scripts/system.sh", APT_FAILS="1")
    assert done.returncode == 0, done.stderr
    assert [line.split()[2] for line in asked] == ["install", "update", "install"]


def test_who_is_not_root_gets_one_command_to_type(machine: Path) -> None:
    """Without root and sudo nothing is tried, and the message names the command."""
    add_program(machine, "id", "#!/bin/bash\necho 1000\n")
    done, asked = run_script(machine, "scripts/system.sh")
    assert done.returncode == 1
    assert asked == []
    assert "sudo apt-get install -y bubblewrap" in done.stderr


def test_apt_is_left_alone_when_nothing_is_missing(machine: Path) -> None:
    """With everything in place there is no call of apt-get at all."""
    add_program(machine, "id", "#!/bin/bash\necho 0\n")
    add_program(machine, "bwrap")
    done, asked = run_script(machine, "scripts/system.sh")
    assert (done.returncode, done.stdout, done.stderr, asked) == (0, "", "", [])


def test_a_python_that_is_too_old_or_broken_is_passed_over(machine: Path) -> None:
    """Names are tried in order, each for real; without a good one the message says what to install."""
    add_program(machine, "python3", "#!/bin/bash\nexit 1\n")
    done, _ = run_script(machine, "scripts/find-python.sh")
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    add_program(machine, "python3.12")
    done, _ = run_script(machine, "scripts/find-python.sh")
    assert done.stdout.strip() == str(machine / "python3.12")


def test_make_help_lists_every_target() -> None:
    """Nobody has to read the Makefile."""
    done = subprocess.run(
        ["make", "help"], cwd=TOP, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True
    )
    for target in ("install", "demo", "check", "test", "bench", "lock", "clean"):
        assert f"make {target} " in done.stdout
