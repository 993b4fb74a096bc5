"""The Coin page's sentences about a coin, its chart and its statistics."""

from api_client.client import Coin
from api_client.coin_history import Series, Statistics, gaps
from dash_ui.components import format as fmt

FEW = 20
"""With fewer records the API gives no interval for a deviation."""

SPANS = {
    "24h": "the last 24 hours",
    "7d": "the last 7 days",
    "30d": "the last 30 days",
    "all": "all that is stored",
}


def concern(coin: Coin) -> tuple[str, str]:
    """Why a coin's numbers cannot be trusted, and what to do; two empty texts if they can."""
    if coin.state == "retired":
        now = f": {coin.successor} stands for it" if coin.successor else ""
        return (
            f"{coin.name} is retired{now}.",
            "See there:" if now else "Market lists all that are collected.",
        )
    if coin.freshness == "never":
        return (
            f"No quote of {coin.name} is stored yet.",
            "Refresh now, on Market, fetches the first; ./koinx logs worker says more.",
        )
    if coin.state == "missing":
        return f"The source does not know {coin.name} any more.", "What you see is its past."
    if coin.state == "left":
        return (
            f"{coin.name} has left the coins that are collected by rank.",
            "What you see is its past; add its id to COINS to go on.",
        )
    if coin.freshness in ("late", "stale"):
        return (
            f"The newest price of {coin.name} is {coin.freshness}: "
            f"{fmt.age(coin.age_seconds)} old.",
            "Refresh now, on Market, or see that worker and beat run: ./koinx status.",
        )
    return "", ""


def evidence_summary(found: Statistics, include: str) -> str:
    """How many records the statistics are based on, and whether that is enough."""
    if not found.count:
        return "There is no record yet, so there is nothing to measure."
    said = f"Over the newest {fmt.counted(found.count, 'price')}"
    if include == "recorded":
        each = "each " if found.count > 1 else ""
        said += f", {each}recorded in its own time, {fmt.evidence(found.count)}."
    else:
        said += f", {found.repaired} of them repaired from history later."
    if found.count < FEW:
        said += f" That is few: a deviation over less than {FEW} says little and may change much."
        if include == "recorded":
            said += " The switch takes in what was repaired."
    return said


def evidence(found: Statistics) -> dict[str, str]:
    """The evidence behind statistics, by name."""
    missing = fmt.MISSING
    return {
        "count": f"{found.count:,}",
        "expected": missing if found.expected is None else f"{found.expected:,}",
        "gaps": missing if found.gaps is None else f"{found.gaps:,}",
        "repaired": f"{found.repaired:,}",
        "oldest": fmt.moment(found.oldest),
        "newest": fmt.moment(found.newest),
        "source": found.source or missing,
    }


def method(found: Statistics) -> str:
    """How the deviation's interval was computed; empty without one."""
    interval = found.interval
    if interval is None:
        return ""
    return (
        f"{interval['level']:.0%} interval by {interval['method']}; {interval['resamples']:,} "
        f"resamples in {interval['blocks']} blocks of {interval['block_length']} records."
    )


def chart(coin: Coin, series: Series, band: Statistics, span: str, currency: str) -> str:
    """The chart in words, for readers who cannot see it."""
    if series.candles:
        return _candles(coin, series, span, currency)
    points = series.points
    if not points:
        return f"Nothing is stored of {coin.name} for {SPANS[span]}. Choose a longer range."
    lowest = min(points, key=lambda point: point.price)
    highest = max(points, key=lambda point: point.price)
    repaired = sum(point.resolution is not None for point in points)
    missing = gaps(points, series.spacing)
    said = [
        f"{coin.name}, {SPANS[span]}: {fmt.price(points[0].price, currency)} at "
        f"{fmt.moment(points[0].at)}, {fmt.price(points[-1].price, currency)} at "
        f"{fmt.moment(points[-1].at)}.",
        f"Lowest {fmt.price(lowest.price, currency)}, highest "
        f"{fmt.price(highest.price, currency)}.",
        f"{fmt.counted(len(points), 'point')}, {repaired} of them repaired from history (dotted).",
        f"{fmt.counted(len(missing), 'gap')} in it"
        + (", drawn as breaks of the line." if missing else "."),
    ]
    if series.interval:
        said.append(
            f"So many quotes are shown by the closes of {series.interval} candles; a shorter gap "
            "shows in the statistics alone."
        )
    return " ".join([*said, _band(band, currency)])


def _candles(coin: Coin, series: Series, span: str, currency: str) -> str:
    lowest = min(one.low for one in series.candles)
    highest = max(one.high for one in series.candles)
    repaired = sum(one.repaired > 0 for one in series.candles)
    return (
        f"{coin.name}, {SPANS[span]}, as {fmt.counted(len(series.candles), 'candle')} of "
        f"{series.interval}: lowest {fmt.price(lowest, currency)}, highest "
        f"{fmt.price(highest, currency)}. {repaired} of them hold repaired prices (faint). "
        "Rising ones are hollow, falling ones full; an interval without a price has none."
    )


def _band(band: Statistics, currency: str) -> str:
    mean, deviation = band.measures["mean"], band.measures["deviation"]
    if mean is None or deviation is None:
        return ""
    return (
        f"The band is the mean, {fmt.price(mean, currency)}, and one deviation, "
        f"{fmt.price(deviation, currency)}, on both sides, over "
        f"{fmt.counted(band.count, 'price')}."
    )
