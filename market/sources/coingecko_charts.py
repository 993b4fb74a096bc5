"""CoinGecko's charts as points in time, whatever they hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from market.model.quotes import CLOCK_SKEW, GENESIS, finite

MINUTES, HOUR, DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)
STEPS = (MINUTES, HOUR, DAY)
REACH_DAYS = 365


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a coin's history, in the chart's currency."""

    at: datetime
    price: float
    market_cap: float | None
    volume_24h: float | None


def days_back(oldest: datetime, now: datetime) -> int:
    """The `days` of the finest chart that reaches back to a time.

    Up to 1 day has a point every 5 minutes, up to 90 days hourly, beyond daily; without a paid
    plan nothing is older than 365 days.
    """
    return min(REACH_DAYS, max(1, -((oldest - now) // DAY)))


def parse_chart(reply: Any, now: datetime) -> list[Point]:
    """The points of a `/coins/{id}/market_chart` reply, oldest first, each time once.

    A point whose price is null or no finite number is left out. Times are jittered and the last
    point, the price of the moment, may lie before its neighbour: so they are put in order, and
    of two points with one time the first stands. Raises ValueError for a reply that is no chart.
    """
    prices = reply.get("prices") if isinstance(reply, Mapping) else None
    if not isinstance(prices, list):
        raise ValueError("the reply has no list of prices")  # noqa: TRY004 - it came from outside
    caps, volumes = (_by_time(reply.get(name)) for name in ("market_caps", "total_volumes"))
    points: dict[datetime, Point] = {}
    for pair in prices:
        time, price = _pair(pair)
        at = _moment(time, now)
        if at is None or price is None or price < 0 or at in points:
            continue
        # Of a coin whose supply it does not know the source says 0.
        market_cap = _positive(caps.get(time)) or None
        points[at] = Point(at, price, market_cap, _positive(volumes.get(time)))
    return [points[at] for at in sorted(points)]


def step_of(points: list[Point]) -> timedelta:
    """The step of a chart's grid: 5 minutes, an hour or a day, by the median distance.

    Of fewer than three points nothing can be said: they count as daily, the coarsest.
    """
    if len(points) < 3:
        return DAY
    middle = median((later.at - one.at).total_seconds() for one, later in pairwise(points))
    return min(STEPS, key=lambda step: abs(step.total_seconds() - middle))


def _by_time(pairs: Any) -> dict[float | None, float | None]:
    return dict(map(_pair, pairs)) if isinstance(pairs, list) else {}


def _pair(pair: Any) -> tuple[float | None, float | None]:
    if not isinstance(pair, list) or len(pair) != 2:
        return None, None
    return finite(pair[0]), finite(pair[1])


def _moment(milliseconds: float | None, now: datetime) -> datetime | None:
    """UTC to the millisecond; None for what cannot be a price's time."""
    if milliseconds is None or not 0 < milliseconds < 1e14:
        return None
    at = datetime.fromtimestamp(milliseconds // 1000, UTC)
    at += timedelta(milliseconds=int(milliseconds % 1000))
    return at if GENESIS <= at <= now + CLOCK_SKEW else None


def _positive(number: float | None) -> float | None:
    return number if number is not None and number >= 0 else None
