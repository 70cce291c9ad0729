"""Which interpreter a run uses: the developer's own, one that was prepared, or the best that the machine has."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from codeact.environments.build import find_prepared, kit_requirements, prepare
from codeact.environments.sources import Requirements, find_requirements
from codeact.errors import PrepareError
from codeact.sandboxes import describe_interpreter, find_interpreter, find_own
from codeact.sandboxes.base import Interpreter
from codeact.settings import Settings

Listener = Callable[[str], None]


@dataclass(frozen=True)
class Offer:
    """An environment that is not there and could be prepared."""

    requirements: Requirements
    interpreter: Interpreter


def choose_interpreter(
    settings: Settings, on_progress: Listener = lambda _: None, *, data: bool = False
) -> Interpreter:
    """The first of: the one that the settings name, the workspace's environment, a prepared one, the machine's own.

    Args:
        settings: with `packages` set to `always`, what is missing is prepared now.
        on_progress: told about that.
        data: for a question or a script; then the data kit comes before the machine's own Python.

    Raises:
        PrepareError: it had to be prepared, and could not be.
    """
    if own := find_own(settings):
        return own
    machine = find_interpreter(settings)
    for requirements in _wanted(settings, data=data):
        found = find_prepared(settings, requirements, machine.executable)
        if found is None and settings.packages == "always":
            found = prepare(settings, requirements, machine.executable, on_progress)
        if found:
            return describe_interpreter(found.python, settings)
    return machine


def find_offer(settings: Settings, *, data: bool = False) -> Offer | None:
    """What could be prepared for a workspace, and is not; None if nothing is missing."""
    if settings.sandbox.image or find_own(settings):
        return None
    machine = find_interpreter(settings)
    for requirements in _wanted(settings, data=data):
        if find_prepared(settings, requirements, machine.executable):
            return None
        return Offer(requirements, machine)
    return None


def _wanted(settings: Settings, *, data: bool) -> list[Requirements]:
    try:
        own = find_requirements(settings.workspace)
    except PrepareError:  # `codeact prepare` says so; a run can go on with what the machine has
        own = None
    kit = kit_requirements()
    if own and data:  # both together, so that a question about data finds the project's packages too
        return [Requirements(f"{own.source} and {kit.source}", _join(own, kit), own.python), kit]
    return [own] if own else [kit] if data else []


def _join(own: Requirements, kit: Requirements) -> tuple[str, ...]:
    """The workspace's lines, then the names of the kit's packages that it does not pin itself."""
    names = {_name(line) for line in own.lines}
    return (*own.lines, *(line.split("==")[0] for line in kit.lines if _name(line) not in names))


def _name(line: str) -> str:
    """The normalised name of a requirement's package."""
    match = re.match(r"[\w.-]+", line)
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else line
