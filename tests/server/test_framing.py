"""A command line around a small model's code: whatever the shape, `--help` and `--dry-run` work and change nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from codeact.framing import frame

WORK = 'def work():\n    open("out.txt", "w").write("x")\n    print("written")\n'
SHAPES = {
    "work": f"import json\n\n\n{WORK}",
    "main": 'def helper(x):\n    return x\n\n\ndef main():\n    print("written")\n    open("out.txt", "w").write(helper("x"))\n\n\nif __name__ == "__main__":\n    main()\n',
    "helpers": 'from pathlib import Path\n\ndef work():\n    save("out.txt", "x")\n    print("written", find(".", "none*"))\n',
    "beside": 'from pathlib import Path\nfolder = Path(__file__).resolve().parent.parent\n(folder / "out.txt").write_text("x")\nprint("written")\n',
    "called": f"{WORK}\nwork()\n",
    "statements": 'import os\nNAME = "out.txt"\nwith open(NAME, "w") as file:\n    file.write("x")\nprint("written")\n',
    "mixed": 'def helper():\n    return "x"\n\nfor name in ["out.txt"]:\n    open(name, "w").write(helper())\n    print("written")\n',
}


@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape_of_work_gets_a_command_line(shape: str, tmp_path: Path) -> None:
    """The help explains, the dry run tells and leaves everything as it is, and without options it works."""
    script = tmp_path / "script.py"
    script.write_text(frame(SHAPES[shape], 'Write "x" \\ everywhere'))

    def run(*arguments: str) -> str:
        command = [sys.executable, "-B", script, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert 'Write "x" \\ everywhere' in " ".join(run("--help").split())
    assert "would change out.txt" in run("--dry-run")
    assert not (tmp_path / "out.txt").exists()
    assert "written" in run()
    assert (tmp_path / "out.txt").read_text() == "x"
    assert "nothing would change" in run("--dry-run")


def test_what_has_a_command_line_stays_as_it_is() -> None:
    """Code that parses arguments itself, and code that is no Python, is not touched."""
    for code in ("import argparse\nargparse.ArgumentParser().parse_args()\n", "def broken(:\n"):
        assert frame(code, "x") == code
