from notebook import Note, Notebook


def test_search_looks_into_texts_and_tags():
    book = Notebook()
    book.add(Note("Buy a lamp", ["home"]))
    book.add(Note("Call Ada about the HOME page", ["work"]))
    book.add(Note("Water the plants", ["garden"]))
    assert book.search("home") == ["Buy a lamp", "Call Ada about the HOME page"]


def test_a_tag_is_added_once():
    assert Note("Call Ada", ["work"]).tag("work").tags == ["work"]


def test_tagged_finds_the_tagged_notes_only():
    book = Notebook()
    book.add(Note("Buy a lamp")).tag("home")
    book.add(Note("Call Ada")).tag("work")
    assert book.tagged("home") == ["Buy a lamp"]


def test_tag_counts():
    book = Notebook()
    book.add(Note("Buy a lamp")).tag("home")
    book.add(Note("Paint the door")).tag("home")
    book.add(Note("Call Ada")).tag("work")
    assert book.tag_counts() == {"home": 2, "work": 1}
