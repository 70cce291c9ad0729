"""Real editors that speak LSP: fix with unsaved text, progress, accept; the file on disk is the developer's to save."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from openai_server import ScriptedOpenAI, say
from workspaces import ANSWER, BROKEN, MENDED

HERE = Path(__file__).parent
pytestmark = [
    pytest.mark.bubblewrap,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
EDITORS = {
    "nvim": ["nvim", "--headless", "-u", "NONE", "-i", "NONE", "-n", "-S", str(HERE / "neovim.lua")],
    "emacs": ["emacs", "--batch", "--no-init-file", "-l", str(HERE / "emacs.el")],
}


@pytest.mark.parametrize("name", EDITORS)
def test_fix_and_accept(name: str, workspace: Path, tmp_path: Path, scripted: Callable[..., ScriptedOpenAI]) -> None:
    """Unsaved text is part of what is fixed, progress is shown, and accepting changes the buffer, not the disk."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    server = scripted([say(ANSWER)])
    options = {
        "model": {"name": "scripted", "base_url": server.base_url},
        "state": str(tmp_path / "state"),
        "cache": str(tmp_path / "cache"),
        "sandbox": {"backend": "bubblewrap"},
    }
    seen = tmp_path / "seen.json"
    environ = {
        **os.environ,
        "HOME": str(tmp_path),
        "CODEACT_ROOT": str(workspace),
        "CODEACT_COMMAND": json.dumps([sys.executable, "-m", "codeact", "lsp"]),
        "CODEACT_OPTIONS": json.dumps(options),
        "CODEACT_SEEN": str(seen),
    }
    done = subprocess.run(
        EDITORS[name], env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert seen.exists(), done.stdout + done.stderr
    found = json.loads(seen.read_text())
    assert (found["status"], found["applied"]) == ("verified", True), found
    # eglot announces no progress before its version 1.10, and is sent none then.
    assert {"begin", "report", "end"} <= set(found["progress"]) or (name == "emacs" and not found["progress"])
    assert found["diagnostics"] >= 1
    assert MENDED.rstrip() in found["text"]
    assert f"# typed in {'Neovim' if name == 'nvim' else 'Emacs'}, not saved" in found["text"]
    assert found["modified"] is True
    assert (workspace / "calc.py").read_text() == BROKEN
