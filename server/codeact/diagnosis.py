"""What is known of failing tests before anything is tried: what kind of failure each is, and where its cause may be."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What kind of failure it is."""

    REAL = "real"
    FLAKY = "flaky"
    ORDER = "order"
    ENVIRONMENT = "environment"
    COLLECTION = "collection"


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Why a test fails, as far as running it again tells.

    Attributes:
        node_id: the test, or the file that cannot be collected.
        kind: what kind of failure it is.
        cause: what is missing or at fault in a word: `package`, `network`, `product`, ...; empty if there is no word.
        detail: one sentence for the developer.
        hopeful: whether a change of the product's code may help.
        after: node ids of tests after which alone it fails.
        rate: how often it fails, 0 to 1; for a flaky test rather less than was seen, since that was seldom.
    """

    node_id: str
    kind: Kind
    cause: str = ""
    detail: str = ""
    hopeful: bool = True
    after: tuple[str, ...] = ()
    rate: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A definition in which the fault may be.

    Attributes:
        path: the file.
        line: its most suspicious line, 1-based.
        name: the definition; empty for a whole module.
        score: how suspicious it is, 0 to 1.
    """

    path: str
    line: int
    name: str
    score: float
