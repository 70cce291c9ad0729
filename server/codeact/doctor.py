"""What works on this machine, what does not, and the one command that mends it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from codeact.errors import CodeActError
from codeact.models.pull import installed_models
from codeact.sandboxes import find_interpreter, probe
from codeact.settings import Settings


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it works, what was found, and what to do if it does not."""

    name: str
    works: bool
    detail: str
    remedy: str = ""


def examine(settings: Settings) -> tuple[Finding, ...]:
    """Look at everything a run needs."""
    return (*_examine_git(), *_examine_python(settings), *_examine_sandboxes(settings), *_examine_models(settings))


def is_ready(findings: tuple[Finding, ...]) -> bool:
    """Whether a run can be made: one sandbox is enough, whatever else there is to say of it; all others must work."""
    sandboxes = [finding for finding in findings if finding.name.startswith("sandbox ")]
    others = [finding for finding in findings if not finding.name.startswith(("sandbox ", "engine", "kernel "))]
    return all(finding.works for finding in others) and any(finding.works for finding in sandboxes)


def _examine_git() -> Iterator[Finding]:
    git = shutil.which("git")
    yield Finding("git", git is not None, git or "not found", "Install git, for instance: apt-get install git")


def _examine_python(settings: Settings) -> Iterator[Finding]:
    try:
        interpreter = find_interpreter(settings)
    except CodeActError as error:
        yield Finding("python", works=False, detail="none for this workspace", remedy=str(error))
        return
    version = ".".join(map(str, interpreter.version))
    yield Finding("python", works=True, detail=f"{interpreter.executable} ({version}) runs the workspace's code")


def _examine_sandboxes(settings: Settings) -> Iterator[Finding]:
    for status in probe(settings):
        yield Finding(status.name, status.usable, status.detail, status.remedy)


def _examine_models(settings: Settings) -> Iterator[Finding]:
    model = settings.model
    if model.base_url or model.api_key:
        key = "with a key" if model.api_key else "without a key"
        yield Finding("model", works=True, detail=f"{model.name} at {model.base_url or 'the default endpoint'}, {key}")
        return
    names = ", ".join(known.model.name for known in installed_models(settings) if known.file)
    yield Finding("model", bool(names), names or "no embedded model", "codeact model pull")
