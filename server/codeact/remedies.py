"""What helped against an error in a workspace, so that it can be tried at once when the error comes again.

An error's signature is its type and message without what changes from time to time. A remedy is the code that ran,
in the sandbox, as the next step after the error and got past it. It is offered with the next error of that signature;
if that does not help either, it is forgotten.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from codeact.memory import name_entry, recall, remember
from codeact.settings import Settings
from codeact.trajectory import Failure, Observation, Step

FILE = "remedies"
MAX_KEPT = 100
MAX_CODE = 1200  # characters; longer code is no remedy but a program
LONGEST = 160


@dataclass(frozen=True)
class Remedy:
    """An error's signature, the code that got past it, and how often it has."""

    signature: str
    code: str
    helped: int = 1

    @property
    def id(self) -> str:
        """The name by which it can be forgotten."""
        return name_entry("error", self.signature)


def signature_of(failure: Failure | None) -> str:
    """What an error is at its core; empty for none."""
    if failure is None:
        return ""
    message = re.sub(r"0x[0-9a-f]+|\d+", "N", failure.message.split("\n")[0])
    return f"{failure.type}: {message}"[:LONGEST]


def count_repeats(steps: Sequence[Step]) -> int:
    """How often, up to now and without a break, the steps have failed in the same way as the last."""
    last = signature_of(steps[-1].observation.failure) if steps else ""
    count = 0
    for step in reversed(steps):
        if not last or signature_of(step.observation.failure) != last:
            break
        count += 1
    return count


def load_remedies(settings: Settings) -> tuple[Remedy, ...]:
    """What is remembered for a workspace, latest first."""
    try:
        return tuple(
            Remedy(str(one["signature"]), str(one["code"]), int(one["helped"])) for one in recall(settings, FILE)
        )
    except (ValueError, TypeError, KeyError):
        return ()


def save_remedies(settings: Settings, remedies: Sequence[Remedy]) -> None:
    """Remember these, and no others."""
    remember(settings, FILE, [asdict(remedy) for remedy in remedies[:MAX_KEPT]])


def find_remedy(remedies: Sequence[Remedy], observation: Observation) -> Remedy | None:
    """What helped against what was just observed; None if nothing is known."""
    signature = signature_of(observation.failure)
    return next((remedy for remedy in remedies if signature and remedy.signature == signature), None)


def learn(remedies: Sequence[Remedy], steps: Sequence[Step]) -> tuple[Remedy, ...]:
    """What is known after a run: a step that got past the failure before it is a remedy, one that did not is none."""
    known = {remedy.signature: remedy for remedy in remedies}
    for failed, following in pairwise(steps):
        signature = signature_of(failed.observation.failure)
        if not signature or following.afresh:
            continue
        code = following.action.code.strip()
        if following.observation.failure or following.observation.timed_out:
            if signature_of(following.observation.failure) == signature:
                known.pop(signature, None)
        elif len(code) <= MAX_CODE:
            helped = known[signature].helped + 1 if signature in known else 1
            known = {signature: Remedy(signature, code, helped), **{k: v for k, v in known.items() if k != signature}}
    return tuple(known.values())
