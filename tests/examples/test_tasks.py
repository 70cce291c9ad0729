"""The tasks for ask and script are sound: what a good model writes is judged right, and a plausible mistake wrong.

Both go through the real command line: sandbox, artifacts, diff and proof; only the model's words are scripted. Some of
the tasks are proven each time. All of them: CODEACT_TEST_TASKS=all.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import errands
import pytest
from openai_server import ScriptedOpenAI, say
from tasks import check
from trial import Setup, commit, run_codeact

from codeact.environments import kit_requirements, prepare
from codeact.errors import PrepareError
from codeact.sandboxes import find_interpreter
from codeact.settings import load_settings

pytestmark = [
    pytest.mark.bubblewrap,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
SEEN, UNSEEN = (errands.load_errands(name) for name in errands.SETS)
SAMPLE = [*UNSEEN, *SEEN[:: 1 if os.environ.get("CODEACT_TEST_TASKS") == "all" else 5]]


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The libraries for data, prepared as a developer would."""
    settings = load_settings(tmp_path_factory.mktemp("nothing"))
    try:
        prepare(settings, kit_requirements(), find_interpreter(settings).executable)
    except PrepareError as error:
        pytest.skip(f"the data kit cannot be prepared: {error}")


@pytest.mark.usefixtures("kit")
@pytest.mark.parametrize("errand", SAMPLE, ids=lambda errand: errand.name)
def test_good_work_is_right_and_a_mistake_is_wrong(
    errand: errands.Errand, tmp_path: Path, scripted: Callable[..., ScriptedOpenAI], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checker tells one from the other, and the product can bring what it asks for."""
    for code, words, is_right in ((errand.good, errand.words, True), (errand.wrong, "Done.", False)):
        place = tmp_path / str(is_right)
        workspace = place / "project"
        workspace.mkdir(parents=True)
        errands.write_workspace(errand, workspace)
        commit(workspace)
        server = scripted([say(f"```python\n{code}\n```"), say(words)], repeat=True)
        monkeypatch.setenv("CODEACT_BASE_URL", server.base_url)
        monkeypatch.setenv("CODEACT_API_KEY", "sk-test")
        setup = Setup("scripted", "bubblewrap", 60)
        result, trouble = run_codeact(workspace, place / "state", setup, [errand.kind, errand.instruction])
        why = trouble or check(errand, result, place / "judged")
        assert (why == "") is is_right, f"{why}\n{result.get('message')}\n{result.get('printed')}"
