"""A coin's past, as the API tells it: its quotes, candles and statistics."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import quote, urlencode

from api_client.client import Client, finite, zoned

PAGE = 1000
MOST_PAGES = 3
MOST_RECORDS = 10_000
MOST_CANDLES = 500
"""The most quotes on a page, records of a statistic and candles on a page, by the API."""

WINDOWS = {"24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
"""The ranges with an end; "all" has none."""

INTERVALS = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
}
CANDLES = {"24h": "1h", "7d": "4h", "30d": "4h", "all": "1d"}
FINE = {"24h": "15m", "7d": "1h", "30d": "4h", "all": "1d"}
MEASURES = (
    "mean",
    "median",
    "min",
    "max",
    "deviation",
    "sample_deviation",
    "mad",
    "coefficient_of_variation",
    "volatility_period",
    "volatility_year",
    "drawdown",
)


@dataclass(frozen=True, slots=True)
class Request:
    """A reading of the API."""

    path: str
    query: dict[str, str] = field(default_factory=dict)

    def curl(self, api_url: str) -> str:
        """The same for a shell."""
        query = f"?{urlencode(self.query)}" if self.query else ""
        return f"curl {shlex.quote(f'{api_url}{self.path}{query}')}"


@dataclass(frozen=True, slots=True)
class Point:
    """A price of one time; `resolution` in seconds if it was repaired from history, else None."""

    at: datetime
    price: float
    volume: float | None
    resolution: int | None


@dataclass(frozen=True, slots=True)
class Candle:
    """The prices from `start` on; `repaired` of its `count` quotes were repaired from history."""

    start: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    count: int
    repaired: int
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Statistics:
    """Measures and what they rest on; `notes` says of a measure that is None why."""

    coin: str
    source: str | None
    count: int
    repaired: int
    expected: int | None
    gaps: int | None
    oldest: datetime | None
    newest: datetime | None
    age_seconds: float | None
    measures: dict[str, float | None]
    interval: dict[str, Any] | None
    notes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Series:
    """What a chart shows, oldest first: single quotes, or `interval`'s candles.

    `spacing` is the time from one expected point to the next; None where it is not known.
    """

    points: list[Point]
    candles: list[Candle]
    interval: str | None
    spacing: timedelta | None
    request: Request


def coin_path(coin: str) -> str:
    """The API's address of a coin, whatever is in its id."""
    return f"/v1/coins/{quote(coin, safe='')}"


def statistics_request(coin: str, include: str, span: str | None = None) -> Request:
    """Over the newest 100 records, or over those of a chart's range."""
    query = {"include": include}
    if span is not None:
        query |= {"records": str(MOST_RECORDS)}
    if span in WINDOWS:
        query |= {"window": span}
    return Request(f"{coin_path(coin)}/statistics", query)


def statistics(client: Client, request: Request) -> Statistics:
    """The answer to a `statistics_request`."""
    return client.read(request.path, _statistics, request.query)


def spacing(span: str, of: Statistics) -> timedelta | None:
    """The mean time from one expected record to the next; None where too few are expected."""
    expected = of.expected or 0
    if span in WINDOWS and of.count < MOST_RECORDS:
        return WINDOWS[span] / expected if expected else None
    if of.oldest is None or of.newest is None or expected < 2:
        return None
    return (of.newest - of.oldest) / (expected - 1)


def line(client: Client, coin: str, span: str, include: str, step: timedelta | None) -> Series:
    """The quotes of a range, or its candles' closes if they are more than a chart needs."""
    request = Request(
        f"{coin_path(coin)}/quotes", {"limit": str(PAGE), "include": include} | _start(span)
    )
    found: list[Point] = []
    end: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        page = client.read(request.path, _listed(_point), request.query | end)
        found += page
        if len(page) < PAGE:
            return Series(found[::-1], [], None, step, request)
        end = {"to": page[-1].at.isoformat()}
    series = candles(client, coin, span, include, step, lengths=FINE)
    length = INTERVALS[series.interval or "1d"]
    closes = [
        Point(
            one.as_of, one.close, one.volume, int(length.total_seconds()) if one.repaired else None
        )
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
    lengths: dict[str, str] = CANDLES,
) -> Series:
    """The candles of a range, none shorter than the time between two records."""
    wanted = INTERVALS[lengths[span]]
    fitting = [name for name, long in INTERVALS.items() if long >= max(wanted, step or wanted)]
    name = fitting[0] if fitting else "1d"
    request = Request(
        f"{coin_path(coin)}/candles",
        {"interval": name, "limit": str(MOST_CANDLES), "include": include} | _start(span),
    )
    found = client.read(request.path, _listed(_candle), request.query)
    return Series([], found[::-1], name, INTERVALS[name], request)


def gaps(points: Sequence[Point], step: timedelta | None) -> list[tuple[Point, Point]]:
    """The neighbours between which at least one expected point is missing.

    Points that were repaired from a coarser history are expected only as often as its points.
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


def _listed(parse: Callable[[dict[str, Any]], Any]) -> Callable[[Any], list[Any]]:
    def rows(body: Any) -> list[Any]:
        if not isinstance(body, list):
            raise TypeError("a list was expected")
        return [parse(row) for row in body]

    return rows


def _point(row: dict[str, Any]) -> Point:
    return Point(
        at=_moment(row, "at"),
        price=_known(row, "price"),
        volume=finite(row, "volume_24h"),
        resolution=row["resolution"],
    )


def _candle(row: dict[str, Any]) -> Candle:
    return Candle(
        start=_moment(row, "start"),
        open=_known(row, "open"),
        high=_known(row, "high"),
        low=_known(row, "low"),
        close=_known(row, "close"),
        volume=finite(row, "volume_24h"),
        count=int(row["count"]),
        repaired=int(row["repaired"]),
        as_of=_moment(row, "as_of"),
    )


def _statistics(row: dict[str, Any]) -> Statistics:
    return Statistics(
        coin=row["coin"],
        source=row["source"],
        count=int(row["count"]),
        repaired=int(row["repaired"]),
        expected=row["expected"],
        gaps=row["gaps"],
        oldest=zoned(row, "oldest"),
        newest=zoned(row, "newest"),
        age_seconds=finite(row, "age_seconds"),
        measures={name: finite(row, name) for name in MEASURES},
        interval=row["deviation_interval"],
        notes=row["notes"],
    )


def _known(row: dict[str, Any], key: str) -> float:
    value = finite(row, key)
    if value is None:
        raise ValueError(f"{key} is missing")
    return value


def _moment(row: dict[str, Any], key: str) -> datetime:
    at = zoned(row, key)
    if at is None:
        raise ValueError(f"{key} is missing")
    return at
