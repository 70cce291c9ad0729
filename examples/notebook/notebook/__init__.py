"""Notes with tags."""

from notebook.book import Notebook
from notebook.note import Note

__all__ = ["Note", "Notebook"]
