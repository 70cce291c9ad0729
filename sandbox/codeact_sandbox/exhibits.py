"""What an action shows beside its output: matplotlib and plotly figures, saved or not, and tables of pandas."""

from __future__ import annotations

import binascii
import io
import sys

from codeact_sandbox import showing

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` would take longer than the rest
    from typing import Any, Iterator

MAX_EXHIBITS = 10
MAX_ROWS = 10_000
MAX_BYTES = 8 * 1024 * 1024  # of one, in base64
MAX_TOTAL = 24 * 1024 * 1024
seen: dict[int, Any] = {}  # plotly figures that were handed over; they are held, so that no id is used twice
drawn = [0, 0]  # figures so far, of matplotlib and of plotly


def collect(value: object, namespace: dict[str, Any]) -> list[dict[str, str]]:
    """The exhibits of an action, each with name, media type and base64; those that cannot be drawn are left out.

    Args:
        value: of the action's last expression.
        namespace: the action's variables; they give tables their names, and may hold figures that nobody showed.
    """
    shown = showing.take()
    chosen: list[dict[str, str]] = []
    size = 0
    for exhibit in (
        *_figures(shown),
        *_interactive([*shown, value], list(namespace.values())),
        *_tables(value, namespace),
    ):
        size += len(exhibit["data"])
        if len(exhibit["data"]) <= MAX_BYTES and size <= MAX_TOTAL and len(chosen) < MAX_EXHIBITS:
            chosen.append(exhibit)
    return chosen


def _figures(saved: list[Any]) -> Iterator[dict[str, str]]:
    """The matplotlib figures that were left open, as PNG, closed then; and the numbers of all that were drawn."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    from codeact_sandbox.charts import tabulate

    is_open = [pyplot.figure(number) for number in pyplot.get_fignums()[:MAX_EXHIBITS]]
    closed = [figure for figure in saved if hasattr(figure, "savefig") and figure not in is_open]
    for figure in [*is_open, *closed]:
        drawn[0] += 1
        name = f"figure-{drawn[0]}"
        try:
            if figure in is_open:
                buffer = io.BytesIO()
                figure.savefig(buffer, format="png", bbox_inches="tight")
                yield _exhibit(f"{name}.png", "image/png", buffer.getvalue())
            if numbers := tabulate(figure):
                yield _exhibit(f"{name}.csv", "text/csv", numbers.encode("utf-8", "replace"))
        except Exception:  # noqa: BLE001, S112 - a figure that cannot be drawn is no reason to lose the rest
            continue
    pyplot.close("all")
    showing.take()  # what was saved above


def _interactive(shown: list[Any], known: list[Any]) -> Iterator[dict[str, str]]:
    """Plotly figures as pages that need no network: those that were shown, and those that nobody has shown yet."""
    figures = {id(value): value for value in shown if _is_interactive(value)}
    figures.update({id(value): value for value in known if _is_interactive(value) and id(value) not in seen})
    for figure in figures.values():
        seen[id(figure)] = figure
        drawn[1] += 1
        try:
            yield _exhibit(f"chart-{drawn[1]}.html", "text/html", figure.to_html(include_plotlyjs=True).encode())
        except Exception:  # noqa: BLE001, S112 - see _figures
            continue


def _is_interactive(value: object) -> bool:
    return type(value).__module__.partition(".")[0] == "plotly" and hasattr(value, "to_html")


def _tables(value: object, namespace: dict[str, Any]) -> Iterator[dict[str, str]]:
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(value, (pandas.DataFrame, pandas.Series)):
        return
    name = next((name for name, known in namespace.items() if known is value and not name.startswith("_")), "table")
    try:
        yield _exhibit(f"{name}.csv", "text/csv", value.head(MAX_ROWS).to_csv().encode("utf-8", "replace"))
    except Exception:  # noqa: BLE001 - see _figures
        return


def _exhibit(name: str, media_type: str, data: bytes) -> dict[str, str]:
    return {"name": name, "type": media_type, "data": binascii.b2a_base64(data, newline=False).decode("ascii")}
