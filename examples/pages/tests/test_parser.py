import pytest

from pages import SelectionError, parse_pages


def test_single_pages_come_sorted_and_once():
    assert parse_pages("4, 1,4", last=10) == [1, 4]


def test_a_range_holds_both_its_ends():
    assert parse_pages("3-5", last=10) == [3, 4, 5]


def test_an_open_range_goes_to_the_end_of_the_document():
    assert parse_pages("8-", last=10) == [8, 9, 10]


@pytest.mark.parametrize("text", ["", "x", "0", "11", "5-3", "1,,2"])
def test_what_is_no_selection(text):
    with pytest.raises(SelectionError):
        parse_pages(text, last=10)
