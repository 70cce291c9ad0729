"""Page selections of a print dialog."""

from pages.parser import SelectionError, parse_pages
from pages.writer import format_pages

__all__ = ["SelectionError", "format_pages", "parse_pages"]
