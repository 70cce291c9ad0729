"""Which of several edits that all pass is to be preferred, by what they do beside what tests check, and how to tell it.

An edit that keeps what passing tests got when they called the code comes before one that changes it: nobody asked for
that (after Xiong et al., 2018, who tell right patches from overfitted ones so); what happens further inside may change.
An edit with which calls fail that returned before comes later too. Edits that do the same are one. What is left is for
a model to decide, and without one keeps the order of the search: that an edit changes little on other inputs says
nothing for it, since one that is made for the values of the failing test changes least.
"""

from collections.abc import Iterator, Mapping, Sequence

from codeact.behaviour import Comparison, Deed, Did, Input, Origin
from codeact.search import Candidate

ENOUGH = 8  # inputs on which edits have to agree to be taken for the same
MAX_TOLD = 4

Tiers = Sequence[Sequence[Candidate]]


def rank(candidates: Sequence[Candidate], comparison: Comparison | None) -> Tiers:
    """The candidates in tiers, the best first; within a tier they keep their order.

    The last tier is of those that do the same as an earlier one: they are no choice of their own.
    """
    if comparison is None:
        return [candidates]
    alone = [number for number in range(len(candidates)) if not _is_twin(comparison, number)]
    tiers: dict[tuple[bool, bool], list[Candidate]] = {}
    for number in alone:
        faults = bool(_changed(comparison, number)), bool(_broken(comparison, number))
        tiers.setdefault(faults, []).append(candidates[number])
    twins = [candidate for number, candidate in enumerate(candidates) if number not in alone]
    return [tier for _, tier in sorted(tiers.items(), key=lambda item: item[0])] + ([twins] if twins else [])


def tell(chosen: Candidate, candidates: Sequence[Candidate], comparison: Comparison | None) -> str:
    """What was compared, and how each other candidate differs from the chosen one, with an input that shows it."""
    if comparison is None or len(candidates) == 1:
        return ""
    origins = [found.origin for found in comparison.compared().values()]
    made = origins.count(Origin.MADE)
    skipped = f" ({comparison.skipped} calls could not be copied)" if comparison.skipped else ""
    head = f"{len(candidates)} edits pass, compared on {len(origins) - made} recorded and {made} made inputs{skipped}."
    mine = candidates.index(chosen)
    others = [number for number in range(len(candidates)) if number != mine]
    said = [_tell_one(comparison, mine, number, candidates[number].edit.what) for number in others[:MAX_TOLD]]
    return " ".join([head, *said])


def _tell_one(comparison: Comparison, mine: int, other: int, what: str) -> str:
    before, chosen, theirs = comparison.before, comparison.after[mine], comparison.after[other]
    for how, numbers, kept in (
        ("also changes what a passing test gets", _changed(comparison, other), _changed(comparison, mine)),
        ("also breaks what worked", _broken(comparison, other), _broken(comparison, mine)),
    ):
        if numbers and not kept:
            number = _simplest(comparison.inputs, numbers, before, theirs)
            return f"{what} {how}: `{comparison.inputs[number].shown}` {before[number]}, with that it {theirs[number]}."
    common = [number for number in chosen if number in theirs]
    differing = [number for number in common if chosen[number] != theirs[number]]
    if not differing:
        return f"{what} does the same." if common else f"{what} could not be compared."
    number = _simplest(comparison.inputs, differing, chosen, theirs)
    shown = comparison.inputs[number].shown
    return f"Undecided: `{shown}` {chosen[number]}; with the runner-up ({what}) it {theirs[number]}."


def _simplest(
    inputs: Mapping[int, Input], numbers: Sequence[int], one: Mapping[int, Deed], other: Mapping[int, Deed]
) -> int:
    """The input that takes the fewest words to tell, with what two versions do with it."""
    return min(numbers, key=lambda number: len(f"{inputs[number].shown}{one[number]}{other[number]}"))


def _is_twin(comparison: Comparison, number: int) -> bool:
    """Whether an earlier edit does the same wherever the two can be compared."""
    mine = comparison.after[number]
    for theirs in comparison.after[:number]:
        common = mine.keys() & theirs.keys()
        if len(common) >= ENOUGH and all(mine[one] == theirs[one] for one in common):
            return True
    return False


def _changed(comparison: Comparison, number: int) -> list[int]:
    """The inputs of passing tests with which an edit does something else."""
    pairs = _pairs(comparison, number, Origin.BESIDE)
    return [one for one, before, deed in pairs if before.did is not Did.HUNG and deed != before]


def _broken(comparison: Comparison, number: int) -> list[int]:
    """The made inputs with which a call returned, and with the edit ends in a way that no test asks for."""
    asked = [deed for _, _, deed in _pairs(comparison, number, Origin.TARGET)]
    usual = {deed.said for deed in (*comparison.before.values(), *asked) if deed.did is Did.RAISED}
    return [
        one
        for one, before, deed in _pairs(comparison, number, Origin.MADE)
        if before.did is Did.RETURNED and deed.did is not Did.RETURNED and deed.said not in usual
    ]


def _pairs(comparison: Comparison, number: int, origin: Origin) -> Iterator[tuple[int, Deed, Deed]]:
    """The inputs of an origin, with what the code as it is and an edit did, where both are known."""
    before, after = comparison.before, comparison.after[number]
    for one, found in comparison.inputs.items():
        if found.origin is origin and one in before and one in after:
            yield one, before[one], after[one]
