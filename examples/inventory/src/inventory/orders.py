"""What customers order."""

from __future__ import annotations

from inventory.warehouse import Warehouse


class OutOfStock(Exception):
    """Not enough pieces are free."""


class Order:
    def __init__(self, number: str) -> None:
        self.number = number
        self.lines: dict[str, int] = {}

    def line(self, article: str, pieces: int) -> Order:
        self.lines[article] = self.lines.get(article, 0) + pieces
        return self

    def place(self, warehouse: Warehouse) -> dict[str, dict[str, int]]:
        """Reserve every line, or nothing: for each article, how many pieces from which place."""
        for article, pieces in self.lines.items():
            if warehouse.free(article) < pieces:
                raise OutOfStock(f"{article}: {pieces} wanted, {warehouse.free(article)} free")
        return {article: warehouse.allocate(article, pieces) for article, pieces in self.lines.items()}
