"""Which model is opened for which settings."""

import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from openai_server import ScriptedOpenAI

from codeact.errors import ModelError, ModelRefused, ModelUnavailable
from codeact.models import choice, open_model
from codeact.models.choice import choose_endpoint, choose_model
from codeact.models.openai import ListedModel
from codeact.models.replay import ReplayModel
from codeact.settings import ModelSettings, Secret, Settings
from codeact.trajectory import Answer, Completion, Message, Sampling, Usage

QUESTION = (Message("user", "Why?"),)
Serve = Callable[..., ScriptedOpenAI]


def make_settings(folder: Path, **options: object) -> Settings:
    return replace(
        Settings(workspace=folder, state=folder / "state", cache=folder / "cache"),
        model=replace(ModelSettings(), **options),  # type: ignore[arg-type]  # checked by the dataclass
    )


async def test_a_named_model_is_asked_for(scripted: Serve, tmp_path: Path) -> None:
    """Any name that is none of ours is a model of the endpoint, and opening it sends nothing."""
    server = scripted(["hello"])
    async with open_model(make_settings(tmp_path, name="gpt-x", base_url=server.base_url)) as model:
        assert model.name == "gpt-x"
        assert server.requests == []
        await model.sample(QUESTION, Sampling())
    assert server.requests[0]["model"] == "gpt-x"


async def test_auto_takes_what_the_endpoint_has(scripted: Serve, tmp_path: Path) -> None:
    """A configured address comes first, and its model for code before others."""
    server = scripted([], models=["nomic-embed", "llama", {"id": "qwen-coder", "max_model_len": 9000}])
    async with open_model(make_settings(tmp_path, base_url=server.base_url)) as model:
        assert (model.name, model.context) == ("qwen-coder", 9000)


async def test_auto_without_a_list(scripted: Serve, tmp_path: Path) -> None:
    """An endpoint that lists nothing is asked for the usual model."""
    server = scripted([], lists=False)
    async with open_model(make_settings(tmp_path, base_url=server.base_url)) as model:
        assert model.name == choice.DEFAULT_NAME


async def test_auto_tells_of_a_wrong_key(scripted: Serve, tmp_path: Path) -> None:
    """What is configured and does not work is an error, never silently another model."""
    server = scripted([], key="right")
    with pytest.raises(ModelRefused, match="refused the key"):
        async with open_model(make_settings(tmp_path, base_url=server.base_url, api_key=Secret("wrong"))):
            pass


async def test_a_key_alone_is_for_the_default_endpoint(tmp_path: Path) -> None:
    """Nothing on this machine is asked then."""
    async with open_model(make_settings(tmp_path, api_key=Secret("key"))) as model:
        assert model.name == choice.DEFAULT_NAME


async def test_a_server_on_this_machine_is_found(scripted: Serve) -> None:
    """The first that lists models is taken, also beside ports where nothing, or something else, answers."""
    with socket.socket() as silent, socket.socket() as free:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        free.bind(("127.0.0.1", 0))
        other = scripted([], lists=False)
        server = scripted([], models=["llama"])
        ports = (free.getsockname()[1], silent.getsockname()[1], other.port, server.port)
        model = await choose_endpoint(ModelSettings(), ports)
    assert model is not None
    async with model:
        assert model.name == "llama"
        assert model.context == choice.LOCAL_CONTEXT


async def test_nothing_at_all_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without endpoint and embedded model, the commands that give one are named."""
    monkeypatch.setattr(choice, "LOCAL_PORTS", ())
    monkeypatch.setattr(choice.choose_endpoint, "__defaults__", ((),))
    with pytest.raises(ModelUnavailable, match="codeact model pull"):
        async with open_model(make_settings(tmp_path)):
            pass


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("editor", "only inside an editor"),
        ("replay:abc", "codeact replay"),
        ("local:none", "There is no embedded model named none"),
        ("local", "Run: codeact model pull qwen"),
    ],
)
async def test_what_cannot_be_opened(tmp_path: Path, name: str, words: str) -> None:
    """Each name says what it needs."""
    with pytest.raises(ModelUnavailable, match=words):
        async with open_model(make_settings(tmp_path, name=name)):
            pass


async def test_replay_gives_recorded_answers() -> None:
    """In order, with their usage, and an error when the conversation goes on."""
    recorded = [
        Completion((Answer("one"),), Usage(model_calls=1)),
        Completion((Answer("two"), Answer("three")), Usage(model_calls=1)),
    ]
    pieces: list[str] = []
    model = ReplayModel(recorded)
    assert [sampling.samples for sampling in model.schedule] == [1, 2]
    assert [await model.sample(QUESTION, Sampling(), pieces.append) for _ in recorded] == recorded
    with pytest.raises(ModelError, match="asks for answer 3, and 2 were recorded"):
        await model.sample(QUESTION, Sampling())
    assert pieces == ["one", "two"]


def test_choose_model() -> None:
    """Models that cannot talk are taken only when there is nothing else."""
    assert choose_model([ListedModel("bge-m3"), ListedModel("mistral")]).name == "mistral"
    assert choose_model([ListedModel("mistral"), ListedModel("codestral")]).name == "codestral"
    assert choose_model([ListedModel("bge-m3")]).name == "bge-m3"
    assert choose_model([]).name == choice.DEFAULT_NAME
