"""A baseline is the same model without CodeAct: asked once, its answer applied and judged by the same tests."""

from pathlib import Path

import baselines
import bugs
import pytest
import trial
from openai_server import ScriptedOpenAI, say

from codeact.sandboxes import bubblewrap

SIEVE = bugs.read_bug(bugs.CLASSICS / "sieve.toml")
RIGHT = SIEVE.files["sieve.py"]
WRONG = RIGHT.replace(SIEVE.faults[0].right, SIEVE.faults[0].wrong)
SETUP = trial.Setup("scripted", timeout=60.0)

pytestmark = [
    pytest.mark.bubblewrap,
    pytest.mark.skipif(bool(bubblewrap.probe()), reason="bubblewrap does not work here"),
]


def fence(text: str) -> str:
    return f"Here it is:\n\n```python\n{text}```\n"


def try_it(monkeypatch: pytest.MonkeyPatch, name: str, *answers: str) -> tuple[trial.Trial, dict[str, object]]:
    """What a baseline makes of a scripted model's answers, and what the model was asked."""
    with ScriptedOpenAI([say(*answers)]) as server:
        monkeypatch.setenv("CODEACT_BASE_URL", server.base_url)
        monkeypatch.setenv("CODEACT_API_KEY", "sk-some-key")
        seen = baselines.try_baseline(SIEVE, SETUP, name)
        (request,) = server.requests
    return seen, request


def test_one_shot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The prompt holds the faulty file and what the tests say; the right answer is a fix."""
    seen, request = try_it(monkeypatch, "one-shot", fence(RIGHT))
    assert (seen.outcome, seen.system, seen.model_calls) == ("fixed", "one-shot", 1)
    assert request["temperature"] == 0
    assert SIEVE.faults[0].wrong in str(request["messages"]).replace("\\\\n", "\n")
    assert "test_up_to_a_square" in str(request["messages"])


def test_the_first_sample_that_passes_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several answers the tests choose."""
    seen, _ = try_it(monkeypatch, "five-samples", fence(WRONG), "no code", fence(RIGHT), fence(WRONG), "")
    assert seen.outcome == "fixed"


def test_what_knows_the_visible_tests_only_is_an_overfit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hidden tests judge a baseline too."""
    known = RIGHT.replace("    is_prime = ", "    if limit > 26:\n        return []\n    is_prime = ")
    seen, _ = try_it(monkeypatch, "one-shot", fence(known))
    assert seen.outcome == "overfit"


def test_no_answer_is_no_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that cannot be asked is told about, and ends nothing."""
    monkeypatch.setenv("CODEACT_BASE_URL", "http://127.0.0.1:9/v1")
    seen = baselines.try_baseline(SIEVE, SETUP, "one-shot")
    assert seen.outcome == "failed"
    assert seen.message


def test_what_a_model_writes_is_contained(tmp_path: Path) -> None:
    """It may write into its folder, and nowhere else."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "test_it.py").write_text(
        "import pathlib\nimport pytest\n\n\ndef test_it():\n"
        f"    pathlib.Path({str(inside / 'made')!r}).touch()\n"
        f"    with pytest.raises(OSError):\n        pathlib.Path({str(outside / 'made')!r}).touch()\n",
        "utf-8",
    )
    code, output = bugs.run_tests(inside, contain=baselines.contain(inside))
    assert code == 0, output
    assert not list(outside.iterdir())
