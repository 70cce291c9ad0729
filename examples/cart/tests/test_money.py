import pytest

from cart import format_cents, percent_of


@pytest.mark.parametrize(("cents", "text"), [(1299, "12.99"), (5, "0.05"), (0, "0.00"), (-250, "-2.50")])
def test_format(cents, text):
    assert format_cents(cents) == text


def test_percent_of_whole_amounts():
    assert percent_of(2000, 10) == 200
