"""Whether a test suite is worse than it was."""

from codeact.trajectory import FAILING, Outcome, TestReport

STILL = frozenset({Outcome.PASSED, Outcome.XPASSED})


def regressions(before: TestReport, after: TestReport) -> tuple[str, ...]:
    """Node ids that are worse after than before, in order.

    Worse is: it passed and does not, it was there and vanished, it was not skipped or expected to fail and is now, or a
    file cannot be collected that could. A test that failed before may fail still.
    """
    now = {result.node_id: result.outcome for result in after.results}
    then = {result.node_id: result.outcome for result in before.results}
    worse = [node_id for node_id, outcome in then.items() if _is_worse(node_id, outcome, now)]
    broken = [
        node_id for node_id, outcome in now.items() if node_id not in then and _is_file(node_id) and outcome in FAILING
    ]
    return (*worse, *broken)


def _is_worse(node_id: str, before: Outcome, now: dict[str, Outcome]) -> bool:
    after = now.get(node_id)
    if after is None:
        # A file that could not be collected is replaced by its tests.
        return not (_is_file(node_id) and any(other.startswith(f"{node_id}::") for other in now))
    if before in STILL:
        return after not in STILL
    if before in FAILING:
        return after in (Outcome.SKIPPED, Outcome.XFAILED)
    return after in FAILING


def _is_file(node_id: str) -> bool:
    return "::" not in node_id
