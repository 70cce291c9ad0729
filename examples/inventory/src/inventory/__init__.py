"""Stock, bins and orders."""

from inventory.orders import Order, OutOfStock
from inventory.warehouse import Warehouse

__all__ = ["Order", "OutOfStock", "Warehouse"]
