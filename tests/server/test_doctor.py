"""What the doctor recognises, what it says of it, and the one command that it gives."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from recorded_engine import recorded_engine

from codeact.doctor import Finding, examine, is_ready
from codeact.sandboxes import diagnosis, docker
from codeact.settings import Settings, load_settings

Examine = Callable[[], dict[str, Finding]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path, {"state": tmp_path / "state", "cache": tmp_path / "cache"}, {})


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test's engine is taken for another's."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
    _forget()
    yield
    _forget()


def _forget() -> None:
    if docker.connect.cache_info().currsize:
        docker.connect().close()
    docker.connect.cache_clear()
    docker.facts.cache_clear()


def found(settings: Settings) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(settings)}


@pytest.mark.parametrize(
    ("kind", "name", "detail", "remedy"),
    [
        ("another machine", "engine", "Docker 27.3.1 on Ubuntu 24.04 LTS: it is root", ""),
        ("another machine", "engine files", "not shared: sandboxes there need an image", "export CODEACT_IMAGE=NAME"),
        ("another machine", "sandbox docker", "answers, at tcp://", "export CODEACT_IMAGE=NAME"),
        (
            "Docker Desktop",
            "engine",
            "Docker Desktop 27.3.1 on Docker Desktop: sandboxes run in its virtual machine",
            "",
        ),
        ("Docker Desktop", "engine files", "not shared", "export CODEACT_IMAGE=NAME"),
        ("rootless, control groups v1", "engine", "it runs as an ordinary user", ""),
        ("rootless, control groups v1", "engine limits", "v1 do not bound memory, pids, cpu", diagnosis.UNIFIED),
        ("rootless, no CPU delegated", "engine limits", "v2 do not bound cpu", diagnosis.DELEGATE),
        ("Podman", "engine", "Podman 4.9.3 on fedora: it runs as an ordinary user", ""),
        ("gVisor", "engine runtime", "gVisor is there, safer and slower: set CODEACT_RUNTIME=runsc", ""),
        ("user namespaces", "engine", "root in its containers is nobody outside", ""),
    ],
)
def test_each_engine_is_recognised(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, kind: str, name: str, detail: str, remedy: str
) -> None:
    """From its own words, with what it means and what mends it."""
    with recorded_engine(kind) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        finding = found(settings)[name]
        _forget()
    assert detail in finding.detail
    assert finding.remedy == remedy
    assert finding.works is not bool(remedy)


def test_a_runtime_that_is_not_there(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The setting is named, and what installs it."""
    overrides = {"state": settings.state, "cache": settings.cache, "sandbox": {"runtime": "runsc", "image": "x"}}
    wanting = load_settings(tmp_path, overrides, {})
    with recorded_engine("another machine") as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        seen = found(wanting)
        _forget()
    assert not seen["engine runtime"].works
    assert seen["engine runtime"].remedy.startswith("sudo runsc install")
    assert not seen["sandbox docker"].works
    assert seen["engine files"].works, "there is an image"


@pytest.mark.parametrize(
    ("place", "remedy"),
    [
        ("docker.sock", "sudo systemctl start docker"),
        ("podman/podman.sock", "systemctl --user start podman.socket"),
        (".docker/desktop/docker.sock", "systemctl --user start docker-desktop"),
    ],
)
def test_an_engine_that_does_not_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str, remedy: str
) -> None:
    """By the socket's place the doctor knows what to start; a socket file without an engine does not deceive it."""
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    finding = found(settings)["sandbox docker"]
    assert not finding.works
    assert f"nothing answers at {path}" in finding.detail
    assert remedy in finding.remedy


def test_another_engine_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If the usual one is not there but a rootless one is."""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "docker.sock"))
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
        assert f"export DOCKER_HOST=unix://{tmp_path}/docker.sock" in found(settings)["sandbox docker"].detail


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_no_permission_on_the_socket(tmp_path: Path) -> None:
    """An ordinary user is told how to join the group."""
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(path))
        engine.listen()
        path.chmod(0o600)
        for folder in (tmp_path, *tmp_path.parents):
            if folder.stat().st_uid == 0 and str(folder).startswith("/tmp/"):
                folder.chmod(0o755)
        source = Path(docker.__file__).with_name("engine.py").read_text()
        program = source.replace("from codeact.errors import SandboxUnavailable", "SandboxUnavailable = Exception")
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/python3", "-c", f"{program}\nprint(trouble())"],
            env={"DOCKER_HOST": f"unix://{path}"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert "sudo usermod -aG docker $USER" in done.stdout, done


@pytest.mark.parametrize(
    ("file", "value", "remedy"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "user.max_user_namespaces=15000"),
    ],
)
def test_what_keeps_namespaces_from_users(tmp_path: Path, file: str, value: str, remedy: str) -> None:
    """Each switch of the kernel has its command, for ordinary users; root needs none."""
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(f"{value}\n")
    advice = {advice.name: advice for advice in diagnosis.of_kernel(tmp_path, is_root=False)}
    assert advice["kernel namespaces"].remedy == f"sudo sysctl -w {remedy}"
    assert file.replace("/", ".") in advice["kernel namespaces"].detail
    assert "kernel namespaces" not in {advice.name for advice in diagnosis.of_kernel(tmp_path, is_root=True)}


def test_one_sandbox_is_enough() -> None:
    """What is said of an engine or the kernel does not make a machine unfit."""
    good = Finding("sandbox bubblewrap", works=True, detail="works")
    bad = Finding("sandbox docker", works=False, detail="not")
    advice = [
        Finding("engine limits", works=False, detail="", remedy="x"),
        Finding("kernel namespaces", works=False, detail=""),
    ]
    assert is_ready((good, bad, *advice))
    assert not is_ready((bad, *advice))
