"""Figures of rows, and the same in words; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go

from dash_ui import format as fmt
from dash_ui.client import Coin

Unit = Literal["share", "money"]

BARS = 15
BAR_COLOUR = "#3b8fc4"


@dataclass(frozen=True, slots=True)
class Bar:
    name: str
    symbol: str
    value: float
    label: str
    hover: str


def deviation_bars(coins: Sequence[Coin], unit: Unit, currency: str = "usd") -> list[Bar]:
    """A bar for each coin with a deviation and a price, the largest first."""
    bars = []
    for coin in coins:
        share = fmt.share_of(coin.deviation, coin.price)
        if share is None or coin.deviation is None:
            continue
        money = fmt.price(coin.deviation, currency)
        hover = f"{coin.name}: {fmt.share(share)} of the price, {money}"
        value, label = (share, fmt.share(share)) if unit == "share" else (coin.deviation, money)
        evidence = fmt.evidence(coin.deviation_count)
        bars.append(Bar(coin.name, coin.symbol.upper(), value, label, f"{hover}, {evidence}"))
    return sorted(bars, key=lambda bar: -bar.value)


def deviation_comparison(bars: Sequence[Bar]) -> go.Figure:
    """The largest deviations as bars, the largest on top; colours of text and lines come from
    the page, so that they follow its theme."""
    shown = bars[:BARS]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            # A symbol may occur twice, so the place is the axis and the symbol its label.
            y=list(range(len(shown))),
            x=[bar.value for bar in shown],
            text=[bar.label for bar in shown],
            textposition="outside",
            cliponaxis=False,
            hovertext=[bar.hover for bar in shown],
            hoverinfo="text",
            marker={"color": BAR_COLOUR},
        )
    )
    figure.update_layout(
        template="none",
        margin={"l": 62, "r": 16, "t": 8, "b": 16},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        bargap=0.35,
        showlegend=False,
        dragmode=False,
        font={"family": "system-ui, sans-serif", "size": 13},
        xaxis={
            "visible": False,
            "rangemode": "tozero",
            "fixedrange": True,
            # Room for the label beyond the longest bar.
            "range": [0, max((bar.value for bar in shown), default=1) * 1.35 or 1],
        },
        yaxis={
            "tickvals": list(range(len(shown))),
            "ticktext": [bar.symbol for bar in shown],
            "range": [len(shown) - 0.5, -0.5],
            "fixedrange": True,
            "showgrid": False,
            "zeroline": False,
        },
    )
    return figure


def deviation_height(bars: Sequence[Bar]) -> int:
    """The chart's height in pixels."""
    return 24 + 26 * len(bars[:BARS])


def deviation_heading(bars: Sequence[Bar], unit: Unit) -> str:
    """The chart's title: which coins, and what is compared."""
    of_what = "share of the price" if unit == "share" else "amount"
    which = f"the {BARS} largest of {len(bars)}" if len(bars) > BARS else "largest first"
    return f"Standard deviation as {of_what}, {which}"


def deviation_summary(bars: Sequence[Bar]) -> str:
    """What the chart shows, for who cannot see it."""
    if not bars:
        return "No coin has a deviation yet: it needs a stored quote."
    largest, smallest = bars[0], bars[-1]
    if len(bars) == 1:
        return f"{largest.name} alone has a deviation: {largest.label}."
    middle = bars[len(bars) // 2]
    return (
        f"Largest: {largest.name} with {largest.label}; in the middle: {middle.name} with "
        f"{middle.label}; smallest: {smallest.name} with {smallest.label}. "
        "The table has every coin's deviation."
    )
