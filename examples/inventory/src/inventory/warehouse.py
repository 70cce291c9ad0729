"""All bins."""

from __future__ import annotations

from inventory.bins import Bin


class Warehouse:
    def __init__(self) -> None:
        self.bins: dict[str, Bin] = {}

    def stock(self, place: str, article: str, pieces: int) -> None:
        """Put pieces into a bin, which holds one article only."""
        bin_ = self.bins.setdefault(place, Bin(place, article, 0))
        if bin_.article != article:
            raise ValueError(f"{place} holds {bin_.article}")
        bin_.on_hand += pieces

    def bins_of(self, article: str) -> list[Bin]:
        return sorted((b for b in self.bins.values() if b.article == article), key=lambda b: b.place)

    def free(self, article: str) -> int:
        return sum(b.free for b in self.bins_of(article))

    def allocate(self, article: str, pieces: int) -> dict[str, int]:
        """Reserve pieces bin after bin: how many from which place."""
        allocation = {}
        missing = pieces
        for bin_ in self.bins_of(article):
            taken = bin_.reserve(missing)
            if taken:
                allocation[bin_.place] = taken
            missing -= taken
        return allocation
