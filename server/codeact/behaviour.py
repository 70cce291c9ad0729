"""What several edits do beside what tests check: they are called as tests call them, and with inputs made of that.

The calls run in the sandbox (`codeact_sandbox.behaviour`), on the code as it is and on each edit of it. What comes back
is about code that is not trusted, and may be written by it: it is bounded and checked here, and decides no more than
which of several edits, all of which pass, is tried first.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from codeact.definitions import Definition, find_definition, list_definitions
from codeact.sandboxes.base import Sandbox
from codeact.search import Tests
from codeact.templates import Edit
from codeact.trajectory import FileState

SECONDS = 3.0  # of processor time for all of a comparison
CLOCK = 6  # times that, which it may take by the clock
MAX_INPUTS = 255
MAX_TEXT = 200
MAX_REPORT = 1 << 20  # bytes
REQUEST = ".codeact-behaviour.json"
FUNCTION = ("def ", "async def ", "@")


class Origin(StrEnum):
    """Where an input is from.

    A failing test, or code on its way; a passing test that makes the call itself; code on the way of a passing test; or
    nowhere: it was made of such calls.
    """

    TARGET = "target"
    BESIDE = "beside"
    INNER = "inner"
    MADE = "made"


class Did(StrEnum):
    """How a call ended."""

    RETURNED = "returned"
    RAISED = "raised"
    HUNG = "hung"
    CRASHED = "crashed"


@dataclass(frozen=True)
class Input:
    """A call of an edited function, as it reads, and where its arguments are from."""

    shown: str
    origin: Origin


@dataclass(frozen=True)
class Deed:
    """What a version did with an input.

    Attributes:
        did: how it ended.
        said: the value that was returned, or the exception's type, for people.
        left: the arguments as the call left them, if it changed them.
        like: a digest of all that can be observed: it is the same for what cannot be told apart.
    """

    did: Did
    said: str = field(default="", compare=False)
    left: str = field(default="", compare=False)
    like: str = ""

    def __str__(self) -> str:
        """What it does, after the name of the call: "returns `5`"."""
        left = f" and leaves `{self.left}`" if self.left else ""
        match self.did:
            case Did.RETURNED:
                return f"returns `{self.said}`{left}"
            case Did.RAISED:
                return f"raises `{self.said}`{left}"
            case Did.HUNG:
                return "does not end"
            case Did.CRASHED:
                return "ends the process"


@dataclass(frozen=True)
class Comparison:
    """What the code as it is and each edit of it did.

    Attributes:
        inputs: the calls, by number.
        before: what the code as it is did, by number of the input; what cannot be compared is left out.
        after: the same for each edit, in order.
        skipped: how many calls could not be recorded, since their arguments cannot be copied.
    """

    inputs: Mapping[int, Input]
    before: Mapping[int, Deed]
    after: tuple[Mapping[int, Deed], ...]
    skipped: int = 0

    def compared(self) -> Mapping[int, Input]:
        """The inputs with which the code as it is and at least one of the edits can be compared."""
        done = {number for deeds in self.after for number in deeds}
        return {number: found for number, found in self.inputs.items() if number in self.before and number in done}


async def compare_edits(
    sandbox: Sandbox, edits: Sequence[Edit], sources: Mapping[str, str], tests: Tests
) -> Comparison | None:
    """Have the edited functions called, as they are and with each edit; None if nothing came of it.

    Args:
        sandbox: its view must hold the files that the edits were made for.
        edits: all of which make the tests pass.
        sources: the text of each edited file, by path.
        tests: whose calls are recorded.
    """
    functions = list(dict.fromkeys(found for edit in edits for found in _edited(edit, sources[edit.path])))
    request = {
        "functions": [{"path": found.path, "name": found.name, "line": found.line} for found in functions],
        "versions": [asdict(edit) for edit in edits],
        "targets": tests.targets,
        "first": tests.first,
        "beside": tests.beside,
        "seconds": tests.patience,
        "budget": SECONDS,
    }
    if not functions:
        return None
    report = bytearray()
    program = [sandbox.python, "-B", "/run/codeact/lib/codeact_sandbox/behaviour.py", REQUEST]
    await sandbox.write({REQUEST: FileState(json.dumps(request).encode("ascii"))})
    try:
        await sandbox.spawn(program, timeout=CLOCK * SECONDS, on_report=report.extend, warm=True)
    finally:
        await sandbox.write({REQUEST: None})
    return read_comparison(bytes(report[:MAX_REPORT]), len(edits))


def _edited(edit: Edit, source: str) -> Iterator[Definition]:
    """The function that an edit is in; for an edit of a table or constant, those of its file that use it."""
    found = find_definition(edit.path, source, edit.line)
    if found is None or found.source.lstrip().startswith(FUNCTION):
        yield from filter(None, [found])
        return
    for other in list_definitions(edit.path, source):
        if any(constant and found.source.startswith(constant) for constant in other.constants):
            yield other


def read_comparison(report: bytes, count: int) -> Comparison | None:
    """What the sandbox told about so many edits; None if it did not come to the end, or there is nothing to compare.

    Lines that are none are passed over, and of two about the same the first counts: code under test may have written
    them.
    """
    inputs: dict[int, Input] = {}
    versions: list[dict[int, Deed]] = [{} for _ in range(count + 1)]
    skipped: int | None = None
    for line in report.splitlines():
        try:
            match json.loads(line):
                case {"input": int(number), "origin": str(origin), "shown": str(shown)} if 0 <= number < MAX_INPUTS:
                    inputs.setdefault(number, Input(_line(shown), Origin(origin)))
                case {"version": int(version), "input": int(number)} as deed if 0 <= version <= count:
                    versions[version].setdefault(number, _read_deed(deed))
                case {"skipped": int(skipped)}:
                    pass
        except (ValueError, TypeError, RecursionError):
            continue
    before, *after = ({number: deeds[number] for number in inputs if number in deeds} for deeds in versions)
    if skipped is None or not before or not any(after):
        return None
    return Comparison(inputs, before, tuple(after), min(max(skipped, 0), MAX_INPUTS))


def _read_deed(fields: object) -> Deed:
    """One deed.

    Raises:
        ValueError: it is none.
    """
    match fields:
        case {"did": str(did), "said": str(said), "left": str(left), "like": str(like)}:
            return Deed(Did(did), _line(said), _line(left), like[:MAX_TEXT])
    raise ValueError("no deed")


def _line(text: str) -> str:
    """A text in one line that is not too long, and holds nothing that would end a quotation."""
    text = " ".join(text[: 4 * MAX_TEXT].split()).replace("`", "'")
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 3]}..."
