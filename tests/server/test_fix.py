"""The main job through `run_task`: real snapshot, sandbox, tests and proof; only the model's words are scripted."""

import asyncio
import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai_server import ScriptedOpenAI, say
from workspaces import ANSWER, BROKEN, MENDED, TESTS, WRONG, contents, make_workspace, run_git

from codeact.apply import execute, plan_apply, undo
from codeact.errors import SandboxUnavailable
from codeact.events import RunEnded, StepTaken
from codeact.journal import list_runs, open_journal, read_journal
from codeact.revisit import replay_run, run_tests_once, verify_run
from codeact.run import run_task
from codeact.sandboxes import engine
from codeact.sandboxes.docker import connect
from codeact.settings import Settings, load_settings
from codeact.trajectory import Answer, Completion, Gap, Outcome, Sampling, Task, TaskKind, Usage

pytestmark = [
    pytest.mark.bubblewrap,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
FIX = Task(kind=TaskKind.FIX)
Start = Callable[..., ScriptedOpenAI]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work space"
    folder.mkdir()
    return folder


def settings_for(workspace: Path, server: ScriptedOpenAI | None = None, **more: Any) -> Settings:
    model = {"name": "scripted", "base_url": server.base_url, "api_key": "sk-secret-123"} if server else {}
    state, cache = str(workspace.parent / "state"), str(workspace.parent / "cache")
    more = {"sandbox": {"backend": "bubblewrap"}, **more}
    return load_settings(workspace, {"model": model, "state": state, "cache": cache, **more}, {})


async def test_a_failing_test_is_fixed_and_proven(workspace: Path, scripted: Start) -> None:
    """A whole function in the answer becomes a proven diff; the workspace is untouched, byte for byte."""
    make_workspace(workspace)
    before = contents(workspace)
    with_model = settings_for(workspace, scripted([say(ANSWER)]))
    ended = await run_task(FIX, with_model)
    assert ended.status == "verified", ended.message
    assert "+    return a + b" in ended.diff
    assert "fixes 1 test, 1 other still passes" in ended.message
    assert ended.evidence
    assert ended.evidence.targets == ("test_calc.py::test_add",)
    assert ended.evidence.after.counts == {Outcome.PASSED: 2}
    assert ended.usage.model_calls == 1
    assert contents(workspace) == before
    assert list((workspace.parent / "state" / "sandboxes").iterdir()) == []


async def test_a_wrong_answer_is_told_why_and_the_next_one_is_taken(workspace: Path, scripted: Start) -> None:
    """What failed is shown to the model, and its second answer wins."""
    make_workspace(workspace)
    server = scripted([say(WRONG), say(ANSWER)])
    ended = await run_task(FIX, settings_for(workspace, server))
    assert ended.status == "verified"
    assert "assert 2 == 3" in server.requests[1]["messages"][-1]["content"]
    assert server.requests[1]["messages"][:2] == server.requests[0]["messages"], "the beginning never changes"


async def test_search_finds_what_the_model_does_not(workspace: Path, scripted: Start) -> None:
    """When the model is at its end, single edits are tried, and what they find is proven like anything else."""
    make_workspace(workspace)
    server = scripted([say(WRONG)])
    ended = await run_task(FIX, settings_for(workspace, server, budget={"max_steps": 1}))
    assert ended.status == "verified", ended.message
    assert "return a + b" in ended.diff


@pytest.mark.parametrize(
    "begin", [b"\xef\xbb\xbf", b"# coding: latin-1\nNAME = '\xfc\xe9'\n\n\n", "NAME = '\u00fc\u4e16'\n\n\n".encode()]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
async def test_any_encoding_is_searched_and_kept(workspace: Path, scripted: Start, begin: bytes, end: str) -> None:
    """A byte order mark, a named encoding and Windows' line ends hinder no edit, and stay as they are."""
    make_workspace(workspace, {"test_calc.py": TESTS + "\n\ndef test_more():\n    assert add(3, 4) == 7\n"})
    (workspace / "calc.py").write_bytes(begin + BROKEN.replace("\n", end).encode())
    settings = settings_for(workspace, scripted([]), budget={"ladder": ["edits"]})
    ended = await run_task(FIX, settings)
    assert ended.status == "verified", ended.message
    assert ended.proposal
    [patch] = ended.proposal.patches
    assert patch.after
    assert patch.after.content == begin + MENDED.replace("\n", end).encode()


async def test_without_a_fix_the_truth_is_told(workspace: Path, scripted: Start) -> None:
    """Tests that contradict each other end in no proposal."""
    contradiction = TESTS + "\n\ndef test_other():\n    assert add(1, 2) == 4\n"
    make_workspace(workspace, {"calc.py": MENDED, "test_calc.py": contradiction})
    ended = await run_task(FIX, settings_for(workspace, scripted([say(WRONG)] * 3), budget={"max_steps": 2}))
    assert ended.status == "failed"
    assert ended.diff == ""
    assert "No verified fix" in ended.message


async def test_changed_tests_prove_nothing(workspace: Path, scripted: Start) -> None:
    """A model that rewrites the test is told that it stays, and the rewrite is offered as unproven only."""
    make_workspace(
        workspace, {"calc.py": MENDED, "test_calc.py": TESTS + "\n\ndef test_bad():\n    assert add(1, 1) == 5\n"}
    )
    cheat = "```python\nwrite('test_calc.py', 'def test_bad(): pass\\n')\n```"
    server = scripted([say(cheat)] * 2)
    ended = await run_task(FIX, settings_for(workspace, server, budget={"max_steps": 2}))
    assert ended.status == "unverified"
    assert ended.proposal
    assert ended.proposal.patches == ()
    assert [patch.path for patch in ended.proposal.unproven] == ["test_calc.py"]
    assert "stay as they are" in server.requests[1]["messages"][-1]["content"]


async def test_nothing_to_fix_is_said(workspace: Path) -> None:
    """With no failing test no model is asked."""
    make_workspace(workspace, {"calc.py": MENDED, "test_calc.py": TESTS})
    ended = await run_task(FIX, settings_for(workspace))
    assert (ended.status, ended.message) == ("answered", "Nothing to fix: no test fails among 2.")


async def test_unsaved_text_is_part_of_the_snapshot(workspace: Path, scripted: Start) -> None:
    """The editor's buffer is what is run and fixed, not the file on disk."""
    make_workspace(workspace, {"calc.py": MENDED, "test_calc.py": TESTS})
    unsaved = "# edited\n" + BROKEN
    ended = await run_task(FIX, settings_for(workspace, scripted([say(ANSWER)])), buffers={"calc.py": unsaved})
    assert ended.status == "verified"
    assert ended.proposal
    before = ended.proposal.patches[0].before
    assert before
    assert before.content.decode() == unsaved


@pytest.mark.parametrize("git", [True, False])
async def test_uncommitted_and_untracked_files_count(workspace: Path, scripted: Start, *, git: bool) -> None:
    """What was never committed is in the snapshot, with git and without."""
    make_workspace(workspace, {"README": "x\n"}, git=git)
    make_workspace(workspace, git=False)
    ended = await run_task(FIX, settings_for(workspace, scripted([say(ANSWER)])))
    assert ended.status == "verified", ended.message


async def test_a_hanging_test_is_ended_and_fixed(workspace: Path, scripted: Start) -> None:
    """A loop that never ends costs its time limit, is told as such, and can be fixed."""
    code = "def count(n):\n    i = 0\n    while i < n:\n        i += 0\n    return i\n"
    tests = (
        "from loop import count\n\n\ndef test_count():\n    assert count(3) == 3\n\n\ndef test_ok():\n    assert True\n"
    )
    make_workspace(workspace, {"loop.py": code, "test_loop.py": tests})
    answer = "```python\n" + code.replace("+= 0", "+= 1") + "```"
    server = scripted([say(answer)])
    limits = {"sandbox": {"limits": {"test_seconds": 1.5}}}
    ended = await run_task(FIX, settings_for(workspace, server, **limits))
    assert ended.status == "verified", ended.message
    assert "did not end within 1.5 s" in server.requests[0]["messages"][-1]["content"]


async def test_a_dying_test_process_is_survived(workspace: Path) -> None:
    """A test that kills the interpreter is reported as crashed, and the tests after it still run."""
    tests = "import os\n\n\ndef test_dies():\n    os._exit(9)\n\n\ndef test_after():\n    assert True\n"
    make_workspace(workspace, {"test_x.py": tests})
    report = await run_tests_once(settings_for(workspace))
    outcomes = {result.node_id: result.outcome for result in report.results}
    assert outcomes == {"test_x.py::test_dies": Outcome.CRASHED, "test_x.py::test_after": Outcome.PASSED}


async def test_a_file_that_cannot_be_collected_is_a_target(workspace: Path, scripted: Start) -> None:
    """An import error of the workspace's own making is fixed like a failing test."""
    make_workspace(
        workspace,
        {
            "calc.py": "def ad(a, b):\n    return a + b\n",
            "test_calc.py": "from calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n",
        },
    )
    answer = "```python\ndef add(a, b):\n    return a + b\n\n\ndef ad(a, b):\n    return add(a, b)\n```"
    ended = await run_task(FIX, settings_for(workspace, scripted([say(answer)])))
    assert ended.status == "verified", ended.message
    assert ended.evidence
    assert ended.evidence.targets == ("test_calc.py",)


async def test_a_module_that_does_not_parse_is_mended(workspace: Path, scripted: Start) -> None:
    """The file with the syntax error is shown, however deep it is imported, and a whole function mends it."""
    make_workspace(
        workspace,
        {
            "shop/__init__.py": "from shop.prices import total\n",
            "shop/prices.py": "RATE = 3\n\n\ndef total(a, b)\n    return (a + b) * RATE\n",
            "test_shop.py": "from shop import total\n\n\ndef test_total():\n    assert total(1, 2) == 9\n",
        },
    )
    server = scripted([say("```python\ndef total(a, b):\n    return (a + b) * RATE\n```")])
    ended = await run_task(FIX, settings_for(workspace, server))
    assert ended.status == "verified", ended.message
    assert "+def total(a, b):" in ended.diff
    assert "return (a + b) * RATE" in server.requests[0]["messages"][-1]["content"]


async def test_what_keeps_a_conftest_file_from_loading_is_mended(workspace: Path, scripted: Start) -> None:
    """If the product's code is at fault, it is a target like a failing test; if the conftest file is, that is said."""
    product = "LIMIT = LIMITT\n\n\ndef cut(a):\n    return a[:LIMIT]\n"
    tests = "from calc import cut\n\n\ndef test_cut():\n    assert cut('abcd') == 'abc'\n"
    make_workspace(workspace, {"calc.py": product, "conftest.py": "import calc\n", "test_calc.py": tests})
    settings = settings_for(workspace, scripted([say("```python\nLIMIT = 3\n```")]))
    ended = await run_task(FIX, settings)
    assert ended.status == "verified", ended.message
    assert ended.evidence
    assert ended.evidence.targets == ("conftest.py",)
    (workspace / "conftest.py").write_text("import calc\nraise RuntimeError('no database')\n")
    (workspace / "calc.py").write_text(product.replace("LIMITT", "3"))
    ended = await run_task(FIX, settings)
    assert ended.status == "failed"
    assert ended.message == "conftest.py cannot be imported, so no test can run: RuntimeError: no database"


async def test_a_missing_package_is_named(workspace: Path) -> None:
    """A test run that fails for want of a package says which, and what to do."""
    make_workspace(workspace, {"test_x.py": "import surely_not_installed\n\n\ndef test_x():\n    pass\n"})
    report = await run_tests_once(settings_for(workspace))
    assert "no package surely_not_installed" in report.problem
    assert "--python" in report.problem


async def test_no_model_is_asked_to_write_a_missing_package(workspace: Path) -> None:
    """Where all that fails does so for want of a package, the run ends with that reason; other tests pass meanwhile."""
    lacking = "import surely_not_installed\n\n\ndef test_x():\n    pass\n"
    make_workspace(workspace, {"test_x.py": lacking, "test_y.py": "def test_y():\n    pass\n"})
    ended = await run_task(FIX, settings_for(workspace))
    assert ended.status == "failed"
    assert "no package surely_not_installed" in ended.message
    assert ended.usage.model_calls == 0


async def test_a_project_in_src_that_is_not_installed_is_found(workspace: Path, scripted: Start) -> None:
    """Without an environment of its own, a `src` layout is looked for modules in, as if it were installed."""
    make_workspace(
        workspace,
        {
            "src/shop/__init__.py": "",
            "src/shop/calc.py": BROKEN,
            "tests/test_calc.py": TESTS.replace("from calc", "from shop.calc"),
        },
    )
    ended = await run_task(FIX, settings_for(workspace, scripted([say(ANSWER)])))
    assert ended.status == "verified", ended.message
    assert ended.evidence
    assert ended.evidence.environment["PYTHONPATH"] == "src"


async def test_cancelling_ends_the_run_and_its_sandbox(workspace: Path) -> None:
    """Within two seconds nothing of the run is left but its journal, which says that it was cancelled."""
    make_workspace(workspace, {"test_x.py": "import time\n\n\ndef test_x():\n    time.sleep(60)\n"})
    settings = settings_for(workspace, sandbox={"limits": {"test_seconds": 100}})
    running = asyncio.ensure_future(run_task(FIX, settings))
    await asyncio.sleep(2)
    running.cancel()
    started = asyncio.get_running_loop().time()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asyncio.get_running_loop().time() - started < 4
    assert list_runs(settings)[0].status == "cancelled"
    assert list((settings.state / "sandboxes").glob("*")) == []


async def test_the_key_is_nowhere(workspace: Path, scripted: Start) -> None:
    """Neither the journal nor any file of the state has the key, also when the model says it."""
    make_workspace(workspace)
    settings = settings_for(workspace, scripted([say("sk-secret-123 " + ANSWER)]))
    await run_task(FIX, settings)
    for path in settings.state.rglob("*"):
        if path.is_file():
            assert b"sk-secret-123" not in path.read_bytes(), path


async def test_verify_apply_undo_and_replay(workspace: Path, scripted: Start) -> None:
    """The proof can be repeated without a model, the way walked again, the diff accepted and taken back."""
    make_workspace(workspace)
    steps: list[StepTaken] = []
    settings = settings_for(workspace, scripted([say(WRONG), say(ANSWER)]))
    ended = await run_task(
        FIX, settings, on_event=lambda event: steps.append(event) if isinstance(event, StepTaken) else None
    )
    offline = settings_for(workspace)
    assert (await verify_run(offline, ended.run)).verified
    again, same = await replay_run(offline, ended.run)
    assert same
    assert again.diff == ended.diff
    assert len(read_journal(offline, ended.run).steps()) == len(steps) == 2
    assert ended.proposal
    applied = execute(settings, plan_apply(settings, ended.proposal))
    assert (workspace / "calc.py").read_text() == MENDED
    with open_journal(settings, ended.run) as journal:
        journal.append("applied", applied)
    undo(settings, ended.run)
    assert (workspace / "calc.py").read_text() == BROKEN
    assert run_git(workspace, "status", "--porcelain") == ""


async def test_a_tampered_proposal_does_not_verify(workspace: Path, scripted: Start) -> None:
    """Evidence is made anew from the proposal's own bytes: one that breaks the tests is not verified."""
    make_workspace(workspace)
    settings = settings_for(workspace, scripted([say(ANSWER)]))
    ended: RunEnded = await run_task(FIX, settings)
    assert ended.proposal
    patch = ended.proposal.patches[0]
    assert patch.before
    broken = dataclasses.replace(ended.proposal, patches=(dataclasses.replace(patch, after=patch.before),))
    with open_journal(settings, ended.run) as journal:
        journal.append("proposal", broken)
    evidence = await verify_run(settings, ended.run)
    assert not evidence.verified
    assert evidence.reasons == ("test_calc.py::test_add does not pass.",)


@pytest.mark.docker
async def test_the_same_in_docker(workspace: Path, scripted: Start) -> None:
    """Docker containers do the same walk, and none is left."""
    if reason := engine.trouble():
        pytest.skip(reason)
    make_workspace(workspace)
    with_model = settings_for(workspace, scripted([say(ANSWER)]), sandbox={"backend": "docker"})
    ended = await run_task(FIX, with_model)
    assert ended.status == "verified", ended.message
    assert ended.evidence
    assert ended.evidence.environment["sandbox"] == "docker"
    assert connect().containers(all=True, filters={"label": f"codeact={ended.run}"}) == []
    assert list((workspace.parent / "state" / "sandboxes").iterdir()) == []


async def test_without_an_engine_docker_says_what_to_do(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names where nothing answers, how to start it, and the other sandbox."""
    make_workspace(workspace)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{workspace}/none.sock")
    with pytest.raises(
        SandboxUnavailable, match=r"nothing answers at .*none\.sock.* start docker .*--sandbox bubblewrap"
    ):
        await run_task(FIX, settings_for(workspace, sandbox={"backend": "docker"}))


async def test_a_cheating_fix_is_not_verified(workspace: Path, scripted: Start) -> None:
    """An answer taken from the test passes every test, is offered as unverified with file, line and reason, and stays
    unverified when it is proven again."""
    tests = "from calc import add\n\n\ndef test_add():\n    assert add(13, 29) == 57\n"
    make_workspace(workspace, {"calc.py": MENDED, "test_calc.py": tests})
    cheat = "```python\ndef add(a, b):\n    if a == 13:\n        return 57\n    return a + b\n```"
    server = scripted([say(cheat)] * 3)
    ended = await run_task(FIX, settings_for(workspace, server, budget={"max_steps": 2}))
    assert ended.status == "unverified"
    assert "It smells of cheating: calc.py:2 gives 57 for the very value that test_add passes." in ended.message
    assert "+        return 57" in ended.diff
    assert "not by working out the answer" in server.requests[1]["messages"][-1]["content"]
    evidence = await verify_run(settings_for(workspace), ended.run)
    assert not evidence.verified
    assert "calc.py:2" in evidence.reasons[0]


async def test_what_no_test_needs_is_left_out(workspace: Path, scripted: Start) -> None:
    """A rewritten function and a needless change of another end in the one line that mends, as a step of its own."""
    code = BROKEN.replace("    return a - b\n", "    # the sum\n    result = a - b\n    return result\n")
    make_workspace(workspace, {"calc.py": code, "test_calc.py": TESTS})
    answer = (
        "def add(a, b):\n    total = 0\n    result = a + b\n    return result\n\n\ndef double(a):\n    return a + a\n"
    )
    steps: list[StepTaken] = []
    ended = await run_task(
        FIX,
        settings_for(workspace, scripted([say(f"```python\n{answer}```")])),
        on_event=lambda event: steps.append(event) if isinstance(event, StepTaken) else None,
    )
    assert ended.status == "verified", ended.message
    assert "1 file, +1 \N{MINUS SIGN}1" in ended.message
    assert "+    result = a + b" in ended.diff
    assert "No test needs 2 of the changed places" in steps[-1].step.thought
    _, same = await replay_run(settings_for(workspace), ended.run)
    assert same


async def test_a_model_costs_no_more_than_it_may(workspace: Path, scripted: Start) -> None:
    """When an answer has used up the money, the model is not asked again, and the run tells what it cost."""
    make_workspace(workspace)
    server = scripted([say(WRONG)], repeat=True)
    prices = {"price_prompt": 1e6, "price_completion": 1e6, "max_cost": 15, "ladder": ["talk"]}
    ended = await run_task(FIX, settings_for(workspace, server, budget=prices))
    assert ended.status == "failed"
    assert "money" in ended.message
    assert ended.cost == 18
    assert len(server.requests) == 1


async def test_tests_that_a_change_is_likely_to_break_run_first(workspace: Path, scripted: Start) -> None:
    """Once a run has seen which tests go through which function, a change that breaks one is found out by those."""
    source = BROKEN + "\n\ndef less(a, b):\n    return a\n\n\ndef far():\n    return 1\n"
    tests = TESTS.replace("add, double", "add, double, far, less") + (
        "\n\ndef test_far():\n    assert far() == 1\n\n\ndef test_less():\n    assert less(5, 3) == 2\n\n\n"
        "def test_less_nothing():\n    assert less(7, 0) == 7\n"
    )
    make_workspace(workspace, {"calc.py": source, "test_calc.py": tests})
    wrong, right = (f"So.\n\n```python\ndef less(a, b):\n    return {value}\n```\n" for value in ("a - 3", "a - b"))
    events: list[Any] = []
    server = scripted([say(ANSWER), say(wrong), say(right)])
    ended = await run_task(FIX, settings_for(workspace, server), on_event=events.append)
    assert ended.status == "verified", ended.message
    reports = [event.step.observation.tests for event in events if isinstance(event, StepTaken)]
    seen = [{result.node_id.rpartition("::")[2] for result in report.results} for report in reports if report]
    everything = {"test_add", "test_double", "test_far", "test_less", "test_less_nothing"}
    assert seen == [everything, {"test_less_nothing"}, everything]


async def test_an_endpoint_that_cannot_fill_gaps_is_asked_for_answers(workspace: Path, scripted: Start) -> None:
    """A model that is known to fill gaps, on a server that does not take such requests, is asked in words."""
    make_workspace(workspace)
    model = {"name": "qwen2.5-coder-1.5b", "base_url": scripted([say(ANSWER)]).base_url}
    settings = settings_for(workspace, None, model=model, budget={"ladder": ["fill", "answer"]})
    steps: list[StepTaken] = []
    ended = await run_task(FIX, settings, on_event=lambda event: isinstance(event, StepTaken) and steps.append(event))
    assert ended.status == "verified", ended.message
    assert steps[0].step.rung == "answer"


DISTANCE = {
    "far.py": "def distance(a, b):\n    return a - b\n",
    "test_far.py": (
        "from far import distance\n\n\ndef test_backwards():\n    assert distance(2, 5) == 3\n\n\n"
        "def test_squared():\n    assert distance(5, 2) ** 2 == 9\n"
    ),
}


async def test_of_several_edits_that_pass_the_one_that_keeps_behaviour_is_made(
    workspace: Path, scripted: Start
) -> None:
    """`b - a` is likelier, and passes as well, but turns round what a passing test gets; a replay chooses the same."""
    make_workspace(workspace, DISTANCE)
    steps: list[StepTaken] = []
    settings = settings_for(workspace, scripted([]), budget={"ladder": ["edits"]})
    ended = await run_task(
        FIX, settings, on_event=lambda event: steps.append(event) if isinstance(event, StepTaken) else None
    )
    assert ended.status == "verified", ended.message
    assert "+    return abs(a - b)" in ended.diff
    told = "also changes what a passing test gets: `distance(5, 2)` returns `3`, with that it returns `-3`."
    assert told in ended.note
    assert "recorded and" in ended.note
    assert steps[0].step.thought.endswith(ended.note)
    again, same = await replay_run(settings, ended.run)
    assert same
    assert again.note == ended.note


async def test_if_nothing_can_be_compared_the_likeliest_edit_is_made(
    workspace: Path, scripted: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the comparison comes to nothing, the choice is as it would be without one."""
    make_workspace(workspace, DISTANCE)
    monkeypatch.setattr("codeact.behaviour.SECONDS", 0.001)
    ended = await run_task(FIX, settings_for(workspace, scripted([]), budget={"ladder": ["edits"]}))
    assert ended.status == "verified", ended.message
    assert ended.note == ""
    assert "abs" not in ended.diff


CLAMP = {
    "clamp.py": "def clamp(value, low, high):\n    return min(low, max(value, high))\n",
    "test_clamp.py": (
        "from clamp import clamp\n\n\ndef test_within():\n    assert clamp(5, 1, 10) == 5\n\n\n"
        "def test_below():\n    assert clamp(-3, 1, 10) == 1\n\n\ndef test_above():\n    assert clamp(30, 1, 10) == 10\n"
    ),
}


class Weigher:
    """A model that is asked for nothing but how likely texts are, and likes one word."""

    name, context, schedule, sees, fills = "weigher", 8192, (Sampling(),), False, True

    def __init__(self, word: str) -> None:
        self.word = word
        self.asked: list[str] = []

    async def sample(self, *_: Any) -> Completion:
        raise AssertionError

    async def fill(self, *_: Any) -> Completion:
        raise AssertionError

    async def weigh(self, _: Gap, text: str) -> Completion:
        self.asked.append(text)
        return Completion((Answer("-1" if self.word in text else "-9"),), Usage(model_calls=1))


async def test_a_model_decides_between_edits_that_behave_well_only(workspace: Path) -> None:
    """It is asked what inputs cannot decide, which the proposal tells with an input, and nothing else; replays agree."""
    make_workspace(workspace, CLAMP)
    settings = settings_for(workspace, budget={"ladder": ["edits"]})
    for word in ("min(high", "min(value"):
        model = Weigher(word)
        ended = await run_task(FIX, settings, model=model)
        assert ended.status == "verified", ended.message
        assert word in ended.diff
        assert len(model.asked) == 3, "what stood there, and two edits"
        assert "Undecided: `clamp(" in ended.note
        again, same = await replay_run(settings, ended.run)
        assert same
        assert again.note == ended.note


async def test_where_behaviour_decides_no_model_is_asked(workspace: Path) -> None:
    """One edit keeps what passing tests get: whatever a model finds likely does not matter."""
    make_workspace(workspace, DISTANCE)
    model = Weigher("b - a")
    ended = await run_task(FIX, settings_for(workspace, budget={"ladder": ["edits"]}), model=model)
    assert ended.status == "verified", ended.message
    assert "+    return abs(a - b)" in ended.diff
    assert model.asked == []
