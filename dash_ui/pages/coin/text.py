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
    "all": "the whole history",
}


def concern(coin: Coin) -> tuple[str, str]:
    """Why a coin's numbers cannot be trusted, and what to do; two empty texts if they can."""
    if coin.state == "retired":
        what = f"was replaced by {coin.successor}" if coin.successor else "is retired"
        next_step = "Go to" if coin.successor else "The Market page lists all collected coins."
        return f"{coin.name} {what}.", next_step
    if coin.freshness == "never":
        return (
            f"No quotes of {coin.name} stored yet.",
            "Press Refresh now on the Market page, or see ./koinx logs worker.",
        )
    if coin.state == "missing":
        return f"The price source no longer lists {coin.name}.", "Showing its stored history."
    if coin.state == "left":
        return (
            f"{coin.name} no longer ranks among the collected coins.",
            "Showing its stored history. To keep collecting it, add its id to COINS.",
        )
    if coin.freshness in ("late", "stale"):
        return (
            f"The newest price of {coin.name} is {coin.freshness}: "
            f"{fmt.age(coin.age_seconds)} old.",
            "Press Refresh now on the Market page, or check with ./koinx status that worker and "
            "beat run.",
        )
    return "", ""


def evidence_summary(found: Statistics, include: str) -> str:
    """How many records the statistics are based on, and whether that is enough."""
    if not found.count:
        return "No prices recorded yet."
    if include == "recorded":
        message = f"Based on {found.count} of {fmt.DEVIATION_WINDOW} live prices"
    else:
        count = fmt.counted(found.count, "price")
        message = f"Based on the newest {count}, {found.repaired:,} of them repaired from history"
    if found.count >= FEW:
        return f"{message}."
    message += ": too few to be reliable."
    if include == "recorded":
        message += " Switch to 'With repaired' to include history."
    return message


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
        return f"No prices of {coin.name} stored for {SPANS[span]}. Choose a longer range."
    first, last = points[0], points[-1]
    lowest = min(point.price for point in points)
    highest = max(point.price for point in points)
    repaired = sum(point.resolution is not None for point in points)
    missing = len(gaps(points, series.spacing))
    breaks = "a break" if missing == 1 else "breaks"
    sentences = [
        f"{coin.name}, {SPANS[span]}: from {fmt.price(first.price, currency)} at "
        f"{fmt.moment(first.at)} to {fmt.price(last.price, currency)} at {fmt.moment(last.at)}.",
        f"Lowest {fmt.price(lowest, currency)}, highest {fmt.price(highest, currency)}.",
        f"{fmt.counted(len(points), 'point')}, {repaired} of them repaired from history (dotted).",
        f"{fmt.counted(missing, 'gap')}, shown as {breaks} in the line." if missing else "No gaps.",
    ]
    if series.interval:
        sentences.append(
            f"The line shows the closing prices of {series.interval} candles; shorter gaps appear "
            "only in the statistics."
        )
    return " ".join([*sentences, _band(band, currency)])


def _candles(coin: Coin, series: Series, span: str, currency: str) -> str:
    lowest = min(one.low for one in series.candles)
    highest = max(one.high for one in series.candles)
    repaired = sum(one.repaired > 0 for one in series.candles)
    return (
        f"{coin.name}, {SPANS[span]}, {fmt.counted(len(series.candles), 'candle')} of "
        f"{series.interval}: lowest {fmt.price(lowest, currency)}, highest "
        f"{fmt.price(highest, currency)}. {repaired} of them contain repaired prices (faint). "
        "Rising candles are hollow, falling ones filled; an interval without prices has no candle."
    )


def _band(band: Statistics, currency: str) -> str:
    mean, deviation = band.measures["mean"], band.measures["deviation"]
    if mean is None or deviation is None:
        return ""
    return (
        f"The band shows the mean, {fmt.price(mean, currency)}, plus and minus one deviation, "
        f"{fmt.price(deviation, currency)}, of {fmt.counted(band.count, 'price')}."
    )
