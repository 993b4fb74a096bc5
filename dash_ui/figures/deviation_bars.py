"""The bars that compare coins, and the same in words; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from api_client.client import Coin
from dash_ui.components import format as fmt

Unit = Literal["share", "money"]

BARS = 15


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
