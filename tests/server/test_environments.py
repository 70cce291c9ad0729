"""Environments from lock and requirement files: read exactly, built once with real uv, refused with one message."""

import json
from pathlib import Path

import pytest
from wheels import make_wheel

from codeact.environments import choose_interpreter, find_offer, find_requirements, kit_requirements, prepare
from codeact.environments.sources import Requirements
from codeact.errors import PrepareError, SettingsError
from codeact.sandboxes import find_interpreter
from codeact.settings import Settings, load_settings


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of small packages, and nothing else to install from."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, version in (("pytest", "9.0"), ("small", "1.0"), ("small", "2.0"), ("other", "3.1")):
        make_wheel(folder, name, version)
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    return folder


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    workspace = tmp_path / "work"
    workspace.mkdir()
    return load_settings(workspace, {"cache": str(tmp_path / "cache"), "state": str(tmp_path / "state")}, {})


POETRY = """
[[package]]
name = "small"
version = "1.0"
files = [{file = "small-1.0-py3-none-any.whl", hash = "sha256:%s"}]

[[package]]
name = "colorama"
version = "0.4.6"
markers = "sys_platform == 'win32'"
files = []
"""
PYPROJECT = """
[project]
name = "mine"
requires-python = ">=3.9"
dependencies = ["small>=1", "mine[extra]"]
optional-dependencies = {docs = ["sphinx"], test = ["other"]}

[dependency-groups]
dev = ["pytest", {include-group = "lint"}]
lint = ["ruff"]
"""
PIPFILE = {
    "default": {"small": {"version": "==1.0"}},
    "develop": {"other": {"version": "==3.1", "markers": "os_name == 'posix'"}},
}
REQUIREMENTS = (
    "# all of it\n-r more.txt\n--index-url http://evil.example\nsmall==1.0 \\\n    --hash=sha256:00\n-e .\n./local\n"
)


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("poetry.lock", POETRY % "00", ["small==1.0 --hash=sha256:00", "colorama==0.4.6 ; sys_platform == 'win32'"]),
        ("Pipfile.lock", json.dumps(PIPFILE), ["small==1.0", "other==3.1 ; os_name == 'posix'"]),
        ("pyproject.toml", PYPROJECT, ["small>=1", "other", "pytest", "ruff"]),
        ("requirements.txt", REQUIREMENTS, ["other", "small==1.0 --hash=sha256:00"]),
    ],
)
def test_what_a_workspace_needs_is_read_from_its_files(tmp_path: Path, name: str, text: str, lines: list[str]) -> None:
    """Each kind of file says what to install; the workspace itself, and other indexes, are left out."""
    (tmp_path / "more.txt").write_text("other\n")
    (tmp_path / name).write_text(text)
    found = find_requirements(tmp_path)
    assert found
    assert (found.source, list(found.lines)) == (name, lines)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("environment.yml", "dependencies: [numpy]", "conda's"),
        ("poetry.lock", "[[package]]\nversion = 1", "poetry.lock cannot be read"),
        (
            "poetry.lock",
            POETRY % "00" + '[[package]]\nname="g"\nversion="1"\nsource={type="git",url="u"}',
            "g comes from u",
        ),
        ("Pipfile.lock", "{", "Pipfile.lock cannot be read"),
        ("requirements.txt", "-r missing.txt", "missing.txt cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, name: str, text: str, words: str) -> None:
    """One message, which says what to do where something can be done."""
    (tmp_path / name).write_text(text)
    with pytest.raises(PrepareError, match=words):
        find_requirements(tmp_path)


def test_an_environment_is_built_once_and_chosen(settings: Settings, wheels: Path) -> None:
    """What the file pins is there, in an environment of its own, found again at once, and not in the workspace."""
    (settings.workspace / "requirements.txt").write_text("small==1.0\n")
    offer = find_offer(settings)
    assert offer
    told: list[str] = []
    made = prepare(settings, offer.requirements, offer.interpreter.executable, told.append)
    assert (made.packages_folder / "small.py").read_text() == "VERSION = '1.0'\n"
    assert told == ["making an environment for requirements.txt", "installing 1 package"]
    for wheel in wheels.iterdir():
        wheel.unlink()
    again = prepare(settings, offer.requirements, offer.interpreter.executable, told.append)
    assert again == made
    assert find_offer(settings) is None
    assert choose_interpreter(settings).executable == made.python
    assert [file.name for file in settings.workspace.iterdir()] == ["requirements.txt"]


@pytest.mark.usefixtures("wheels")
def test_with_always_it_is_built_on_the_way(settings: Settings) -> None:
    """The setting decides whether a run may fetch; without it the machine's own Python is taken."""
    (settings.workspace / "requirements.txt").write_text("small\n")
    assert choose_interpreter(settings) == find_interpreter(settings)
    always = load_settings(settings.workspace, {"cache": str(settings.cache), "packages": "always"}, {})
    assert settings.cache in choose_interpreter(always).executable.parents
    with pytest.raises(SettingsError, match="one of never, ask, always"):
        load_settings(settings.workspace, {"packages": "sometimes"}, {})


def test_what_stands_against_it_is_said_once(settings: Settings, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong pin, a package without a wheel, an index that is away, a full disk; nothing half-built is left."""
    python = find_interpreter(settings).executable

    def fails(words: str, *lines: str) -> None:
        with pytest.raises(PrepareError, match=words):
            prepare(settings, Requirements("the file", lines), python)
        assert not list((settings.cache / "environments").glob("*"))

    fails(r"the file asks for small==7\.0, which the package index does not have", "small==7.0")
    (wheels / "source-1.0.tar.gz").write_bytes(b"")
    fails("has no wheel", "source==1.0")
    for name in ("UV_NO_INDEX", "UV_OFFLINE", "UV_FIND_LINKS"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    fails("index cannot be reached", "small==1.0")
    monkeypatch.setattr("codeact.environments.build.NEEDED", 1 << 62)
    fails("disk of .* is full", "small")


def test_the_kit_is_pinned_with_hashes() -> None:
    """Every line of the kit names one version and its hashes."""
    lines = kit_requirements().lines
    assert {"numpy", "pandas", "matplotlib", "openpyxl", "plotly"} <= {line.split("==")[0] for line in lines}
    assert all("==" in line and "--hash=sha256:" in line for line in lines)
