from pages import format_pages


def test_neighbours_become_a_range():
    assert format_pages([1, 3, 4, 5]) == "1,3-5"


def test_nothing():
    assert format_pages([]) == ""


def test_order_and_repetition_do_not_matter():
    assert format_pages([5, 3, 4, 4]) == "3-5"
