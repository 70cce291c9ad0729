"""The numbers that a matplotlib figure shows, as a table: for whoever cannot see it, and for whoever checks it."""

from __future__ import annotations

import csv
import io
from typing import Any, Iterator, Sequence

HEADINGS = ("chart", "series", "x", "y")
MAX_ROWS = 2000


def tabulate(figure: Any) -> str:  # noqa: ANN401 - matplotlib is not there when this is type-checked
    """A figure's bars, lines, points and wedges as comma-separated values; empty if it has none."""
    rows: list[Sequence[object]] = []
    for number, axes in enumerate(figure.axes, 1):
        title = axes.get_title() or (f"chart {number}" if len(figure.axes) > 1 else "chart")
        rows += [(title, *row) for row in _read(axes)]
    if not rows:
        return ""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADINGS)
    writer.writerows(rows[:MAX_ROWS])
    return text.getvalue()


def _read(axes: Any) -> Iterator[tuple[str, object, object]]:  # noqa: ANN401 - see tabulate
    """Series, x and y of all that is drawn in a pair of axes."""
    for number, container in enumerate(axes.containers, 1):
        if hasattr(container, "patches"):
            yield from _bars(axes, container, _name(container, f"bars {number}"))
    for number, line in enumerate(axes.lines, 1):
        places, values = _plain(line.get_xdata(orig=True)), _plain(line.get_ydata(orig=True))
        yield from ((_name(line, f"line {number}"), place, values[at]) for at, place in enumerate(places))
    for number, points in enumerate(axes.collections, 1):
        if type(points).__name__ == "PathCollection":
            name = _name(points, f"points {number}")
            yield from ((name, _number(x), _number(y)) for x, y in points.get_offsets())
    wedges = [patch for patch in axes.patches if type(patch).__name__ == "Wedge"]
    for number, wedge in enumerate(wedges, 1):
        yield "share", _name(wedge, f"wedge {number}"), round((wedge.theta2 - wedge.theta1) / 360, 6)


def _bars(axes: Any, container: Any, name: str) -> Iterator[tuple[str, object, object]]:  # noqa: ANN401 - see tabulate
    lying = getattr(container, "orientation", "vertical") == "horizontal"
    axis = axes.yaxis if lying else axes.xaxis
    places = list(axis.get_majorticklocs())
    words = axis.get_major_formatter().format_ticks(places)
    labels = {round(place, 6): words[at] for at, place in enumerate(places)}
    for bar in container.patches:
        low, width = (bar.get_y(), bar.get_height()) if lying else (bar.get_x(), bar.get_width())
        middle = _number(low + width / 2)
        yield name, labels.get(middle) or middle, _number(bar.get_width() if lying else bar.get_height())


def _name(artist: Any, otherwise: str) -> str:  # noqa: ANN401 - see tabulate
    label = str(artist.get_label() or "")
    return otherwise if not label or label.startswith("_") else label


def _plain(values: Any) -> list[object]:  # noqa: ANN401 - see tabulate
    """Numbers as numbers, dates and words as text."""
    return [_number(value) for value in (values.tolist() if hasattr(values, "tolist") else values)]


def _number(value: object) -> object:
    return round(float(value), 6) if isinstance(value, (int, float)) or hasattr(value, "__float__") else str(value)
