"""Why a test run is not an ordinary report, in one sentence that says what to do."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from codeact.sandboxes.base import Completed
from codeact.settings import Limits
from codeact.testing.stream import Stream, how_it_died, last_line
from codeact.trajectory import FAILING, Outcome, TestReport, TestResult

NO_TESTS = 5
INTERNAL_ERROR = 3
USAGE = 4
NAME_ANOTHER = "or name another interpreter: --python PATH"
NOT_INSTALLED = re.compile(r"\(package (?P<name>\w+) is not installed in (?P<python>[^\n]{1,400})\)")
UNKNOWN_OPTION = re.compile(r"unrecognized arguments?: (?P<option>\S+)")
NOT_FOUND = re.compile(r"^ERROR: (?:file or directory )?not found: (?P<name>.+)$", re.MULTILINE)
INTERNAL = re.compile(r"^INTERNALERROR> (?P<text>\S.*)$", re.MULTILINE)
PLUGIN_MISSING = re.compile(r"(?:Missing required plugins: |Error importing plugin )(?P<name>[^\n]+)")
PLUGINS = {
    "--asyncio": "pytest-asyncio", "--benchmark": "pytest-benchmark", "--cov": "pytest-cov", "--count": "pytest-repeat",
    "--dist": "pytest-xdist", "--django": "pytest-django", "--ds": "pytest-django", "--numprocesses": "pytest-xdist",
    "--html": "pytest-html", "--mypy": "pytest-mypy", "--no-cov": "pytest-cov", "--reruns": "pytest-rerunfailures",
    "--randomly": "pytest-randomly", "--snapshot": "syrupy", "--timeout": "pytest-timeout", "-n": "pytest-xdist",
    "--hypothesis": "hypothesis", "--reuse-db": "pytest-django", "--flake8": "pytest-flake8", "--ruff": "pytest-ruff",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What, beside the results, tells how a run went: its last process, what it reported, and what it ran with."""

    done: Completed
    stream: Stream
    python: str
    limits: Limits
    tests: Sequence[str] = ()
    gave_up: bool = False


def find_problem(results: Sequence[TestResult], seen: Circumstances) -> str:
    """One sentence, or none if all is as it should be, however many tests fail."""
    return (
        _resources(results, seen)
        or _selection(results, seen)
        or _environment(results, seen)
        or _start(results, seen)
        or _doubts(results, seen)
    )


def missing_packages(report: TestReport) -> tuple[str, ...]:
    """Packages that tests import and the interpreter does not have, as found where the import failed."""
    return _missing(report.failing)


def want_of_packages(results: Sequence[TestResult]) -> str:
    """One sentence if all that fails does so for want of packages, which no change of code brings; else none."""
    found = [NOT_INSTALLED.search(result.message) for result in results]
    if not found or not (last := found[-1]) or None in found:
        return ""
    return _lacks(last["python"], _missing(results))


def _lacks(python: str, names: Sequence[str]) -> str:
    return f"The test environment ({python}) has no package {', '.join(names)}. Install it there, {NAME_ANOTHER}"


def _missing(results: Sequence[TestResult]) -> tuple[str, ...]:
    found = (match["name"] for result in results for match in NOT_INSTALLED.finditer(result.message))
    return tuple(dict.fromkeys(found))


def _resources(results: Sequence[TestResult], seen: Circumstances) -> str:
    left = len(seen.stream.unfinished())
    if seen.done.out_of_memory and (left or not results):
        size = seen.limits.memory_bytes >> 20
        return f"The tests used more than the sandbox's {size} MiB (sandbox.limits.memory_bytes)."
    if seen.done.out_of_space and (left or not results):
        size = seen.limits.view_bytes >> 20
        return f"The tests wrote more than the sandbox's {size} MiB (sandbox.limits.view_bytes)."
    if seen.done.timed_out:
        where = f" {left} of {len(seen.stream.ids)} tests were not run." if left else ""
        return f"The tests did not end within {seen.limits.suite_seconds:.0f} s (sandbox.limits.suite_seconds).{where}"
    if seen.gave_up:
        return (
            f"The test process died again and again, so {left} tests were not run. Run the crashed tests by themselves."
        )
    return ""


def _environment(results: Sequence[TestResult], seen: Circumstances) -> str:
    """What the interpreter lacks."""
    said, python = seen.done.stderr + seen.done.stdout, seen.python
    if "No module named pytest" in said and not seen.stream.started:
        return f"{python} has no pytest. Install it there ({python} -m pip install pytest), {NAME_ANOTHER}"
    if not seen.stream.started and (unknown := UNKNOWN_OPTION.search(said)):
        option = unknown["option"]
        plugin = next((name for prefix, name in PLUGINS.items() if option.startswith(prefix)), "")
        lacks = f"but {plugin} is not installed in {python}" if plugin else f"but no plugin in {python} knows it"
        return f"The workspace's configuration passes {option} to pytest, {lacks}. Install it there, {NAME_ANOTHER}"
    if not seen.stream.started and (plugin_missing := PLUGIN_MISSING.search(said)):
        name = plugin_missing["name"][:200]
        return f"pytest needs a plugin that {python} lacks: {name}. Install it there, {NAME_ANOTHER}"
    conftest = seen.stream.conftest
    missing = _missing([conftest] if conftest else results)
    if missing and not any(result.outcome is Outcome.PASSED for result in results):
        return _lacks(python, missing)
    return ""


def _selection(results: Sequence[TestResult], seen: Circumstances) -> str:
    """What was asked for and does not exist."""
    said = seen.done.stderr + seen.done.stdout
    asked = [*seen.stream.missing, *(match["name"].strip() for match in NOT_FOUND.finditer(said) if not results)]
    if not asked:
        return ""
    names = [_shorten(name, seen.stream.root) for name in asked]
    near = ", ".join(dict.fromkeys(seen.stream.near))
    hint = f" Did you mean {near}?" if near else " Name a path or a node id as pytest does."
    broken = " Some files could not be collected." if results and seen.stream.missing else ""
    return f"There is no test {', '.join(names[:5])}.{hint}{broken}"


def _start(results: Sequence[TestResult], seen: Circumstances) -> str:
    """Why there is no result at all."""
    said = seen.done.stderr + "\n" + seen.done.stdout
    if conftest := seen.stream.conftest:
        return f"{conftest.node_id} cannot be imported, so no test can run: {conftest.message}"
    if (internal := INTERNAL.findall(said)) and seen.stream.status in (0, INTERNAL_ERROR):
        return f"pytest itself failed: {internal[-1][:300]}. A plugin or conftest file may be at fault."
    if results:
        return ""
    code = seen.stream.status if seen.stream.ended else seen.done.exit_code  # a process may end badly after its session
    if code in (0, NO_TESTS):
        return "pytest found no tests. Name them, or set testpaths in the pytest configuration."
    what = "could not be used as asked" if code == USAGE else "could not start"
    return f"pytest {what}: {last_line(said) or how_it_died(seen.done)}"


def _doubts(results: Sequence[TestResult], seen: Circumstances) -> str:
    """Signs that the report is not the whole truth."""
    if left := seen.stream.unfinished():
        return f"pytest ended before {len(left)} tests had run: {last_line(seen.done.stdout) or how_it_died(seen.done)}"
    if seen.stream.broken_lines:
        return f"{seen.stream.broken_lines} lines of the test report are broken: something in the tests writes to it."
    failing = any(result.outcome in FAILING for result in results)
    if not failing and seen.stream.status not in (0, NO_TESTS):
        return f"No test failed, yet pytest ended with exit code {seen.stream.status}: {last_line(seen.done.stdout)}"
    return ""


def _shorten(name: str, root: str) -> str:
    return name.removeprefix(root.rstrip("/") + "/") if root else name
