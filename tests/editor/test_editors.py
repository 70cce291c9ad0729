"""Real editors, configured as our pages say: fix with unsaved text, progress, accept; the disk is the developer's to save."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from openai_server import ScriptedOpenAI, say
from workspaces import ANSWER, BROKEN, MENDED

HERE = Path(__file__).parent
PAGES = Path(__file__).parents[2] / "docs" / "editors"
BIN = Path(sys.executable).parent
pytestmark = [
    pytest.mark.bubblewrap,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
PATH = f"{BIN}{os.pathsep}{os.environ['PATH']}"
NEOVIM = ["nvim", "--headless", "-i", "NONE", "-n", "-S", str(HERE / "neovim.lua"), "-u"]
EMACS = ["emacs", "--batch", "--no-init-file", "-l", str(HERE / "emacs.el")]


@pytest.mark.parametrize("name", ["neovim", "emacs"])
def test_fix_and_accept(name: str, workspace: Path, tmp_path: Path, scripted: Callable[..., ScriptedOpenAI]) -> None:
    """Unsaved text is part of what is fixed, progress is shown, and accepting changes the buffer, not the disk."""
    command = NEOVIM if name == "neovim" else EMACS
    if shutil.which(command[0], path=PATH) is None:
        pytest.skip(f"{command[0]} is not installed")
    (workspace / "pyproject.toml").touch()  # where a project begins, for Neovim
    page = _configuration(name, tmp_path)
    seen = tmp_path / "seen.json"
    environ = {
        **os.environ,
        "PATH": PATH,
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "CODEACT_ROOT": str(workspace),
        "CODEACT_PAGE": str(page),
        "CODEACT_SEEN": str(seen),
        "CODEACT_MODEL": "scripted",
        "CODEACT_BASE_URL": scripted([say(ANSWER)]).base_url,
        "CODEACT_SANDBOX": "bubblewrap",
        "CODEACT_STATE_DIR": str(tmp_path / "state"),
        "CODEACT_CACHE_DIR": str(tmp_path / "cache"),
    }
    done = subprocess.run(
        [*command, str(page)] if name == "neovim" else command,
        env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert seen.exists(), done.stdout + done.stderr
    found = json.loads(seen.read_text())
    assert (found["started"], found["proven"], found["applied"]) == (True, True, True), found
    # eglot announces no progress before its version 1.10, and is sent none then.
    assert {"begin", "report", "end"} <= set(found["progress"]) or (name == "emacs" and not found["progress"])
    assert found["diagnostics"] >= 1
    assert MENDED.rstrip() in found["text"]
    assert f"# typed in {name.title()}, not saved" in found["text"]
    assert found["modified"] is True
    assert (workspace / "calc.py").read_text() == BROKEN


def _configuration(name: str, folder: Path) -> Path:
    """The first block of code of an editor's page, as a file."""
    [kind, code] = re.findall(r"^```(\w+)\n(.*?)^```$", (PAGES / f"{name}.md").read_text(), re.MULTILINE | re.DOTALL)[0]
    file = folder / f"page.{'lua' if kind == 'lua' else 'el'}"
    file.write_text(code)
    return file
