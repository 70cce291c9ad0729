"""Which tests a task is about, and whether they pass now."""

import math
from collections.abc import Sequence

from codeact.trajectory import FAILING, Outcome, TestReport, TestResult

LUCK = 0.01  # how likely a flaky test may pass as often as wanted though nothing mended it
MIN_PASSES, MAX_PASSES = 5, 30


def passes_wanted(rate: float) -> int:
    """How often in a row a test must pass, of which a share of `rate` failed before, to be taken for mended."""
    if rate >= 1:
        return 1
    return min(max(math.ceil(math.log(LUCK) / math.log(1 - rate)), MIN_PASSES), MAX_PASSES)


def matching(report: TestReport, tests: Sequence[str]) -> tuple[TestResult, ...]:
    """The results that the names in `tests` (node ids, files, folders, bare names) mean; all of them if it is empty."""
    if not tests:
        return report.results
    return tuple(result for result in report.results if any(_means(name, result.node_id) for name in tests))


def _means(name: str, node_id: str) -> bool:
    name = name.removeprefix("./").rstrip("/")
    inside = node_id.startswith((f"{name}::", f"{name}/", f"{name}["))
    return node_id == name or inside or node_id.partition("[")[0].endswith(f"::{name}")


def is_conftest(result: TestResult) -> bool:
    """Whether this is about a conftest file, without which no test runs."""
    return result.node_id.rpartition("/")[2] == "conftest.py"


def test_files(report: TestReport) -> frozenset[str]:
    """The files in which pytest found tests; not those in which it found doctests only, which are product code."""
    places = (result.node_id.partition("[")[0].partition("::") for result in report.results)
    return frozenset(path for path, _, name in places if "." not in name)


def is_mended(target: TestResult, report: TestReport) -> bool:
    """Whether a test that failed passes now; a file that could not be collected must pass with all its tests.

    A conftest file that could not be imported is mended as soon as any test runs.
    """
    if is_conftest(target):
        return bool(report.results) and all(result.node_id != target.node_id for result in report.results)
    found = [result for result in report.results if result.node_id == target.node_id]
    if not found and "::" not in target.node_id:
        found = [result for result in report.results if result.node_id.startswith(f"{target.node_id}::")]
        return bool(found) and not any(result.outcome in FAILING for result in found)
    return bool(found) and all(result.outcome is Outcome.PASSED for result in found)
