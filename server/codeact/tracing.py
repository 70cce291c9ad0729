"""Running tests traced, to see what failing ones run and passing ones do not."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from codeact.localise import Spectrum
from codeact.testing import OnLines, Selection
from codeact.trajectory import FAILING, Outcome, TestReport

Run = Callable[[Selection, OnLines], Awaitable[TestReport]]


async def trace_tests(run: Run, failing: Sequence[str], beside: Sequence[str]) -> tuple[TestReport, Spectrum]:
    """Run failing tests in the given order, then passing ones, all in one traced process.

    Args:
        run: runs a selection of tests, and hears which lines they run.
        failing: node ids of tests that failed when they ran last, or paths of files that could not be collected.
        beside: node ids of tests that passed.

    Returns:
        What the failing ones did this time, and what all have run.
    """
    lines: defaultdict[str, dict[str, frozenset[int]]] = defaultdict(dict)

    def note(node_id: str, path: str, numbers: frozenset[int]) -> None:
        lines[node_id][path] = numbers

    report = await run(Selection(tests=(*failing, *beside), trace=True), note)
    failed = {result.node_id for result in report.results if result.outcome in FAILING}
    passed = {result.node_id for result in report.results if result.outcome is Outcome.PASSED}
    spectrum = Spectrum(
        {node_id: files for node_id, files in lines.items() if node_id in failed},
        {node_id: files for node_id, files in lines.items() if node_id in passed},
    )
    results = tuple(result for result in report.results if result.node_id not in set(beside))
    return replace(report, results=results), spectrum
