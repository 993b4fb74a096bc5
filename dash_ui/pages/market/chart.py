"""The Market page's chart, which compares deviations: a list whose items carry bars."""

from collections.abc import Sequence
from typing import Any

import dash_bootstrap_components as dbc
from dash import Output, html, no_update

from dash_ui.components.aria import aria
from dash_ui.figures.deviation_bars import BARS, Bar

PARTS = ("symbol", "label")
OUTPUTS = [
    {
        "hidden": Output(f"market-bar-{place}", "hidden"),
        "title": Output(f"market-bar-{place}", "title"),
        "style": Output(f"market-bar-{place}-length", "style"),
        **{part: Output(f"market-bar-{place}-{part}", "children") for part in PARTS},
    }
    for place in range(BARS)
]
UNCHANGED = [dict.fromkeys(("hidden", "title", "style", *PARTS), no_update)] * BARS


def panel() -> html.Section:
    """The chart, empty, with its heading and the choice of its unit."""
    return html.Section(
        [
            html.H2("Deviation compared", className="h5 m-0"),
            html.Div(
                dbc.RadioItems(
                    id="market-unit",
                    # One group, in which arrows choose.
                    name="market-unit",
                    options=[
                        {"label": "Share of the price", "value": "share"},
                        {"label": "Amount", "value": "money"},
                    ],
                    value="share",
                    inline=True,
                    class_name="small",
                ),
                role="group",
                **aria(label="What the chart compares"),
            ),
            html.P(id="market-figure-title", className="m-0 small text-body-secondary"),
            html.Ol(
                [_bar(place) for place in range(BARS)],
                id="market-figure",
                className="koinx-bars",
                **aria(labelledby="market-figure-title", describedby="market-figure-text"),
            ),
            html.P(id="market-figure-text", className="small"),
        ],
        **aria(label="Deviation compared"),
    )


def _bar(place: int) -> html.Li:
    return html.Li(
        [
            html.Span(id=f"market-bar-{place}-symbol", className="koinx-bars-symbol"),
            html.Span(id=f"market-bar-{place}-length", className="koinx-bars-length"),
            html.Span(id=f"market-bar-{place}-label", className="koinx-bars-label"),
        ],
        id=f"market-bar-{place}",
        hidden=True,
    )


def shown(bars: Sequence[Bar]) -> list[dict[str, Any]]:
    """A value for each of OUTPUTS; the first bar is the longest."""
    return [_shown(bars, place) for place in range(BARS)]


def _shown(bars: Sequence[Bar], place: int) -> dict[str, Any]:
    if place >= len(bars):
        return {"hidden": True, "title": "", "style": {}, "symbol": "", "label": ""}
    bar, longest = bars[place], bars[0].value
    part = bar.value / longest if longest else 0
    return {
        "hidden": False,
        "title": bar.hover,
        # The widest share of the line that leaves room for the symbol before it, the label after.
        "style": {"width": f"calc((100% - var(--koinx-bars-words)) * {part:.4f})"},
        "symbol": bar.symbol,
        "label": bar.label,
    }
