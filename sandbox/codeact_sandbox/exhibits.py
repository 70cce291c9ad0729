"""What an action shows beside its output: open matplotlib figures, plotly figures, and tables of pandas."""

from __future__ import annotations

import base64
import io
import sys
from typing import Any

MAX_EXHIBITS = 10
MAX_ROWS = 10_000
MAX_BYTES = 8 * 1024 * 1024


def collect(value: object, namespace: dict[str, Any]) -> list[dict[str, str]]:
    """The exhibits of an action, each with name, media type and base64; those that cannot be drawn are left out.

    Args:
        value: of the action's last expression.
        namespace: the action's variables; they give tables their names.
    """
    found = [*_figures(), *_interactive(value), *_tables(value, namespace)]
    return [exhibit for exhibit in found if len(exhibit["data"]) <= MAX_BYTES][:MAX_EXHIBITS]


def _figures() -> list[dict[str, str]]:
    """The matplotlib figures that were left open, as PNG, and closed then."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return []
    pictures = []
    for number in pyplot.get_fignums()[:MAX_EXHIBITS]:
        buffer = io.BytesIO()
        try:
            pyplot.figure(number).savefig(buffer, format="png", bbox_inches="tight")
        except Exception:  # noqa: BLE001, S112 - a figure that cannot be drawn is no reason to lose the rest
            continue
        pictures.append(_exhibit(f"figure-{number}.png", "image/png", buffer.getvalue()))
    pyplot.close("all")
    return pictures


def _interactive(value: object) -> list[dict[str, str]]:
    """A plotly figure as a page that needs no network."""
    if type(value).__module__.partition(".")[0] != "plotly" or not hasattr(value, "to_html"):
        return []
    try:
        return [_exhibit("figure.html", "text/html", value.to_html(include_plotlyjs=True).encode())]
    except Exception:  # noqa: BLE001 - see _figures
        return []


def _tables(value: object, namespace: dict[str, Any]) -> list[dict[str, str]]:
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(value, (pandas.DataFrame, pandas.Series)):
        return []
    name = next((name for name, known in namespace.items() if known is value and not name.startswith("_")), "table")
    try:
        return [_exhibit(f"{name}.csv", "text/csv", value.head(MAX_ROWS).to_csv().encode("utf-8", "replace"))]
    except Exception:  # noqa: BLE001 - see _figures
        return []


def _exhibit(name: str, media_type: str, data: bytes) -> dict[str, str]:
    return {"name": name, "type": media_type, "data": base64.b64encode(data).decode("ascii")}
