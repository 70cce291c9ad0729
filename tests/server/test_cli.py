"""The command line as a developer types it: exit codes, messages, and `--json` on standard output and nothing else."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from openai_server import ScriptedOpenAI, say
from workspaces import ANSWER, BROKEN, MENDED, make_workspace

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def codeact(tmp_path: Path) -> Command:
    """Runs `codeact` with a state of its own, in the workspace `work`."""

    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "work").mkdir(exist_ok=True)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "CODEACT_"))}
        folders = {"CODEACT_STATE_DIR": str(tmp_path / "state"), "CODEACT_CACHE_DIR": str(tmp_path / "cache")}
        return subprocess.run(
            [sys.executable, "-m", "codeact", *arguments],
            cwd=tmp_path / "work",
            env={**clean, **folders, "CODEACT_CONFIG": str(tmp_path / "none.toml"), **environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fix", "--workspace", "/surely/not/there"], "There is no folder /surely/not/there"),
        (["show", "nothing"], "There are no runs yet"),
        (["artifacts"], "There are no runs yet"),
        (["scripts", "nothing.py"], "There is no kept script nothing.py. There are: none."),
        (["fix", "--max-steps", "-1"], "expected a number of 0 or more"),
        (["fix", "--sandbox", "chroot"], "There is no sandbox named 'chroot'"),
        (["fix", "--workspace", "/"], "A sandbox cannot show a workspace at /."),
        (["ask", "what is this?", "--workspace", "/usr/lib"], "A sandbox cannot show a workspace at /usr/lib."),
        (["lsp", "--tcp", "nowhere"], "--tcp wants HOST:PORT"),
    ],
)
def test_wrong_usage_says_what_and_exits_with_2(codeact: Command, arguments: list[str], words: str) -> None:
    """One clear message on standard error, once, and no traceback."""
    done = codeact(*arguments)
    assert done.returncode == 2
    assert (done.stdout + done.stderr).count(words) == 1, done
    assert "Traceback" not in done.stderr


def test_ctrl_c_while_the_program_is_loaded(tmp_path: Path) -> None:
    """It ends at once, with 130 and no traceback."""
    (tmp_path / "rich").mkdir()
    (tmp_path / "rich" / "__init__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "codeact", "runs"],
        env=environ,
        capture_output=True,
        check=False,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # which background jobs ignore
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_doctor_tries_what_the_sandbox_needs(codeact: Command, tmp_path: Path) -> None:
    """Where mounts of one's own cannot be had, bubblewrap does not work, and what to do about that is said."""
    fake = tmp_path / "bin" / "unshare"
    fake.parent.mkdir()
    fake.write_text(
        "#!/bin/sh\necho 'unshare: cannot change root filesystem propagation: Invalid argument' >&2\nexit 1\n"
    )
    fake.chmod(0o755)
    findings = codeact("doctor", "--json", PATH=f"{fake.parent}:{os.environ['PATH']}").stdout.splitlines()
    [found] = [one for one in map(json.loads, findings) if one["name"] == "sandbox bubblewrap"]
    assert found["works"] is False
    assert "mount --bind DIR DIR" in found["detail"]
    assert found["remedy"] == ""


def test_no_runs_yet(codeact: Command) -> None:
    """An empty state says what to do first."""
    done = codeact("runs")
    assert (done.returncode, done.stdout) == (
        0,
        "No runs yet. In a repository with a failing test, type: codeact fix\n",
    )


@pytest.mark.bubblewrap
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_fix_apply_undo_with_json(codeact: Command, tmp_path: Path, scripted: Callable[..., ScriptedOpenAI]) -> None:
    """Lines of JSON with the result last; then accepted, taken back, and dropped."""
    workspace = tmp_path / "work"
    workspace.mkdir()
    make_workspace(workspace)
    server = scripted([say(ANSWER)])
    model = {"CODEACT_BASE_URL": server.base_url, "CODEACT_API_KEY": "sk-some-key", "CODEACT_MODEL": "scripted"}
    done = codeact("fix", "--json", **model)
    assert done.returncode == 0, done
    events: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    result = events[-1]
    assert (result["event"], result["schema"], result["status"]) == ("result", 1, "verified")
    assert {"run", "diff", "answer", "artifacts", "evidence", "usage"} <= result.keys()
    assert result["usage"].keys() == {"model_calls", "prompt_tokens", "completion_tokens", "seconds"}
    assert (workspace / "calc.py").read_text() == BROKEN
    assert codeact("diff").stdout == result["diff"]
    assert "verified" in codeact("show").stdout
    assert codeact("apply", result["run"][-4:]).returncode == 0
    assert (workspace / "calc.py").read_text() == MENDED
    assert codeact("apply").stdout == "Nothing to apply: your files are as proposed already.\n"
    assert codeact("undo").returncode == 0
    assert (workspace / "calc.py").read_text() == BROKEN
    for command in (["diff"], ["show"], ["apply"], ["undo"], ["runs"], ["doctor"], ["model", "list"], ["discard"]):
        lines = [json.loads(line) for line in codeact(*command, "--json").stdout.splitlines()]
        assert lines or command == ["discard"], command
        if command in (["apply"], ["undo"]):
            assert [line["paths"] for line in lines] == [["calc.py"]]
    assert "discarded" in codeact("runs").stdout


@pytest.mark.parametrize(
    ("files", "arguments", "words"),
    [
        ({"test_x.py": "import surely_not_there\n"}, [], "has no package surely_not_there"),
        ({"test_x.py": "def test_x(): pass\n", "pytest.ini": "[pytest]\naddopts = --dist=x\n"}, [], "pytest-xdist"),
        ({"test_x.py": "def test_x(): pass\n"}, ["test_y.py"], "No test matches test_y.py"),
        ({"test_x.py": "def test_x(): pass\n"}, [], "Nothing to fix"),
    ],
)
@pytest.mark.bubblewrap
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_tests_that_cannot_be_run_are_a_matter_of_the_environment(
    codeact: Command, tmp_path: Path, files: dict[str, str], arguments: list[str], words: str
) -> None:
    """Then the exit code is 2, as for wrong usage; with nothing to fix it is 0."""
    (tmp_path / "work").mkdir()
    make_workspace(tmp_path / "work", files)
    done = codeact("fix", *arguments, CODEACT_SANDBOX="bubblewrap")
    assert words in done.stdout
    assert done.returncode == (0 if words == "Nothing to fix" else 2)


def test_an_endpoint_that_is_dead_is_named(codeact: Command, tmp_path: Path) -> None:
    """What does not answer, and what to do; the workspace and the exit code tell the same story."""
    (tmp_path / "work").mkdir()
    make_workspace(tmp_path / "work")
    done = codeact("fix", CODEACT_BASE_URL="http://127.0.0.1:9/v1", CODEACT_MODEL="m")
    assert done.returncode == 2
    assert "127.0.0.1:9" in done.stdout + done.stderr


@pytest.mark.bubblewrap
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_ask_hands_over_files_that_artifacts_saves(
    codeact: Command, tmp_path: Path, scripted: Callable[..., ScriptedOpenAI]
) -> None:
    """The answer and what was made are shown; `artifacts` lists and saves them, and overwrites nothing."""
    workspace = tmp_path / "work"
    workspace.mkdir()
    make_workspace(workspace, {"sales.csv": "product,amount\ntea,3\n"})
    code = "```python\nopen('top.csv', 'w').write('product,sum\\ntea,3\\n')\nprint('tea: 3')\n```"
    server = scripted([say(code), say("**Tea** leads.")])
    environ = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", "CODEACT_SANDBOX": "bubblewrap"}
    done = codeact("ask", "Which product leads?", "--model", "scripted", **environ)
    assert done.returncode == 0, done.stderr
    assert "Tea leads." in done.stdout
    assert "top.csv" in done.stdout
    assert "product  sum" in done.stdout
    assert codeact("artifacts").stdout == "top.csv\ttext/csv\t18 bytes\n"
    saved = codeact("artifacts", "last", "--to", "made")
    assert (workspace / "made" / "top.csv").read_text() == "product,sum\ntea,3\n"
    assert saved.stdout == "made/top.csv\n"
    again = codeact("artifacts", "last", "--to", "made")
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert "No scripts in scripts/ yet" in codeact("scripts").stdout


@pytest.mark.bubblewrap
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_clean_removes_old_runs_and_their_snapshots(codeact: Command, tmp_path: Path) -> None:
    """What is younger stays; what goes takes its snapshot along."""
    workspace = tmp_path / "work"
    workspace.mkdir()
    make_workspace(workspace, {"calc.py": MENDED, "test_calc.py": "def test_x():\n    pass\n"})
    assert codeact("fix", CODEACT_SANDBOX="bubblewrap").returncode == 0
    assert "Removed 0 runs" in codeact("clean").stdout
    assert "Removed 1 run older than 0 days" in codeact("clean", "--days", "0").stdout
    assert "No runs yet" in codeact("runs").stdout
