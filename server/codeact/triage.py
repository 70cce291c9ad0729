"""What kind of failure each failing test is, found out by running it again before anything is tried.

All that failed runs a second time, last one first and without what ran before it, traced, in one process. Most tests
fail again in the same way, and are judged by what pytest says of them. What passes, or fails otherwise, is looked at
closer: alone, and with all others, in new processes. A test that fails only after others is bisected for them.
"""

import re
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from codeact.diagnosis import Diagnosis, Kind
from codeact.fixing import Repair
from codeact.keeping import find_state
from codeact.symptoms import Surroundings, examine
from codeact.targets import is_mended
from codeact.trajectory import Outcome, TestReport, TestResult

TRIAGE_SECONDS = 20.0
MAX_CLOSER = 8  # tests that are looked at closer
MORE_RUNS = 4  # of a flaky test, to learn how often it fails
DOUBT = 2  # runs in which it did not fail, as if they had been seen: a few runs tell little
MAX_BEFORE = 500  # tests among which one is looked for after which another fails
LONG_SUITE = 10.0  # seconds of all tests above which they are not run once more
MANY_TIMES = 10  # more time for looking closer where starting a test process takes long
ZONES = {"XXX-12": "UTC+12", "XXX+11": "UTC-11"}
LOCAL_TIME = re.compile(r"\b(fromtimestamp|mktime|localtime|strftime|astimezone|now|today|timestamp|tzset|ctime)\(")
CHANGING = re.compile(r"0x[0-9a-f]+|\d+\.\d+|/tmp/\S+")


@dataclass
class _Watch:
    """How often tests have run and failed by now, in new processes and alone, and until when there is time."""

    deadline: float
    failed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    runs: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def note(self, node_id: str, report: TestReport, target: TestResult) -> bool:
        """Count a run of a test; whether it failed."""
        failed = not is_mended(target, report)
        self.runs[node_id] += 1
        self.failed[node_id] += failed
        return failed

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self.deadline


async def triage(repair: Repair) -> tuple[Diagnosis, ...]:
    """Diagnose all that the task is to mend. Runs tests; changes nothing."""
    around = repair.surroundings()
    targets = repair.targets()
    watch = _Watch(time.monotonic() + TRIAGE_SECONDS + MANY_TIMES * min(repair.before.seconds, LONG_SUITE))
    unsteady = await _run_again(repair, targets, watch)
    found = {target.node_id: examine(target, around) for target in targets}
    closer = [target for target in unsteady if found[target.node_id].kind is not Kind.ENVIRONMENT]
    for target in closer[:MAX_CLOSER]:
        found[target.node_id] = await _look_closer(repair, target, watch, found[target.node_id], around)
    found |= await _try_time_zones(repair, [target for target in targets if target not in unsteady], found, around)
    return tuple(found.values())


async def find_lonely(repair: Repair, chosen: Sequence[TestResult]) -> tuple[str, ...]:
    """Those of the tests that were named, and pass among all tests, that fail when they run alone."""
    passed = [result.node_id for result in chosen if result.outcome is Outcome.PASSED]
    if not repair.task.tests or len(passed) == len(repair.before.results):
        return ()
    lonely = []
    for name in passed[:MAX_CLOSER]:
        report = await repair.run_warm((name,))
        lonely += [result.node_id for result in report.failing if result.node_id == name]
    return tuple(lonely)


async def _run_again(repair: Repair, targets: Sequence[TestResult], watch: _Watch) -> list[TestResult]:
    """Run all that failed a second time; what passes now, or fails otherwise than before."""
    first = next((target for target in targets if target.outcome is not Outcome.TIMEOUT), None)
    if first is None:
        return []
    report = await repair.trace(first)
    now = {result.node_id: result for result in report.results}
    unsteady = []
    for target in targets:
        result = now.get(target.node_id)
        watch.runs[target.node_id] = watch.failed[target.node_id] = 1
        if is_mended(target, report):
            watch.runs[target.node_id] += 1
            unsteady.append(target)
        elif result and _steady(result.message) != _steady(target.message):
            unsteady.append(target)
    return unsteady


def _steady(message: str) -> str:
    """A message without what is another in each process."""
    return CHANGING.sub("", message)


async def _look_closer(
    repair: Repair, target: TestResult, watch: _Watch, plain: Diagnosis, around: Surroundings
) -> Diagnosis:
    """Run one test alone and with all others, and tell what it depends on."""
    name = target.node_id
    alone = [watch.note(name, await repair.run_cold((name,)), target) for _ in range(2)]
    if all(alone):
        repair.forks = repair.forks and watch.runs[name] == watch.failed[name]
        return plain
    may_depend = not any(alone) and sum(result.seconds for result in repair.before.results) < LONG_SUITE
    fails_among_all = may_depend and watch.note(name, await repair.run_cold(()), target)
    if fails_among_all and (after := await _find_culprits(repair, target, watch)):
        return _describe_order(repair, target, after, around)
    for _ in range(MORE_RUNS):
        if not watch.is_over:
            watch.note(name, await repair.run_cold((name,)), target)
    failed, runs = watch.failed[name], watch.runs[name]
    ran = repair.spectrum.passing.get(name, {}) or repair.spectrum.failing.get(name, {})
    hopeful = any(not around.is_test(path) for path in ran) or not ran
    where = "" if hopeful else " It runs no code but that of tests."
    return Diagnosis(
        node_id=name,
        kind=Kind.FLAKY,
        detail=f"It failed {failed} of {runs} times with nothing changed.{where}",
        hopeful=hopeful,
        rate=failed / (runs + DOUBT),
    )


async def _try_time_zones(
    repair: Repair, targets: Sequence[TestResult], found: Mapping[str, Diagnosis], around: Surroundings
) -> dict[str, Diagnosis]:
    """The ordinary failures of code that reads a clock which pass elsewhere on earth."""
    others: dict[str, Diagnosis] = {}
    real = [target for target in targets if found[target.node_id].kind is Kind.REAL]
    asked = [target for target in real if _reads_clock(repair, target, around)]
    for zone, place in ZONES.items() if asked else ():
        report = await repair.run_warm([target.node_id for target in asked], TZ=zone)
        for target in asked:
            if is_mended(target, report):
                others[target.node_id] = Diagnosis(
                    node_id=target.node_id,
                    kind=Kind.ENVIRONMENT,
                    cause="timezone",
                    detail=f"It passes where local time is {place}, and fails in the sandbox, where it is UTC.",
                )
    return others


def _reads_clock(repair: Repair, target: TestResult, around: Surroundings) -> bool:
    """Whether a test, or code that it runs, has to do with local time."""
    paths = {target.node_id.partition("::")[0], *repair.spectrum.failing.get(target.node_id, {})}
    return any(LOCAL_TIME.search(around.read(path) or "") for path in paths)


async def _find_culprits(repair: Repair, target: TestResult, watch: _Watch) -> tuple[str, ...]:
    """The tests, most often one, after which alone a test fails; none if that cannot be shown twice."""
    ids = [result.node_id for result in repair.before.results]
    before = [node_id for node_id in ids[: ids.index(target.node_id)] if "::" in node_id][-MAX_BEFORE:]

    async def fails_after(names: Sequence[str], *, cold: bool = False) -> bool:
        run = repair.run_cold if cold else repair.run_warm
        return not is_mended(target, await run((*names, target.node_id)))

    if not before or not await fails_after(before, cold=True):
        return ()
    while len(before) > 1 and not watch.is_over:
        middle = len(before) // 2
        if await fails_after(before[middle:]):
            before = before[middle:]
        elif await fails_after(before[:middle]):
            before = before[:middle]
        else:
            break
    return tuple(before) if await fails_after(before, cold=True) else ()


def _describe_order(repair: Repair, target: TestResult, after: tuple[str, ...], around: Surroundings) -> Diagnosis:
    """The diagnosis of a test that fails after others only: whether the product keeps what they share."""
    names = after[0] if len(after) == 1 else f"{after[0]} and {len(after) - 1} other tests"
    ran = {path for lines in (repair.spectrum.passing, repair.spectrum.failing) for node_id in (*after, target.node_id)
           for path in lines.get(node_id, {}) if not around.is_test(path)}  # fmt: skip
    keeps = [path for path in sorted(ran) if any(find_state(path, around.read(path) or ""))]
    where = f"State may be kept in {', '.join(keeps)}." if keeps else "No code but that of tests keeps state for it."
    return Diagnosis(
        node_id=target.node_id,
        kind=Kind.ORDER,
        cause="product" if keeps else "test",
        detail=f"It passes alone and fails after {names}. {where}",
        hopeful=bool(keeps),
        after=after,
    )
