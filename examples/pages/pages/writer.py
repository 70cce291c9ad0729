"""From page numbers to text."""


def format_pages(pages):
    """The shortest selection that names these pages: [1, 3, 4, 5] is "1,3-5"."""
    parts = []
    for first, last in find_runs(sorted(set(pages))):
        parts.append(str(first) if first == last else f"{first}-{last}")
    return ",".join(parts)


def find_runs(numbers):
    """Pairs (first, last) of numbers without a gap."""
    runs = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs
