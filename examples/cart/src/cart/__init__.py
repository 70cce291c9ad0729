"""A shopping cart that counts in whole cents."""

from cart.basket import Cart, Line
from cart.money import format_cents, percent_of

__all__ = ["Cart", "Line", "format_cents", "percent_of"]
