"""The `openai` adapter, against a real server that behaves and misbehaves as real ones do."""

import asyncio
import logging
import socket
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from openai_server import Fault, Raw, Refuse, ScriptedOpenAI, Silence, say

from codeact.errors import ContextTooLong, ModelError, ModelRefused, ModelUnavailable
from codeact.models.openai import OpenAIModel
from codeact.models.replies import strip_thinking
from codeact.settings import ModelSettings, Secret
from codeact.trajectory import Answer, Completion, Message, Sampling

KEY = "sk-sécret/key+1".encode().hex()
QUESTION = (Message("system", "Be brief."), Message("user", "Why?"))
Serve = Callable[..., ScriptedOpenAI]


def settings(server: ScriptedOpenAI, **options: Any) -> ModelSettings:
    options = {"retries": 1, "timeout": 5.0, "api_key": Secret(KEY), "base_url": server.base_url} | options
    return ModelSettings(name="scripted", **options)


async def ask(chosen: ModelSettings, sampling: Sampling | None = None, times: int = 1) -> Completion:
    async with OpenAIModel(chosen.name, chosen) as model:
        for _ in range(times):
            completion = await model.sample(QUESTION, sampling or Sampling())
    return completion


async def test_streams_an_answer(scripted: Serve) -> None:
    """The answer arrives piece by piece, with its usage, and the request says what was asked."""
    server = scripted(["Because of the \u2028 rounding."])
    pieces: list[str] = []
    async with OpenAIModel("scripted", settings(server)) as model:
        completion = await model.sample(QUESTION, Sampling(temperature=0.5, max_tokens=99), pieces.append)
    assert completion.answers == (Answer("Because of the \u2028 rounding."),)
    assert len(pieces) > 1
    assert "".join(pieces) == completion.answers[0].text
    assert (completion.usage.model_calls, completion.usage.prompt_tokens, completion.usage.completion_tokens) == (
        1,
        7,
        11,
    )
    assert completion.usage.seconds > 0
    (request,) = server.requests
    assert request["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (request["model"], request["temperature"], request["max_tokens"]) == ("scripted", 0.5, 99)
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


async def test_an_answer_at_the_token_limit_is_marked(scripted: Serve) -> None:
    """`length` as finish reason becomes `cut`."""
    completion = await ask(settings(scripted([say("half of it", finish="length")])))
    assert completion.answers == (Answer("half of it", cut=True),)


async def test_several_samples_in_one_request(scripted: Serve) -> None:
    """`n` is used where the endpoint knows it."""
    server = scripted([say("a", "b", "c")])
    completion = await ask(settings(server), Sampling(samples=3))
    assert [answer.text for answer in completion.answers] == ["a", "b", "c"]
    assert len(server.requests) == 1


@pytest.mark.parametrize("given_back", [True, False])
async def test_an_answer_goes_on_from_its_opening(scripted: Serve, given_back: bool) -> None:
    """The opening is the last message, and the answer has it, whether the server gives it back or not."""
    server = scripted(["```python\nx = 1" if given_back else "x = 1"])
    completion = await ask(settings(server), Sampling(opening="```python\n"))
    assert completion.answers == (Answer("```python\nx = 1"),)
    (request,) = server.requests
    assert request["messages"][-1] == {"role": "assistant", "content": "```python\n"}


async def test_missing_samples_are_asked_for_again(scripted: Serve) -> None:
    """An endpoint that ignores `n` is asked for the rest, and never again for several at once."""
    server = scripted([say("x", ignore_n=True)], repeat=True)
    completion = await ask(settings(server), Sampling(samples=3), times=2)
    assert [answer.text for answer in completion.answers] == ["x", "x", "x"]
    assert [request.get("n") for request in server.requests] == [3, None, None, None, None, None]
    assert completion.usage.model_calls == 3


async def test_a_refused_n_is_left_out(scripted: Serve) -> None:
    """An endpoint that refuses n > 1 still gives as many answers."""
    server = scripted([Refuse("n", "y", message="only n=1 is supported")], repeat=True)
    completion = await ask(settings(server), Sampling(samples=2))
    assert [answer.text for answer in completion.answers] == ["y", "y"]


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("temperature", "'temperature' does not support 0.0 with this model. Only the default (1) is supported."),
        ("max_tokens", "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."),
        ("stream_options", "Unrecognized request argument supplied: stream_options"),
        ("stream", "Your organization must be verified to stream this model."),
        ("temperature", "Extra inputs are not permitted"),
        ("stream_options", "Bad Request"),
    ],
)
async def test_refused_parameters_are_dropped_for_good(scripted: Serve, parameter: str, message: str) -> None:
    """A parameter that the endpoint refuses, clearly or vaguely, costs one request and is not sent again."""
    server = scripted([Refuse(parameter, message=message)], repeat=True)
    completion = await ask(settings(server), times=3)
    assert completion.answers == (Answer("fine"),)
    assert all(parameter not in request for request in server.requests[-3:])
    assert len(server.requests) <= 6


async def test_max_tokens_is_renamed(scripted: Serve) -> None:
    """The limit is kept under its other name."""
    server = scripted([Refuse("max_tokens")], repeat=True)
    await ask(settings(server), Sampling(max_tokens=5))
    assert server.requests[-1]["max_completion_tokens"] == 5


async def test_a_limit_that_is_too_large_is_left_out(scripted: Serve) -> None:
    """A model with a small context may not take the default limit."""
    message = "max_tokens is too large: 8192. This model supports at most 4096 completion tokens."
    server = scripted([Refuse("max_tokens", message=message)], repeat=True)
    assert (await ask(settings(server))).answers == (Answer("fine"),)


async def test_a_system_message_can_be_refused(scripted: Serve) -> None:
    """It then opens the first user message."""

    def rule(body: dict[str, Any]) -> Any:
        roles = [message["role"] for message in body["messages"]]
        return Fault(400, "System role not supported") if "system" in roles else "ok"

    server = scripted([rule], repeat=True)
    await ask(settings(server))
    assert server.requests[-1]["messages"] == [{"role": "user", "content": "Be brief.\n\nWhy?"}]


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": 3}])
async def test_usage_is_estimated_where_none_is_sent(scripted: Serve, usage: dict[str, int] | None) -> None:
    """The token budget must work with every server."""
    completion = await ask(settings(scripted([say("word " * 40, usage=usage)])))
    assert completion.usage.completion_tokens > 10
    assert completion.usage.prompt_tokens >= 3


async def test_an_endpoint_that_ignores_stream(scripted: Serve) -> None:
    """One JSON body is an answer too."""
    completion = await ask(settings(scripted([say("whole", ignore_stream=True)])))
    assert completion.answers == (Answer("whole"),)


async def test_a_stream_without_done(scripted: Serve) -> None:
    """A finish reason is enough of an end."""
    assert (await ask(settings(scripted([say("fine", done=False)])))).answers == (Answer("fine"),)


async def test_reasoning_is_not_part_of_the_answer(scripted: Serve) -> None:
    """Neither in a field of its own nor between tags, nor is it shown."""
    server = scripted([say("<think>hm, <b>\nso</think>\n\nyes", reasoning="long thoughts"), say("<thin ice")])
    pieces: list[str] = []
    async with OpenAIModel("scripted", settings(server)) as model:
        first = await model.sample(QUESTION, Sampling(), pieces.append)
        second = await model.sample(QUESTION, Sampling())
    assert first.answers == (Answer("yes"),)
    assert "".join(pieces) == "yes"
    assert second.answers == (Answer("<thin ice"),)


def test_strip_thinking() -> None:
    """Blocks that the prompt opened, and blocks that the token limit cut, are reasoning too."""
    assert strip_thinking("so it is\n</think>\n\nyes") == "yes"
    assert strip_thinking("<think>and on and on") == ""
    assert strip_thinking("print('</think>')") == "print('</think>')"


@pytest.mark.parametrize(
    "fault", [Fault(429, headers={"Retry-After": "0"}), Fault(500), Fault(503, "<html>", {}, "text/html")]
)
async def test_passing_faults_are_waited_out(scripted: Serve, fault: Fault) -> None:
    """Too many requests and server errors are tried again."""
    server = scripted([fault, "after all"])
    assert (await ask(settings(server))).answers == (Answer("after all"),)
    assert len(server.requests) == 2


async def test_a_cut_connection_is_tried_again(scripted: Serve) -> None:
    """An answer that breaks off is asked for again, whole."""
    server = scripted([say("a long answer that breaks", cut_after=2), "a whole answer"])
    assert (await ask(settings(server))).answers == (Answer("a whole answer"),)


@pytest.mark.parametrize(
    ("entry", "kind", "words"),
    [
        (Fault(500, "boom"), ModelUnavailable, r"failed in 2 tries \(500\): boom"),
        (Fault(429, "slow down", {"Retry-After": "3600"}), ModelUnavailable, "asks to wait 3600 s"),
        (Fault(429, {"message": "pay", "code": "insufficient_quota"}), ModelRefused, "plan and billing"),
        (Fault(402, "Insufficient Balance"), ModelRefused, "plan and billing"),
        (Fault(403, "not in your country"), ModelRefused, "forbids this: not in your country"),
        (Fault(400, {"message": "Too long", "code": "context_length_exceeded"}), ContextTooLong, "does not fit"),
        (Fault(400, {"message": "x", "type": "exceed_context_size_error"}), ContextTooLong, "does not fit"),
        (Fault(400, "This model's maximum context length is 8 tokens"), ContextTooLong, "does not fit"),
        (Fault(413, "big"), ContextTooLong, "does not fit"),
        (Fault(400, "bad things are not answered"), ModelRefused, r"refused the request \(400\): bad things"),
        (Fault(418, "teapot"), ModelRefused, r"refused the request \(418\): teapot"),
        (say("a long answer that breaks", cut_after=2), ModelUnavailable, "connection .* broke in 2 tries"),
        (Raw(b"data: {broken\n\n"), ModelUnavailable, "broken JSON"),
        (Raw(b"data: 5\n\n"), ModelUnavailable, "in place of a completion"),
        (Raw(b"<!doctype html><p>Sign in", "text/html"), ModelUnavailable, "web page"),
        (Raw(b"{", "application/json"), ModelUnavailable, "broken JSON"),
        (Raw(b""), ModelUnavailable, "broke"),
        (Raw(b"data: [DONE]\n\n"), ModelUnavailable, "no answer"),
        (Raw(b'data: {"error": {"message": "engine died", "code": 500}}\n\n'), ModelUnavailable, "engine died"),
        (Raw(b'data: {"error": "context length exceeded"}\n\n'), ContextTooLong, "does not fit"),
        (Raw(b"\xff\xfe\x00", "application/octet-stream"), ModelUnavailable, "broke"),
    ],
)
async def test_faults_become_clear_errors(scripted: Serve, entry: Any, kind: type[ModelError], words: str) -> None:
    """Whatever the endpoint does, the developer reads what happened and what to do."""
    server = scripted([entry], repeat=True)
    with pytest.raises(kind, match=words):
        await ask(settings(server))


async def test_an_unknown_model_names_those_there_are(scripted: Serve) -> None:
    """With the list at hand, the right name is easily set."""
    missing = Fault(404, {"message": "The model `scripted` does not exist", "code": "model_not_found"})
    server = scripted([missing], models=["qwen", "llama"])
    with pytest.raises(ModelRefused, match=r"has no model scripted. It has: qwen, llama. Set CODEACT_MODEL"):
        await ask(settings(server))


async def test_a_wrong_path_is_told(scripted: Serve) -> None:
    """A base URL without /v1 is the usual mistake."""
    server = scripted([])
    with pytest.raises(ModelUnavailable, match="end in /v1: set CODEACT_BASE_URL"):
        await ask(settings(server, base_url=server.base_url.removesuffix("/v1")))


async def test_a_dead_endpoint_is_named() -> None:
    """With its host and port, and what to do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ModelUnavailable, match=f"Nothing answers at 127.0.0.1:{port} .*Start the model server"):
        await ask(ModelSettings(name="x", base_url=f"http://127.0.0.1:{port}/v1", retries=0))


async def test_an_unknown_host_is_named() -> None:
    """A host that does not exist is no traceback either."""
    with pytest.raises(ModelUnavailable, match=r"Nothing answers at nowhere\.invalid"):
        await ask(ModelSettings(name="x", base_url="http://nowhere.invalid/v1", retries=0))


@pytest.mark.parametrize("url", ["localhost:11434", "ftp://host/v1", "http://", "http://[::1", "http://h:99999/v1"])
async def test_a_bad_base_url_is_told(url: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ModelUnavailable, match="is not an address"):
        await ask(ModelSettings(name="x", base_url=url))


@pytest.mark.parametrize("entry", [Silence(30), say("slow " * 20, delay=1.5)])
async def test_a_silent_endpoint_is_given_up(scripted: Serve, entry: Any) -> None:
    """No token for too long ends the request, at its beginning and in its midst, and is not tried again."""
    server = scripted([entry], repeat=True)
    with pytest.raises(ModelUnavailable, match=r"sent nothing for 0\.3 s"):
        await ask(settings(server, timeout=0.3))
    assert len(server.requests) == 1


async def test_cancelling_ends_the_request(scripted: Serve) -> None:
    """Cancelling the task is enough, and nothing is left open."""
    server = scripted([Silence(30)])
    task = asyncio.create_task(ask(settings(server, timeout=60)))
    while not server.requests:  # noqa: ASYNC110 - the server is another thread
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_no_key_is_sent_without_one(scripted: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in the environment belongs to whom the settings say, not to every endpoint."""
    monkeypatch.setenv("OPENAI_API_KEY", "meant-for-another")
    server = scripted(["hello"])
    await ask(settings(server, api_key=None))
    assert "authorization" not in server.headers[0]


async def test_this_machine_is_not_asked_through_a_proxy(scripted: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy for the web does not know the servers of this machine."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert (await ask(settings(scripted(["direct"])))).answers == (Answer("direct"),)


def _echo_key(body: dict[str, Any]) -> Any:
    return Fault(400, f"what is {KEY} for? {body['model']}")


@pytest.mark.parametrize(
    ("script", "options", "words"),
    [
        ([], {"key": "another"}, "refused the key. Set CODEACT_API_KEY"),
        ([_echo_key], {"repeat": True}, r"what is \*\*\* for"),
        ([Fault(500, f"Bearer {KEY}")], {"repeat": True}, r"Bearer \*\*\*"),
        ([Raw(f"data: {{{KEY}".encode())], {"repeat": True}, r"\*\*\*"),
        ([Raw(f"<html>{KEY}".encode(), "text/html")], {}, "web page"),
        ([Silence(5)], {}, "sent nothing"),
    ],
)
async def test_the_key_is_never_shown(
    scripted: Serve, caplog: pytest.LogCaptureFixture, script: list[Any], options: dict[str, Any], words: str
) -> None:
    """Not in an error, its traceback and causes, a representation or a log, also when the endpoint echoes it."""
    caplog.set_level(logging.DEBUG)
    server = scripted(script, **options)
    chosen = settings(server, timeout=0.5)
    with pytest.raises(ModelError, match=words) as caught:
        await ask(chosen)
    error: BaseException | None = caught.value
    while error is not None:
        assert KEY not in f"{error!r}{error}{vars(error)}"
        error = error.__cause__ or error.__context__
    frames = [
        frame for frame, _ in traceback.walk_tb(caught.value.__traceback__) if "models" in frame.f_code.co_filename
    ]
    assert any("_ask_adapting" in frame.f_code.co_name for frame in frames)
    assert all(KEY not in repr(value) for frame in frames[2:] for value in frame.f_locals.values())
    assert KEY not in caplog.text
    assert KEY not in repr(chosen)


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel"])
async def test_a_key_that_cannot_be_one(scripted: Serve, key: str) -> None:
    """A key that no header can hold is told without showing it; blanks around it are the shell's."""
    server = scripted(["hello"])
    with pytest.raises(ModelRefused, match="holds characters that no key has") as caught:
        await ask(settings(server, api_key=Secret(key)))
    assert key not in str(caught.value)
    await ask(settings(server, api_key=Secret(f" {KEY}\n")))
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


async def test_lists_models(scripted: Serve) -> None:
    """With their context, where it is told; an endpoint without a list has none."""
    server = scripted([], models=["a", {"id": "b", "max_model_len": 4096}])
    async with OpenAIModel("x", settings(server)) as model:
        listed = await model.list_models()
        server.lists = False
        unlisted = await model.list_models()
    assert [(entry.name, entry.context) for entry in listed] == [("a", 0), ("b", 4096)]
    assert unlisted == ()
