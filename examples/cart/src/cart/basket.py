"""What a customer wants to buy."""

from dataclasses import dataclass

from cart.money import format_cents, percent_of


@dataclass(frozen=True)
class Line:
    name: str
    price: int
    quantity: int = 1

    @property
    def amount(self) -> int:
        return self.price * self.quantity


class Cart:
    def __init__(self, tax_percent: int = 0) -> None:
        self.tax_percent = tax_percent
        self.discount_percent = 0
        self.lines: list[Line] = []

    def add(self, name: str, price: int, quantity: int = 1) -> None:
        if price < 0 or quantity < 1:
            raise ValueError("a price is not negative, and a quantity is at least 1")
        self.lines.append(Line(name, price, quantity))

    def discount(self, percent: int) -> None:
        if not 0 <= percent <= 100:
            raise ValueError("a discount is between 0 and 100 percent")
        self.discount_percent = percent

    def subtotal(self) -> int:
        return sum(line.amount for line in self.lines)

    def total(self) -> int:
        """What the customer pays: the subtotal less the discount, and tax on the rest."""
        subtotal = self.subtotal()
        reduced = subtotal - percent_of(subtotal, self.discount_percent)
        return reduced + percent_of(reduced, self.tax_percent)

    def receipt(self) -> str:
        rows = [f"{line.quantity} x {line.name}  {format_cents(line.amount)}" for line in self.lines]
        return "\n".join([*rows, f"total  {format_cents(self.total())}"])
