"""A coin's history from the API: its quotes, candles and statistics."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import AwareDatetime, TypeAdapter

from api_client.client import Client, Number

# The API's limits: quotes on a page, records in a statistic, candles on a page.
PAGE_SIZE, MAX_RECORDS, MAX_CANDLES = 1000, 10_000, 500
# A chart reads at most this many pages of quotes; longer ranges are drawn from candles.
MAX_PAGES = 3

WINDOWS = {"24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
"""The limited ranges; the range "all" has no limit."""

INTERVALS = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
}
CANDLE_INTERVALS = {"24h": "1h", "7d": "4h", "30d": "4h", "all": "1d"}
LINE_INTERVALS = {"24h": "15m", "7d": "1h", "30d": "4h", "all": "1d"}
MEASURES = (
    *("mean", "median", "min", "max", "deviation", "sample_deviation", "mad"),
    *("coefficient_of_variation", "volatility_period", "volatility_year", "drawdown"),
)


@dataclass(frozen=True, slots=True)
class Request:
    """A GET request to the API."""

    path: str
    query: dict[str, str] = field(default_factory=dict)

    def curl(self, api_url: str) -> str:
        """The request as a curl command."""
        query = f"?{urlencode(self.query)}" if self.query else ""
        return f"curl {shlex.quote(f'{api_url}{self.path}{query}')}"


@dataclass(frozen=True, slots=True)
class Point:
    """A price at one time; `resolution`, in seconds, is set if gap repair supplied it."""

    at: AwareDatetime
    price: Number
    volume_24h: Number | None
    resolution: int | None


@dataclass(frozen=True, slots=True)
class Candle:
    """The prices of the interval from `start`: `count` quotes, `repaired` of them by gap repair."""

    start: AwareDatetime
    open: Number
    high: Number
    low: Number
    close: Number
    volume_24h: Number | None
    count: int
    repaired: int
    as_of: AwareDatetime


@dataclass(frozen=True, slots=True)
class Statistics:
    """Measures and their evidence; `notes` explains each measure that is None."""

    coin: str
    source: str | None
    count: int
    repaired: int
    expected: int | None
    gaps: int | None
    oldest: AwareDatetime | None
    newest: AwareDatetime | None
    age_seconds: Number | None
    measures: dict[str, Number | None]
    interval: dict[str, Any] | None
    notes: dict[str, str]


POINTS, CANDLES = TypeAdapter(list[Point]), TypeAdapter(list[Candle])
STATISTICS = TypeAdapter(Statistics)


@dataclass(frozen=True, slots=True)
class Series:
    """The data of a chart, oldest first: single quotes, or candles of length `interval`.

    `spacing` is the time between two expected points; None if it is unknown.
    """

    points: list[Point]
    candles: list[Candle]
    interval: str | None
    spacing: timedelta | None
    request: Request


def coin_path(coin: str) -> str:
    """The API's path of a coin; the id may contain any characters."""
    return f"/v1/coins/{quote(coin, safe='')}"


def statistics_request(coin: str, include: str, span: str | None = None) -> Request:
    """Requests statistics of the newest 100 records, or of all records in a chart's range."""
    query = {"include": include}
    if span is not None:
        query |= {"records": str(MAX_RECORDS)}
    if span in WINDOWS:
        query |= {"window": span}
    return Request(f"{coin_path(coin)}/statistics", query)


def statistics(client: Client, request: Request) -> Statistics:
    """The answer to a `statistics_request`."""

    def parse(row: dict[str, Any]) -> Statistics:
        measures = {name: row[name] for name in MEASURES}
        renamed = {"measures": measures, "interval": row["deviation_interval"]}
        return STATISTICS.validate_python(row | renamed)

    return client.read(request.path, parse, request.query)


def spacing(span: str, of: Statistics) -> timedelta | None:
    """The mean time between two expected records; None if too few are expected."""
    expected = of.expected or 0
    if span in WINDOWS and of.count < MAX_RECORDS:
        return WINDOWS[span] / expected if expected else None
    if of.oldest is None or of.newest is None or expected < 2:
        return None
    return (of.newest - of.oldest) / (expected - 1)


def line(client: Client, coin: str, span: str, include: str, step: timedelta | None) -> Series:
    """The quotes of a range; the closes of its candles if there are too many quotes."""
    query = {"limit": str(PAGE_SIZE), "include": include} | _start(span)
    request = Request(f"{coin_path(coin)}/quotes", query)
    points: list[Point] = []
    end: dict[str, str] = {}
    for _ in range(MAX_PAGES):
        page = client.read(request.path, POINTS.validate_python, request.query | end)
        points += page
        if len(page) < PAGE_SIZE:
            return Series(points[::-1], [], None, step, request)
        end = {"to": page[-1].at.isoformat()}
    series = candles(client, coin, span, include, step, intervals=LINE_INTERVALS)
    length = int(INTERVALS[series.interval or "1d"].total_seconds())
    closes = [
        Point(one.as_of, one.close, one.volume_24h, length if one.repaired else None)
        for one in series.candles
    ]
    return replace(series, points=closes, candles=[])


def candles(
    client: Client,
    coin: str,
    span: str,
    include: str,
    step: timedelta | None,
    *,
    intervals: dict[str, str] = CANDLE_INTERVALS,
) -> Series:
    """The candles of a range, none shorter than the time between two records."""
    shortest = INTERVALS[intervals[span]]
    shortest = max(shortest, step or shortest)
    name = next((name for name, length in INTERVALS.items() if length >= shortest), "1d")
    query = {"interval": name, "limit": str(MAX_CANDLES), "include": include} | _start(span)
    request = Request(f"{coin_path(coin)}/candles", query)
    rows = client.read(request.path, CANDLES.validate_python, request.query)
    return Series([], rows[::-1], name, INTERVALS[name], request)


def gaps(points: Sequence[Point], step: timedelta | None) -> list[tuple[Point, Point]]:
    """The neighbouring points between which at least one expected point is missing.

    Points repaired from a coarser history are expected only as often as that history has points.
    """
    return [(one, other) for one, other in pairwise(points) if is_gap(one, other, step)]


def is_gap(one: Point, other: Point, step: timedelta | None) -> bool:
    """Whether an expected point is missing between two neighbours."""
    if step is None:
        return False
    coarsest = timedelta(seconds=max(one.resolution or 0, other.resolution or 0))
    return other.at - one.at > 1.5 * max(step, coarsest)


def _start(span: str) -> dict[str, str]:
    if span not in WINDOWS:
        return {}
    start = datetime.now(UTC) - WINDOWS[span]
    return {"from": f"{start:%Y-%m-%dT%H:%M:%SZ}"}
