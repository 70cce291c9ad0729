"""One note."""


class Note:
    def __init__(self, text, tags=[]):
        self.text = text
        self.tags = tags

    def tag(self, name):
        """Add a tag, once."""
        if name not in self.tags:
            self.tags.append(name)
        return self

    def matches(self, word):
        """Whether the word is in the text or a tag, in whatever case."""
        word = word.lower()
        return word in self.text.lower() or word in (tag.lower() for tag in self.tags)
