"""Signs, in what pytest says of one failure, that no change of the code would help: what is missing is outside of it.

Only what is certain counts. A failure without such a sign is an ordinary one.
"""

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass

from codeact.diagnosis import Diagnosis, Kind
from codeact.trajectory import TestResult

PACKAGE = re.compile(r"\(package (?P<name>\w+) is not installed in (?P<python>[^\n]{1,400}?)\)")
FIXTURE = re.compile(r"fixture '(?P<name>\w+)' not found")
ASYNC = re.compile(r"async def functions are not natively supported")
RESOLVE = re.compile(r"gaierror|Temporary failure in name resolution|Name or service not known|Failed to resolve")
UNREACHABLE = re.compile(r"Network is unreachable|No route to host")
REFUSED = re.compile(r"ConnectionRefusedError|Connection refused")
VARIABLE = re.compile(r"(?:<frozen os>|/os\.py):\d+: KeyError")
NO_FILE = re.compile(r"FileNotFoundError: \[Errno 2\] No such file or directory: '(?P<name>[^'\n]+)'")
PROGRAM = re.compile(r"/subprocess\.py:\d+: (?:FileNotFoundError|PermissionError)")
DENIED = re.compile(
    r"(?:PermissionError: \[Errno \d+\] [\w ]+|OSError: \[Errno 30\] Read-only file system)(?:: '(?P<name>[^'\n]+)')?"
)
ZONE = re.compile(r"ZoneInfoNotFoundError: '?(?P<text>[^'\n]+)")
LOCALE = re.compile(r"locale\.Error: unsupported locale setting")
PLATFORM = re.compile(r"No module named '(?P<name>winreg|msvcrt|_winapi|winsound|_scproxy|nt)'")
YOUNGER = re.compile(r"No module named '(?P<name>tomllib|zoneinfo|graphlib|compression|annotationlib)'")
SERVING = re.compile(r"\b(bind|listen|serve_forever|HTTPServer|start_server|create_server)\b")
PLUGINS = {
    "mocker": "pytest-mock", "benchmark": "pytest-benchmark", "httpserver": "pytest-httpserver", "db": "pytest-django",
    "requests_mock": "requests-mock", "freezer": "pytest-freezer", "snapshot": "syrupy", "faker": "Faker",
    "httpx_mock": "pytest-httpx", "client": "pytest-django", "aiohttp_client": "pytest-aiohttp", "fs": "pyfakefs",
    "django_db_setup": "pytest-django", "respx_mock": "respx", "datadir": "pytest-datadir",
}  # fmt: skip
SYNTAX = re.compile(r'(?:File "(?P<quoted>[^"\n]+)", line \d+|\((?P<named>[\w./-]+\.py), line \d+\))')


@dataclass(frozen=True)
class Surroundings:
    """What a failure is judged by.

    Attributes:
        root: the workspace's path in the sandbox.
        read: gives the text of a file of the snapshot, None if there is none.
        is_test: tells whether a path holds tests.
        is_left_out: whether the workspace has a file that the snapshot has not.
    """

    root: str
    read: Callable[[str], str | None]
    is_test: Callable[[str], bool]
    is_left_out: Callable[[str], bool]


def examine(result: TestResult, around: Surroundings) -> Diagnosis:
    """Tell an ordinary failure from one that comes from the environment, or from a file that cannot be collected."""
    text = f"{result.message}\n{result.traceback}"
    for find in (_package, _plugin, _network, _outside, _machine):
        if found := find(text, result, around):
            cause, detail = found
            return Diagnosis(node_id=result.node_id, kind=Kind.ENVIRONMENT, cause=cause, detail=detail, hopeful=False)
    if "::" not in result.node_id:
        return _blame(text, result, around)
    return Diagnosis(node_id=result.node_id, kind=Kind.REAL)


def _package(text: str, _: TestResult, __: Surroundings) -> tuple[str, str] | None:
    if found := PACKAGE.search(text):
        return "package", f"The package {found['name']} is not installed in {found['python']}. Install it there."
    if found := PLATFORM.search(text):
        return "platform", f"It needs the module {found['name']}, which this platform does not have."
    if found := YOUNGER.search(text):
        return "platform", f"It needs the module {found['name']}, which this version of Python does not have."
    return None


def _plugin(text: str, _: TestResult, __: Surroundings) -> tuple[str, str] | None:
    if (found := FIXTURE.search(text)) and found["name"] in PLUGINS:
        plugin = PLUGINS[found["name"]]
        return "package", f"The fixture {found['name']} comes from {plugin}, which is not installed. Install it."
    if ASYNC.search(text):
        return "package", "It is an async test, and no plugin for those (pytest-asyncio, anyio) is installed."
    return None


def _network(text: str, result: TestResult, around: Surroundings) -> tuple[str, str] | None:
    if RESOLVE.search(text) or UNREACHABLE.search(text):
        return "network", "It needs the network, and tests run without any. Have the test replace the remote side."
    paths = {result.node_id.partition("::")[0], *(frame.path for frame in result.frames)}
    if REFUSED.search(text) and not any(SERVING.search(around.read(path) or "") for path in paths):
        return "service", "It needs a service that answers on this machine, and none does in the sandbox."
    return None


def _outside(text: str, _: TestResult, around: Surroundings) -> tuple[str, str] | None:
    if VARIABLE.search(text):
        return "variable", "It reads an environment variable that is not set in the sandbox."
    if found := NO_FILE.search(text):
        name = found["name"]
        if PROGRAM.search(text) and "/" not in name:
            return "program", f"It runs the program {name}, which is not there in the sandbox."
        path = posixpath.relpath(name, around.root) if posixpath.isabs(name) else posixpath.normpath(name)
        if path.startswith("../") and not name.startswith("/tmp/"):  # noqa: S108 - the sandbox's own
            return "file", f"It reads {name}, which is outside of the workspace and not there in the sandbox."
        if not path.startswith("../") and around.is_left_out(path):
            return "file", f"It reads {path}, which the snapshot leaves out: it is ignored by git, or may hold secrets."
    return None


def _machine(text: str, _: TestResult, around: Surroundings) -> tuple[str, str] | None:
    if found := DENIED.search(text):
        name = found["name"] or ""
        if name and not name.startswith((around.root, "/tmp/")) and posixpath.isabs(name):  # noqa: S108
            return "permission", f"It may not use {name}: in the sandbox only the workspace and /tmp can be written."
    if found := ZONE.search(text):
        return "timezone", f"There are no data for the time zone: {found['text'][:100]}. Install the package tzdata."
    if LOCALE.search(text):
        return "locale", "It sets a locale that this machine does not have."
    return None


def _blame(text: str, result: TestResult, around: Surroundings) -> Diagnosis:
    """Whose fault it is that a file cannot be collected: that of the product, or its own."""
    named = [found["quoted"] or found["named"] for found in SYNTAX.finditer(text)]
    inside = [name.removeprefix(around.root).lstrip("/") for name in named]
    places = [frame.path for frame in result.frames]
    if "SyntaxError" in result.message or "IndentationError" in result.message:
        places += [path for path in inside if around.read(path) is not None]
    place = places[-1] if places else result.node_id
    wanted = "cannot import name" in text or "No module named" in text or "has no attribute" in text
    if around.is_test(place) and not wanted:
        detail = f"{place} itself is at fault: {result.message}. Tests stay as they are, so mend it by hand."
        return Diagnosis(node_id=result.node_id, kind=Kind.COLLECTION, cause="test", detail=detail[:500], hopeful=False)
    detail = f"It cannot be collected, since {place} fails: {result.message}"
    if around.is_test(place):
        detail = f"It cannot be collected: it imports what is not there: {result.message}"
    return Diagnosis(node_id=result.node_id, kind=Kind.COLLECTION, cause="product", detail=detail[:500])
