"""A place in the warehouse that holds one article."""

from dataclasses import dataclass


@dataclass
class Bin:
    place: str
    article: str
    on_hand: int
    reserved: int = 0

    @property
    def free(self) -> int:
        """Pieces that nobody has reserved."""
        return self.on_hand - self.reserved

    def reserve(self, wanted: int) -> int:
        """Reserve as many pieces as are wanted and free; returns how many that were."""
        taken = min(wanted, self.free)
        self.reserved += taken
        return wanted

    def pick(self, pieces: int) -> None:
        """Take reserved pieces out."""
        if pieces > self.reserved:
            raise ValueError(f"only {self.reserved} pieces are reserved in {self.place}")
        self.on_hand -= pieces
        self.reserved -= pieces
