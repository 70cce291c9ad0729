import pytest

from cart import Cart


@pytest.fixture
def cart():
    cart = Cart()
    cart.add("notebook", price=349, quantity=2)
    cart.add("pen", price=120)
    return cart


def test_subtotal_counts_quantities(cart):
    assert cart.subtotal() == 818


def test_an_empty_cart_costs_nothing():
    assert Cart().total() == 0


def test_a_discount_is_rounded_to_the_nearest_cent(cart):
    cart.discount(15)
    # 15 % of 8.18 is 1.227
    assert cart.total() == 695


def test_tax_is_rounded_to_the_nearest_cent():
    cart = Cart(tax_percent=19)
    cart.add("coffee", price=499)
    # 19 % of 4.99 is 0.9481
    assert cart.total() == 594


def test_a_discount_above_100_percent_is_refused(cart):
    with pytest.raises(ValueError, match="between 0 and 100"):
        cart.discount(101)


def test_receipt(cart):
    assert cart.receipt().splitlines()[-1] == "total  8.18"
