"""Gaps in a text, put to the real embedded model; and what names tell of models."""

import asyncio
from pathlib import Path

import pytest

from codeact.errors import ModelError
from codeact.models import open_model
from codeact.models.base import can_fill, is_called_small
from codeact.models.embedded import DEFAULT_EMBEDDED, find_gap
from codeact.models.openai import OpenAIModel
from codeact.models.pull import model_path
from codeact.settings import ModelSettings, load_settings
from codeact.trajectory import Gap, Sampling

GAP = Gap(
    "# def test_total():\n#     assert total([1, 2]) == 3\n\ndef total(items):\n    result = 0\n    for item in items:\n        ",
    "\n    return result\n",
)


@pytest.mark.local_model
async def test_the_embedded_model_fills_and_weighs(tmp_path: Path) -> None:
    """It writes what belongs there, and finds that likelier than what does not."""
    settings = load_settings(tmp_path, {"model": {"name": "local"}, "state": str(tmp_path / "state")}, {})
    if model_path(settings, DEFAULT_EMBEDDED) is None:
        pytest.skip("the embedded model is not pulled: codeact model pull")
    async with open_model(settings) as model:
        assert can_fill(model)
        filled = await model.fill(GAP, Sampling(samples=2, max_tokens=12))
        right = await model.weigh(GAP, "result += item")
        wrong = await model.weigh(GAP, "result -= item")
    assert [answer.text.split("\n")[0].strip() for answer in filled.answers] == ["result += item"] * 2
    assert filled.usage.model_calls == 1
    assert filled.usage.prompt_tokens > 20
    assert float(wrong.answers[0].text) < float(right.answers[0].text) < 0


@pytest.mark.parametrize(
    ("name", "small"),
    [
        ("local:qwen2.5-coder-1.5b", True),
        ("/models/SmolLM2-135M-Instruct.Q4_1.gguf", True),
        ("llama3.2:3b", True),
        ("qwen2.5-coder:14b", False),
        ("mixtral-8x7b", False),
        ("gpt-5-mini", False),
    ],
)
def test_names_tell_sizes(name: str, small: bool) -> None:
    """A small model is treated as one wherever it is served."""
    assert is_called_small(name) is small


def test_an_endpoint_that_has_such_a_model_can_be_asked() -> None:
    """What it is called decides; one that does not take such requests raises, so that other ways are tried."""
    assert find_gap("qwen2.5-coder:7b")
    assert not find_gap("gpt-5")
    model = OpenAIModel("qwen2.5-coder-1.5b", ModelSettings(base_url="http://127.0.0.1:9/v1", retries=0))
    assert can_fill(model)
    assert model.schedule[1].samples > 1
    with pytest.raises(ModelError):
        asyncio.run(model.fill(GAP, Sampling()))
