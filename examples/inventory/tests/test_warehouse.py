import pytest

from inventory import Warehouse


def test_a_bin_holds_one_article():
    warehouse = Warehouse()
    warehouse.stock("A1", "bolt", 30)
    with pytest.raises(ValueError, match="A1 holds bolt"):
        warehouse.stock("A1", "nut", 1)


def test_free_counts_all_bins():
    warehouse = Warehouse()
    warehouse.stock("A1", "bolt", 30)
    warehouse.stock("B7", "bolt", 50)
    assert warehouse.free("bolt") == 80


def test_picking_takes_reserved_pieces():
    warehouse = Warehouse()
    warehouse.stock("A1", "bolt", 30)
    warehouse.allocate("bolt", 10)
    warehouse.bins["A1"].pick(10)
    assert warehouse.free("bolt") == 20
