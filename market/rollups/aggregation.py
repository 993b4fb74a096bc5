"""Aggregates a coin's stored quotes into candles, in MongoDB."""

from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING
from pymongo.client_session import ClientSession
from pymongo.database import Database

from market.model.candle import Candle, merge_by_start
from market.storage.database import QUOTES, REPAIRED, Document
from market.storage.quote_history import key_range

BATCH_SIZE = 1000  # candles; MongoDB's first batch has 101, and each further one is a round trip


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
    """Returns the candles of a coin's quotes with start <= at < end, oldest first.

    No stage sorts. Recorded and repaired quotes are aggregated separately, each in the order of
    their collection, and merged where an interval has both.
    """
    matching: list[Document] = [
        {"$match": {"_id": key_range(coin, start, end)}},
        {"$sort": {"_id": ASCENDING}},
    ]
    stages = {QUOTES: [*matching, _group_stage(interval, repaired=False)]}
    if repaired:
        stages[REPAIRED] = [*matching, *_NOT_RECORDED, _group_stage(interval, repaired=True)]
    return merge_by_start(
        _candle(coin, one)
        for name, pipeline in stages.items()
        for one in database[name].aggregate(pipeline, session=session, batchSize=BATCH_SIZE)
    )


def _group_stage(interval: timedelta, *, repaired: bool) -> Document:
    """Returns the stage that groups quotes, oldest first, into candles."""
    minutes = interval // timedelta(minutes=1)
    return {
        "$group": {
            "_id": {"$dateTrunc": {"date": "$_id.at", "unit": "minute", "binSize": minutes}},
            "first": {"$first": "$_id.at"},
            "open": {"$first": "$price"},
            "high": {"$max": "$price"},
            "low": {"$min": "$price"},
            **{name: {"$last": f"${field}"} for name, field in _AT_CLOSE.items()},
            "count": {"$sum": 1},
            "repaired": {"$sum": int(repaired)},
        }
    }


_AT_CLOSE = {
    "close": "price",
    "volume_24h": "volume_24h",
    "market_cap": "market_cap",
    "source": "source",
    "as_of": "_id.at",
}
# A recorded quote with the same key takes precedence.
_NOT_RECORDED: list[Document] = [
    {"$lookup": {"from": QUOTES, "localField": "_id", "foreignField": "_id", "as": "recorded"}},
    {"$match": {"recorded": []}},
]


def _candle(coin: str, found: dict[str, Any]) -> Candle:
    return Candle(coin=coin, start=found.pop("_id"), **found)
