"""Amounts of money, in whole cents."""


def percent_of(cents: int, percent: int) -> int:
    """A percentage of an amount, to the nearest cent."""
    return cents * percent // 100


def format_cents(cents: int) -> str:
    """The amount as a price tag shows it: 1299 is "12.99"."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"
