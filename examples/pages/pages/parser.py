"""From text to page numbers."""


class SelectionError(ValueError):
    """The text is no selection of pages."""


def parse_pages(text, last):
    """The pages that a selection names, sorted; `last` is the document's last page."""
    pages = set()
    for part in text.split(","):
        pages.update(parse_part(part.strip(), last))
    return sorted(pages)


def parse_part(part, last):
    """The pages of one part: "7", "3-5", "8-" (to the end) or "-4" (from the start)."""
    if "-" not in part:
        return [check_page(part, last)]
    left, _, right = part.partition("-")
    first_page = check_page(left, last) if left else 1
    last_page = check_page(right, last) if right else last
    if first_page > last_page:
        raise SelectionError(f"{part!r} runs backwards")
    return list(range(first_page, last_page))


def check_page(text, last):
    """The number of a page that exists."""
    if not text.strip().isdigit():
        raise SelectionError(f"{text!r} is no page number")
    page = int(text)
    if not 1 <= page <= last:
        raise SelectionError(f"there is no page {page}")
    return page
