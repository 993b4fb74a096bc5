"""The Market page's deviation chart: bars that compare coins, with a summary in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dash import Output, html

from api_client.client import Coin
from dash_ui.components import format as fmt
from dash_ui.components.elements import aria, radio_group

Unit = Literal["share", "money"]

UNITS: dict[str, str] = {"share": "Share of the price", "money": "Amount"}
BARS = 15
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


@dataclass(frozen=True, slots=True)
class Bar:
    name: str
    symbol: str
    value: float
    label: str
    hover: str


def bars(coins: Sequence[Coin], unit: Unit, currency: str = "usd") -> list[Bar]:
    """A bar for each coin with a deviation and a price, the largest first."""
    found = []
    for coin in coins:
        share = fmt.share_of(coin.deviation, coin.price)
        if share is None or coin.deviation is None:
            continue
        money = fmt.price(coin.deviation, currency)
        hover = f"{coin.name}: {fmt.share(share)} of the price, {money}"
        value, label = (share, fmt.share(share)) if unit == "share" else (coin.deviation, money)
        evidence = fmt.evidence(coin.deviation_count)
        found.append(Bar(coin.name, coin.symbol.upper(), value, label, f"{hover}, {evidence}"))
    return sorted(found, key=lambda bar: -bar.value)


def heading(bars: Sequence[Bar], unit: Unit) -> str:
    """The chart's title: which coins it shows, and what it compares."""
    of_what = "a share of the price" if unit == "share" else "an amount"
    which = f"the {BARS} largest of {len(bars)}" if len(bars) > BARS else "largest first"
    return f"Standard deviation as {of_what}: {which}"


def summary(bars: Sequence[Bar]) -> str:
    """The chart in words, for readers who cannot see it."""
    if not bars:
        return "No deviations yet: no quotes are stored."
    largest, smallest = bars[0], bars[-1]
    if len(bars) == 1:
        return f"Only {largest.name} has a deviation: {largest.label}."
    middle = bars[len(bars) // 2]
    return (
        f"Largest: {largest.name}, {largest.label}. Median: {middle.name}, {middle.label}. "
        f"Smallest: {smallest.name}, {smallest.label}. The table lists every coin."
    )


def panel() -> html.Section:
    """The chart, empty, with its heading and the choice of its unit."""
    return html.Section(
        [
            html.H2("Price deviation", className="h5 m-0"),
            radio_group("market-unit", "Compare by", UNITS, "share"),
            html.P(id="market-figure-title", className="m-0 small text-body-secondary"),
            html.Ol(
                [_bar(place) for place in range(BARS)],
                id="market-figure",
                className="koinx-bars",
                **aria(labelledby="market-figure-title", describedby="market-figure-text"),
            ),
            html.P(id="market-figure-text", className="small"),
        ],
        **aria(label="Price deviation"),
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


def render(bars: Sequence[Bar]) -> list[dict[str, Any]]:
    """The chart's bars; the first one is the longest."""
    return [_render_bar(bars, place) for place in range(BARS)]


def _render_bar(bars: Sequence[Bar], place: int) -> dict[str, Any]:
    if place >= len(bars):
        return {"hidden": True, "title": "", "style": {}, "symbol": "", "label": ""}
    bar, longest = bars[place], bars[0].value
    part = bar.value / longest if longest else 0
    return {
        "hidden": False,
        "title": bar.hover,
        # The longest bar still leaves room for its symbol and its label.
        "style": {"width": f"calc((100% - var(--koinx-bars-words)) * {part:.4f})"},
        "symbol": bar.symbol,
        "label": bar.label,
    }
