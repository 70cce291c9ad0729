"""What is known of failing tests before anything is tried: what kind of failure each is, and what its cause may be."""

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
class Cause:
    """What some failing tests likely have in common, before anything is tried.

    Attributes:
        number: its turn, from 1.
        tests: their node ids.
        path: the file in which it likely is; that of the tests where they alone are known, empty where no file is.
        line: 1-based; 0 without a path.
        name: the definition; empty for a whole module.
        error: what pytest says of the first of the tests, in one line.
    """

    number: int
    tests: tuple[str, ...]
    path: str
    line: int
    name: str
    error: str

    @property
    def label(self) -> str:
        """The cause in a few words: "cart.py total (4 tests)"."""
        count = len(self.tests)
        return f"{f'{self.path} {self.name}'.strip() or self.error} ({count} test{'s' * (count != 1)})"


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
