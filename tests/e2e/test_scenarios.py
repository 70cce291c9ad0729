"""The scenarios in a real VS Code, as one of `make test`'s tests. Alone: `make e2e`."""

import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
UNAVAILABLE = 3


@pytest.mark.last
def test_the_extension_in_a_real_vs_code() -> None:
    """All scenarios pass; pictures, and traces of what failed, are in tests/e2e/output."""
    program = [str(TOP / "scripts" / "e2e.sh")]
    done = subprocess.run(program, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode == UNAVAILABLE:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr
