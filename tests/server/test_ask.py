"""The ask task through `run_task`: real snapshot, sandbox and tests; only the model's words are scripted."""

import base64
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from openai_server import Fault, ScriptedOpenAI, say
from workspaces import MENDED, TESTS, contents, make_workspace

from codeact.agent import Ending, Outcome
from codeact.compact import doubt
from codeact.run import run_task
from codeact.settings import Settings, load_settings
from codeact.trajectory import Task, TaskKind

pytestmark = [
    pytest.mark.bubblewrap,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
Start = Callable[..., ScriptedOpenAI]
SALES = "product,amount\ntea,3\ncoffee,9\ntea,4\n"
COUNT = (
    "I look.\n\n```python\nimport csv\nrows = list(csv.DictReader(open('sales.csv')))\nprint(len(rows), 'rows')\n```\n"
)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    return make_workspace(folder, {"sales.csv": SALES, "calc.py": MENDED, "test_calc.py": TESTS})


def ask(words: str, **more: str) -> Task:
    return Task(kind=TaskKind.ASK, instruction=words, **more)


def settings_for(workspace: Path, server: ScriptedOpenAI) -> Settings:
    overrides = {
        "model": {"name": "scripted", "base_url": server.base_url, "api_key": "sk-secret-123"},
        "state": str(workspace.parent / "state"),
        "cache": str(workspace.parent / "cache"),
        "sandbox": {"backend": "bubblewrap"},
    }
    return load_settings(workspace, overrides, {})


async def test_a_question_is_answered_from_what_the_code_printed(workspace: Path, scripted: Start) -> None:
    """The model looks, reads what was printed, and answers; nothing changes, and nothing is proposed."""
    before = contents(workspace)
    server = scripted([say(COUNT), say("There are 3 rows in sales.csv:1, and see nothing.py:7.")])
    ended = await run_task(ask("How many sales are there?"), settings_for(workspace, server))
    assert ended.status == "answered", ended.message
    assert ended.answer.startswith("There are 3 rows in sales.csv:1")
    assert "Not found in the workspace: nothing.py:7" in ended.answer
    first, second = (request["messages"][-1]["content"] for request in server.requests)
    assert "product,amount" in first, "the file that the question is about is shown"
    assert "3 rows" in second
    assert ended.diff == ""
    assert contents(workspace) == before


async def test_words_without_a_look_are_asked_to_look_first(workspace: Path, scripted: Start) -> None:
    """An answer before any action is not taken, unless the model insists."""
    server = scripted([say("Probably 10."), say(COUNT), say("3.")])
    ended = await run_task(ask("How many sales are there?"), settings_for(workspace, server))
    assert ended.answer == "3."
    server = scripted([say("It adds numbers."), say("It adds numbers, I say.")])
    ended = await run_task(ask("What is calc about?"), settings_for(workspace, server))
    assert (ended.status, ended.answer) == ("answered", "It adds numbers, I say.")


async def test_what_was_made_is_handed_over(workspace: Path, scripted: Start) -> None:
    """New data files and what lies in artifacts/ are artifacts, not changes of the project."""
    code = "open('top.csv', 'w').write('coffee,9\\n')\nimport os\nos.mkdir('artifacts')\nopen('artifacts/note.txt', 'w').write('x')"
    server = scripted([say(f"```python\n{code}\n```"), say("Coffee leads.")])
    ended = await run_task(ask("Which product leads?"), settings_for(workspace, server))
    assert ended.status == "answered"
    assert [(made.name, made.media_type) for made in ended.artifacts] == [
        ("note.txt", "text/plain"),
        ("top.csv", "text/csv"),
    ]
    assert ended.artifacts[1].data == b"coffee,9\n"
    assert ended.diff == ""


async def test_changes_of_the_project_are_a_proven_proposal(workspace: Path, scripted: Start) -> None:
    """What the steps changed is proposed if the suite ends as before, and not proven if it does not."""
    rename = "```python\nreplace('calc.py', 'def double(a):', 'def double(a):  # twice')\n```"
    server = scripted([say(rename), say("Done.")])
    ended = await run_task(ask("Comment on double"), settings_for(workspace, server))
    assert ended.status == "verified", ended.message
    assert "+def double(a):  # twice" in ended.diff
    breaking = "```python\nreplace('calc.py', 'return a * 2', 'return a * 3')\n```"
    server = scripted([say(breaking), say("Done.")])
    ended = await run_task(ask("Triple it"), settings_for(workspace, server))
    assert ended.status == "unverified"
    assert "test_calc.py::test_double is worse than before" in ended.message
    server = scripted([say("```python\nreplace('test_calc.py', '== 8', '== 8.0')\n```"), say("Done.")])
    ended = await run_task(ask("Compare with a float"), settings_for(workspace, server))
    assert ended.status == "unverified"
    assert "changes tests" in ended.message


async def test_a_follow_up_finds_variables_and_words_again(workspace: Path, scripted: Start) -> None:
    """The next question goes on in the same conversation, with the same variables."""
    server = scripted([say(COUNT), say("3 rows.")])
    first = await run_task(ask("How many sales are there?"), settings_for(workspace, server))
    more = "```python\nprint(sum(int(row['amount']) for row in rows))\n```"
    server = scripted([say(more), say("16 in all.")])
    ended = await run_task(ask("And the sum?", follows=first.run), settings_for(workspace, server))
    assert ended.answer == "16 in all."
    assert "16" in server.requests[1]["messages"][-1]["content"]
    told = [message["content"] for message in server.requests[0]["messages"]]
    assert any("How many sales are there?" in text for text in told)
    assert "3 rows." in told
    assert "And the sum?" in told[-1]


async def test_a_small_model_is_heard_several_times(workspace: Path, scripted: Start) -> None:
    """What most of its answers find out counts, in whatever words; what the others made is gone."""

    def code(value: str, words: str) -> str:
        total = f"sum(int(row['amount']) for row in csv.DictReader(open('sales.csv')) if {value})"
        return f"```python\nimport csv, os\nopen('note.txt', 'w').write({value!r})\nprint({words!r}, {total})\n```"

    tea, everything = "row['product'] == 'tea'", "True"
    said = [code(everything, "All:"), code("row['nothing']", ""), code(tea, "Sum of tea:"), code(everything, "Total:")]
    said += [code(tea, "Tea:"), code(tea, "The sum is")]
    server = scripted([say(code(tea, "Total")), say(*said)])
    settings = settings_for(workspace, server)
    settings = replace(settings, model=replace(settings.model, name="scripted-1.5b"))
    ended = await run_task(ask("What is the sum of all sales?"), settings)
    assert len(server.requests) == 2
    assert (ended.answer, ended.note) == ("Total 7", ""), "four of six, and the earliest of them"
    changed = {patch.path: patch.after for patch in ended.proposal.patches} if ended.proposal else {}
    assert set(changed) == {"note.txt"}


@pytest.mark.parametrize(
    ("votes", "heard", "said"),
    [
        (0, 0, ""),
        (4, 8, ""),
        (3, 4, ""),
        (2, 2, "of 2 answers of the model, 2"),
        (4, 13, "of 13 answers of the model, 4"),
    ],
)
def test_an_answer_that_few_others_come_to_is_told_as_doubtful(votes: int, heard: int, said: str) -> None:
    """Two that agree are no crowd, and a third of many is none."""
    told = doubt(Outcome(Ending.ANSWERED, "7", votes=votes, heard=heard))
    assert said in told
    assert bool(said) == bool(told)


async def test_an_answer_of_a_small_model_that_misses_what_was_asked_does_not_count(
    workspace: Path, scripted: Start
) -> None:
    """A number that the code has only in a title, and a table with other columns than those asked for, are sent back."""

    def code(columns: str, least: str) -> str:
        rows = f"[row for row in csv.DictReader(open('sales.csv')) if {least}]"
        return (
            f"```python\nimport csv\nrows = {rows}\nwith open('big.csv', 'w') as file:\n"
            f"    csv.writer(file).writerow({columns})\nprint('title: more than 5', len(rows))\n```"
        )

    forgotten = code("['product', 'amount']", "True")
    misnamed = code("['Product', 'Amount']", "int(row['amount']) > 5")
    right = code("['product', 'amount']", "int(row['amount']) > 5")
    server = scripted([say(forgotten), say(misnamed), say(code("['product', 'amount']", "row")), say(right)])
    settings = settings_for(workspace, server)
    settings = replace(settings, model=replace(settings.model, name="scripted-1.5b"))
    question = "Which sales are more than 5? Write them to big.csv with the columns product and amount."
    ended = await run_task(ask(question), settings)
    told = [request["messages"][-1]["content"] for request in server.requests]
    assert "it does not use what the task names: 5." in told[1]
    assert "big.csv has the columns Product, Amount. They must be product, amount." in told[2]
    assert "does not use" in told[3], "where another answer minds it, it is no longer let pass"
    assert ended.answer.startswith("title: more than 5")
    changed = {patch.path: patch.after for patch in ended.proposal.patches} if ended.proposal else {}
    assert set(changed) == {"big.csv"}


async def test_a_small_models_follow_up_keeps_its_variables_when_it_begins_anew(
    workspace: Path, scripted: Start
) -> None:
    """A second try finds the variables of the earlier run, not those of the first try."""
    server = scripted([say(COUNT)])
    settings = settings_for(workspace, server)
    settings = replace(settings, model=replace(settings.model, name="scripted-1.5b"))
    first = await run_task(ask("How many sales are there?"), settings)
    assert "3 rows" in first.answer, "a panel that does not come keeps nobody waiting"
    assert first.note.startswith("Doubtful: only one of the model's answers came to an end.")
    wrong = "```python\nrows = []\nprint(rows[0])\n```"
    right = "```python\nprint(sum(int(row['amount']) for row in rows))\n```"
    server = scripted([say(wrong), say(right)])
    settings = replace(settings, model=replace(settings.model, base_url=server.base_url))
    ended = await run_task(ask("And the sum?", follows=first.run), settings)
    assert ended.answer == "16"


async def test_a_failure_tells_values_and_what_was_meant(workspace: Path, scripted: Start) -> None:
    """The observation of an error has the values and the keys that there are, so that the next try is better."""
    wrong = "```python\nimport csv\nrow = next(csv.DictReader(open('sales.csv')))\nprint(row['amuont'])\n```"
    server = scripted([say(wrong), say(COUNT), say("3.")])
    await run_task(ask("How many sales are there?"), settings_for(workspace, server))
    told = server.requests[1]["messages"][-1]["content"]
    assert "KeyError: 'amuont'" in told
    assert "row has the keys ['product', 'amount']" in told


async def test_numbers_that_nobody_computed_are_not_taken(workspace: Path, scripted: Start) -> None:
    """A number out of the air is objected to once; the model computes it, or the answer says that nothing showed it."""
    total = "```python\nprint(sum(int(row['amount']) for row in rows))\n```"
    server = scripted([say(COUNT), say("The sum is 4711."), say(total), say("There are 3 rows; the sum is 16.0.")])
    ended = await run_task(ask("What is the sum?"), settings_for(workspace, server))
    assert "not printed by the code: 4711" in server.requests[2]["messages"][-1]["content"]
    assert ended.answer == "There are 3 rows; the sum is 16.0."
    server = scripted([say(COUNT), say("It is 4711."), say("It is 4711, I say.")])
    ended = await run_task(ask("What is the sum?"), settings_for(workspace, server))
    assert ended.answer.endswith("(Not among what the code printed: 4711.)")


PICTURE = bytes.fromhex(  # one pixel
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63d0cabf0d0002"
    "3b0175afa68dbc0000000049454e44ae426082"
)
PYPLOT = f"""
class Figure:
    axes = ()

    def savefig(self, file, **_):
        file.write({PICTURE!r})

opened = [1]
def get_fignums():
    return list(opened)
def figure(number):
    return Figure()
def close(_):
    opened.clear()
"""


async def test_a_figure_goes_back_to_a_model_that_can_see(workspace: Path, scripted: Start) -> None:
    """What an action has drawn is in the next request as a picture; an endpoint that refuses pictures is asked again."""
    (workspace / "matplotlib").mkdir()
    (workspace / "matplotlib" / "__init__.py").write_text("")
    (workspace / "matplotlib" / "pyplot.py").write_text(PYPLOT)
    draw = "```python\nimport matplotlib.pyplot\nprint('drawn')\n```"
    for pictures, refuses in (("yes", False), ("yes", True), ("auto", False)):
        refusal = [Fault(400, "image input is not supported by this model")] if refuses else []
        server = scripted([say(draw), *refusal, say("A bar.")])
        settings = settings_for(workspace, server)
        settings = replace(settings, model=replace(settings.model, pictures=pictures))
        ended = await run_task(ask("Draw it"), settings)
        assert (ended.status, ended.answer) == ("answered", "A bar.")
        assert [made.name for made in ended.artifacts] == ["figure-1.png"]
        sent = server.requests[1]["messages"][-1]["content"]
        if pictures == "auto":
            assert isinstance(sent, str), "a name that says nothing is not sent pictures"
            continue
        text, picture = sent
        assert "drawn" in text["text"]
        data = base64.b64encode(PICTURE).decode()
        assert picture == {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
        if refuses:
            assert isinstance(server.requests[2]["messages"][-1]["content"], str)
