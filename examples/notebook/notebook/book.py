"""A pile of notes."""

from collections import Counter


class Notebook:
    def __init__(self):
        self.notes = []

    def add(self, note):
        self.notes.append(note)
        return note

    def tagged(self, name):
        """Texts of the notes that have a tag."""
        return [note.text for note in self.notes if name in note.tags]

    def search(self, word):
        """Texts of the notes that a word is found in."""
        return [note.text for note in self.notes if note.matches(word)]

    def tag_counts(self):
        """How many notes have which tag."""
        return dict(Counter(tag for note in self.notes for tag in note.tags))
