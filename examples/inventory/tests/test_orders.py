import pytest

from inventory import Order, OutOfStock, Warehouse


@pytest.fixture
def warehouse():
    warehouse = Warehouse()
    warehouse.stock("A1", "bolt", 30)
    warehouse.stock("B7", "bolt", 50)
    warehouse.stock("A2", "nut", 100)
    return warehouse


def test_an_order_that_one_bin_can_fill(warehouse):
    assert Order("1").line("nut", 40).place(warehouse) == {"nut": {"A2": 40}}
    assert warehouse.free("nut") == 60


def test_an_order_over_two_bins(warehouse):
    assert Order("2").line("bolt", 45).place(warehouse) == {"bolt": {"A1": 30, "B7": 15}}
    assert warehouse.free("bolt") == 35


def test_lines_of_one_article_add_up(warehouse):
    order = Order("3").line("nut", 10).line("nut", 5)
    assert order.lines == {"nut": 15}


def test_nothing_is_reserved_when_a_line_is_out_of_stock(warehouse):
    with pytest.raises(OutOfStock, match="bolt: 81 wanted, 80 free"):
        Order("4").line("nut", 10).line("bolt", 81).place(warehouse)
    assert warehouse.free("nut") == 100
