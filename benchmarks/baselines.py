"""What the same model does without CodeAct: one prompt with the whole file and the tests' output, and the tests choose.

It is made easy for them: they are told which file is at fault. What the model writes runs under bubblewrap.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import bugs
from trial import Setup, Trial, judge_hidden

ASK = Path(__file__).with_name("ask.py")
BASELINES = {"one-shot": {"samples": 1, "temperature": 0.0}, "five-samples": {"samples": 5, "temperature": 0.8}}
PROMPT = """The file {file} has a bug, so that tests fail.

```python
{text}
```

The tests print:

```
{output}
```

Return the whole corrected file in one ```python block."""
OUTPUT = 2000  # characters of the tests' output, its end
SPARE = 200  # tokens of an answer beyond those of the file
BLOCK = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)(?:\n```|\Z)", re.DOTALL)


def try_baseline(bug: bugs.Bug, setup: Setup, name: str) -> Trial:
    """Give a bug to a baseline; an unfixable task is fixed by it never, and so not asked about."""
    with TemporaryDirectory(prefix="codeact-bench-") as folder:
        place = Path(folder)
        started = time.monotonic()
        bugs.write_workspace(bug, make(place / "asked"))
        file = bugs.culprit(bug)
        text = (place / "asked" / file).read_text("utf-8")
        _, output = bugs.run_tests(place / "asked")
        prompt = PROMPT.format(file=file, text=text, output=output[-OUTPUT:])
        reply = ask(setup, {"prompt": prompt, "max_tokens": len(text) // 3 + SPARE, **BASELINES[name]})
        outcome, seconds = "failed", 0.0
        for number, answer in enumerate(reply.get("answers", ())):
            outcome = try_answer(bug, file, answer, make(place / str(number)))
            seconds = time.monotonic() - started
            if outcome != "failed":
                break
        return Trial(
            bug=bug.name,
            kind=bug.kind,
            outcome=outcome,
            message=reply.get("trouble", ""),
            model_calls=int("answers" in reply),
            prompt_tokens=reply.get("prompt_tokens", 0),
            completion_tokens=reply.get("completion_tokens", 0),
            model_seconds=round(reply.get("seconds", 0.0), 1),
            seconds=round(seconds or time.monotonic() - started, 1),
            system=name,
        )


def make(folder: Path) -> Path:
    """A new folder."""
    folder.mkdir()
    return folder


def ask(setup: Setup, request: dict[str, Any]) -> dict[str, Any]:
    """The model's answers, from a process of its own as CodeAct is one."""
    command = [sys.executable, str(ASK), setup.model]
    try:
        done = subprocess.run(
            command, input=json.dumps(request), capture_output=True, text=True, timeout=setup.timeout, check=False
        )
        reply: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"trouble": f"no answer within {setup.timeout:.0f} s"}
    except ValueError:
        return {"trouble": done.stderr.strip()[-300:]}
    return reply


def try_answer(bug: bugs.Bug, file: str, answer: str, folder: Path) -> str:
    """Put an answer's file in the place of the faulty one; `failed` unless the visible tests pass then."""
    blocks = BLOCK.findall(answer)
    if not blocks:
        return "failed"
    bugs.write_workspace(bug, folder)
    (folder / file).write_text(max(blocks, key=len) + "\n", "utf-8")
    box = contain(folder)
    return "failed" if bugs.run_tests(folder, contain=box)[0] else judge_hidden(bug, folder, contain=box)


def contain(folder: Path) -> Sequence[str]:
    """The beginning of a command that may write into one folder only, without a network."""
    box = ("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--ro-bind", "/", "/")
    return (*box, "--dev", "/dev", "--proc", "/proc", "--bind", str(folder), str(folder), "--chdir", str(folder))
