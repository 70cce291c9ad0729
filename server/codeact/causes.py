"""The failing tests grouped by likely cause before anything is tried, so that each cause is mended as one.

A test's place is where its failure left the product, by the traceback; where the test itself noticed it, the first
suspect, if the test was traced; else what could not be imported, or the test's own file. Tests of one place have one
cause. Nothing runs for this, and nothing rests on it but the order of the work and what the developer is told: each
test is still judged by itself, and the groups of a proposal come from which change has mended what.
"""

import re
from dataclasses import dataclass, field

from codeact.case import WHEN
from codeact.definitions import find_definition
from codeact.diagnosis import Cause, Kind
from codeact.fixing import Repair
from codeact.symptoms import Surroundings
from codeact.trajectory import TestResult

LONGEST = 160
CHANGING = re.compile(r"0x[0-9a-f]+|\d+")


@dataclass(frozen=True)
class _Place:
    """Where a cause likely is. What it has without a file, or beside it, is in `mark`."""

    path: str
    name: str = ""
    mark: str = ""
    line: int = field(default=0, compare=False)


def find_causes(repair: Repair) -> tuple[Cause, ...]:
    """Group what is within reach: kinds of failures in their turn, within a kind the cause of most tests first."""
    around = repair.surroundings()
    groups: dict[tuple[Kind, _Place], list[TestResult]] = {}
    for target in repair.within_reach():
        groups.setdefault((repair.diagnosis(target).kind, _locate(repair, target, around)), []).append(target)
    ordered = sorted(groups.items(), key=lambda group: (WHEN.index(group[0][0]), -len(group[1])))
    return tuple(
        Cause(
            number=number,
            tests=tuple(target.node_id for target in targets),
            path=place.path,
            line=place.line,
            name=place.name,
            error=targets[0].message[:LONGEST],
        )
        for number, ((_, place), targets) in enumerate(ordered, 1)
    )


def _locate(repair: Repair, target: TestResult, around: Surroundings) -> _Place:
    """Where the cause of one failure likely is."""
    diagnosis = repair.diagnosis(target)
    if target.frames and not around.is_test(target.frames[-1].path):
        last = target.frames[-1]
        definition = find_definition(last.path, around.read(last.path) or "", last.line)
        return _Place(last.path, definition.name if definition else "", line=last.line)
    if diagnosis.kind is Kind.COLLECTION:
        return _Place("", mark=CHANGING.sub("N", target.message))
    if repair.was_traced(target) and (suspects := repair.facts_so_far(target).hottest()):
        return _Place(suspects[0].path, suspects[0].name, line=suspects[0].line)
    return _Place(target.node_id.partition("::")[0], mark=" ".join(diagnosis.after), line=1)
