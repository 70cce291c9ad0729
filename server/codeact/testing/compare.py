"""Whether a test suite is worse than it was."""

from codeact.trajectory import FAILING, Outcome, TestReport

CONFTEST = "conftest.py"
ASIDE = frozenset({Outcome.SKIPPED, Outcome.XFAILED})


def regressions(before: TestReport, after: TestReport) -> tuple[str, ...]:
    """Node ids that are worse after than before, in order.

    Worse is: it passed and does not, it was there and vanished, it was not skipped or expected to fail and is now, or a
    file cannot be collected that could. A test that failed before may fail still.
    """
    return tuple(_compare(before, after))


def describe_regressions(before: TestReport, after: TestReport) -> tuple[str, ...]:
    """One plain sentence for each regression: what the test did, and what it does now."""
    return tuple(_compare(before, after).values())


def is_of(file: str, node_id: str) -> bool:
    """Whether a test takes the place of a file that could not be loaded: it is in it, or below a conftest file."""
    folder, _, name = file.rpartition("/")
    return node_id.startswith(f"{file}::" if name != CONFTEST else f"{folder}/" if folder else "") and node_id != file


def _compare(before: TestReport, after: TestReport) -> dict[str, str]:
    now = {result.node_id: result.outcome for result in after.results}
    then = {result.node_id: result.outcome for result in before.results}
    found = {node_id: _describe(node_id, outcome, now) for node_id, outcome in then.items()}
    for node_id, outcome in now.items():
        if node_id not in then and _is_file(node_id) and outcome in FAILING:
            found[node_id] = f"{node_id} cannot be collected any more."
    return {node_id: sentence for node_id, sentence in found.items() if sentence}


def _describe(node_id: str, before: Outcome, now: dict[str, Outcome]) -> str:
    """What is worse with one test; empty if nothing is."""
    after = now.get(node_id)
    if after is None:
        # A file that could not be collected is replaced by its tests.
        replaced = _is_file(node_id) and any(is_of(node_id, other) for other in now)
        return "" if replaced else f"{node_id} is not collected any more."
    if after in FAILING and before not in FAILING:
        return f"{node_id} was {before} before and is {after} now."
    if after in ASIDE and after is not before:
        return f"{node_id} was {before} before and is {after} now, so it proves nothing."
    return ""


def _is_file(node_id: str) -> bool:
    return "::" not in node_id
