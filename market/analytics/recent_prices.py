"""Reads the recent prices of many coins at once, for deviations and sparklines."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database

from market.analytics.statistics import deviation, rounded
from market.model.quotes import DEVIATION_WINDOW
from market.storage.database import QUOTES, Document
from market.storage.quote_history import MILLISECOND, key_range

STEP = timedelta(hours=4)
STEPS = 42  # a week
# A quote can be stored after a newer one: the source's caches are minutes apart, and of two
# updates at once the second may end first.
LATE = timedelta(minutes=15)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Series = tuple["array[int]", "array[float]"]  # times in milliseconds since 1970, with prices


@dataclass(frozen=True, slots=True)
class RecentPrices:
    """One coin's recent prices, from its quotes with at <= `upto`.

    It holds the newest 100 prices, oldest first, with their times; their population deviation (None
    without prices); and the last price of each step of 4 hours, by its start. A step without a
    quote has no price. Times are milliseconds since 1970.
    """

    upto: datetime
    times: "array[int]"
    prices: "array[float]"
    deviation: float | None
    closes: Mapping[int, float]

    def sparkline(self, start: datetime) -> list[float | None]:
        """Returns the closes of a week of steps from `start`; None for a step without a quote."""
        first, step = _milliseconds(start), STEP // MILLISECOND
        return [self.closes.get(first + number * step) for number in range(STEPS)]


NO_QUOTES = RecentPrices(EPOCH, array("q"), array("d"), None, {})


def sparkline_start(now: datetime) -> datetime:
    """Returns the start of the first step of the week that ends with the current step."""
    return now - (now - EPOCH) % STEP - (STEPS - 1) * STEP


class RecentPricesReader:
    """Reads the `quotes` of one database, of up to 250 coins at once.

    Each read is one aggregation with a clustered scan for each coin. For a list of ranges MongoDB 6
    scans the whole collection, and one query for each coin takes 7 times as long. 250 coins are one
    page, far below the limit of 1,000 stages in an aggregation.
    """

    def __init__(self, database: Database[Document]) -> None:
        self._quotes: Collection[Document] = database[QUOTES]

    def read(self, upto: Mapping[str, datetime]) -> dict[str, RecentPrices]:
        """Reads each coin's recent prices up to its time."""
        newest = self._each(upto, lambda coin: newest_prices(coin, upto[coin]))
        closes = self._each(upto, lambda coin: closes_of_steps(coin, upto[coin]))
        return {
            coin: _recent(at, newest[coin], dict(zip(*closes[coin], strict=True)))
            for coin, at in upto.items()
        }

    def catch_up(
        self, known: Mapping[str, RecentPrices], upto: Mapping[str, datetime]
    ) -> dict[str, RecentPrices]:
        """Adds the quotes since then to known prices, including those up to 15 min late."""
        later = self._each(known, lambda coin: prices_since(coin, known[coin].upto, upto[coin]))
        return {coin: _extended(one, later[coin], upto[coin]) for coin, one in known.items()}

    def _each(
        self, coins: Iterable[str], pipeline: Callable[[str], list[Document]]
    ) -> dict[str, Series]:
        """Returns what each coin's stages find, in order of time; empty without quotes."""
        found = {coin: (array("q"), array("d")) for coin in coins}
        for one in self._quotes.aggregate(union([pipeline(coin) for coin in found])):
            ordered = sorted(zip(one["times"], one["prices"], strict=True))
            times, prices = zip(*ordered, strict=True)
            found[one["_id"]] = (array("q", times), array("d", prices))
        return found


def union(pipelines: Sequence[list[Document]]) -> list[Document]:
    """Combines pipelines into one that returns one document for each coin."""
    unions = [{"$unionWith": {"coll": QUOTES, "pipeline": stages}} for stages in pipelines[1:]]
    times, prices = {"$push": {"$toLong": "$_id.at"}}, {"$push": "$price"}
    return [
        *pipelines[0],
        *unions,
        {"$group": {"_id": "$_id.coin", "times": times, "prices": prices}},
    ]


def newest_prices(coin: str, upto: datetime) -> list[Document]:
    """Returns the stages that find a coin's newest 100 prices until `upto`."""
    return [_match(coin, None, upto), {"$sort": {"_id": DESCENDING}}, {"$limit": DEVIATION_WINDOW}]


def prices_since(coin: str, known: datetime, upto: datetime) -> list[Document]:
    """Returns the stages that find a coin's prices until `upto` that may not be known yet."""
    return [_match(coin, known - LATE, upto)]


def closes_of_steps(coin: str, upto: datetime) -> list[Document]:
    """Returns the stages that find a coin's last price in each step of the week until `upto`."""
    hours = STEP // timedelta(hours=1)
    step = {"$dateTrunc": {"date": "$_id.at", "unit": "hour", "binSize": hours}}
    return [
        _match(coin, sparkline_start(upto), upto),
        {"$sort": {"_id": ASCENDING}},
        {"$group": {"_id": {"coin": "$_id.coin", "at": step}, "price": {"$last": "$price"}}},
    ]


def _match(coin: str, start: datetime | None, upto: datetime) -> Document:
    return {"$match": {"_id": key_range(coin, start, upto + MILLISECOND)}}


def _recent(upto: datetime, series: Series, closes: Mapping[int, float]) -> RecentPrices:
    times, prices = series
    spread = rounded(deviation(prices)) if prices else None
    return RecentPrices(upto, times, prices, spread, closes)


def _extended(known: RecentPrices, later: Series, upto: datetime) -> RecentPrices:
    """Adds `later`, which begins LATE before the known prices end."""
    kept = bisect_left(known.times, _milliseconds(known.upto - LATE))
    times = (known.times[:kept] + later[0])[-DEVIATION_WINDOW:]
    prices = (known.prices[:kept] + later[1])[-DEVIATION_WINDOW:]
    step, oldest = STEP // MILLISECOND, _milliseconds(sparkline_start(upto))
    closes = {start: close for start, close in known.closes.items() if start >= oldest}
    # In order of time, so that the last price of each step stays.
    closes |= {at - at % step: price for at, price in zip(*later, strict=True)}
    return _recent(upto, (times, prices), closes)


def _milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // MILLISECOND
