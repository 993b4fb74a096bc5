"""Candles made in MongoDB from a coin's stored quotes."""

from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING
from pymongo.client_session import ClientSession
from pymongo.database import Database

from market.model.candle import Candle, merge_by_start
from market.storage.database import QUOTES, REPAIRED, Document
from market.storage.quote_history import key_range

BATCH = 1000  # candles; MongoDB's own first batch has 101, and each more is a round trip


def aggregate_candles(
    database: Database[Document],
    coin: str,
    interval: timedelta,
    start: datetime,
    end: datetime,
    *,
    repaired: bool,
    session: ClientSession | None = None,
) -> list[Candle]:
    """The candles of a coin's quotes with start <= at < end, oldest first.

    No stage sorts: recorded and repaired quotes, each in their collection's order, are made into
    candles of their own, and those into one where an interval has both.
    """
    among: list[Document] = [
        {"$match": {"_id": key_range(coin, start, end)}},
        {"$sort": {"_id": ASCENDING}},
    ]
    stages = {QUOTES: [*among, _grouped(interval, repaired=False)]}
    if repaired:
        stages[REPAIRED] = [*among, *_WITHOUT_A_RECORDED, _grouped(interval, repaired=True)]
    return merge_by_start(
        _candle(coin, one)
        for name, pipeline in stages.items()
        for one in database[name].aggregate(pipeline, session=session, batchSize=BATCH)
    )


def _grouped(interval: timedelta, *, repaired: bool) -> Document:
    """Quotes, oldest first, as candles."""
    minutes = interval // timedelta(minutes=1)
    return {
        "$group": {
            "_id": {"$dateTrunc": {"date": "$_id.at", "unit": "minute", "binSize": minutes}},
            "first": {"$first": "$_id.at"},
            "open": {"$first": "$price"},
            "high": {"$max": "$price"},
            "low": {"$min": "$price"},
            **{name: {"$last": f"${field}"} for name, field in _AT_THE_CLOSE.items()},
            "count": {"$sum": 1},
            "repaired": {"$sum": int(repaired)},
        }
    }


_AT_THE_CLOSE = {
    "close": "price",
    "volume_24h": "volume_24h",
    "market_cap": "market_cap",
    "source": "source",
    "as_of": "_id.at",
}
# Where a recorded quote has the same key, it stands.
_WITHOUT_A_RECORDED: list[Document] = [
    {"$lookup": {"from": QUOTES, "localField": "_id", "foreignField": "_id", "as": "recorded"}},
    {"$match": {"recorded": []}},
]


def _candle(coin: str, found: dict[str, Any]) -> Candle:
    return Candle(coin=coin, start=found.pop("_id"), **found)
