"""Twenty-five days of two coins' quotes, uneven and with gaps, and what is asked of them."""

import random
from datetime import UTC, datetime, timedelta

from pymongo.database import Database

from market.model.candle import DAY, INTERVALS, QUARTER
from market.rollups.candle_pages import CandlePages, Page
from market.storage.database import LATEST, QUOTES, REPAIRED, Document

START = datetime(2026, 9, 1, 7, 3, tzinfo=UTC)
DAYS = 25
END = START + DAYS * DAY
COINS = ("bitcoin", "bitcoin-cash")
LONG = [INTERVALS[name] for name in ("1h", "4h", "1d")]


def document(coin: str, at: datetime, price: float, **fields: object) -> Document:
    """A quote as it is stored."""
    return {
        "_id": {"coin": coin, "at": at},
        "price": price,
        "market_cap": price * 3,
        "change_24h": None,
        "volume_24h": price * 10,
        "source": "simulator",
        "recorded_at": at + timedelta(seconds=5),
        **fields,
    }


def known_until(database: Database[Document], **newest: datetime) -> None:
    """Has the latest quotes say how far each coin's go, as storing them does."""
    coins = [{"coin": coin, "at": at} for coin, at in newest.items()]
    database[LATEST].replace_one({"_id": LATEST}, {"version": 1, "coins": coins}, upsert=True)


def fill(database: Database[Document]) -> None:
    """Recorded quotes, and repaired ones in their gaps; some of those have a recorded twin."""
    dice = random.Random(4)
    for coin in COINS:
        quotes, repaired = [], []
        for number in range(DAYS * 96):
            at = START + number * QUARTER + timedelta(milliseconds=dice.randrange(600_000))
            missing = 500 <= number < 900 or dice.random() < 0.3
            volume = None if dice.random() < 0.1 else dice.uniform(0, 1e11)
            source = dice.choice(["simulator", "simulator", "simulator-2"])
            kept = document(coin, at, dice.uniform(0, 1e5), volume_24h=volume, source=source)
            if not missing:
                quotes.append(kept)
            if (missing and not 600 <= number < 800) or dice.random() < 0.01:
                late = {"price": dice.uniform(0, 2e5), "resolution": 300, "source": "history"}
                repaired.append(kept | late | {"recorded_at": END})
        database[QUOTES].insert_many(quotes)
        database[REPAIRED].insert_many(repaired)
    known_until(database, **dict.fromkeys(COINS, END))


def asked(database: Database[Document]) -> list[Page]:
    """Every candle of an hour and more, in pages, and of some stretches."""
    candles = CandlePages(database)
    found = []
    for interval in LONG:
        for repaired in (False, True):
            end: datetime | None = None
            while True:
                page = candles.page("bitcoin", interval, end=end, limit=170, repaired=repaired)
                found.append(page)
                if page.before is None:
                    break
                end = page.before
            for number in range(0, DAYS * 24, 201):
                moment = START + timedelta(hours=number)
                stretch = {"start": moment, "end": moment + timedelta(hours=number % 61)}
                found.append(
                    candles.page("bitcoin", interval, **stretch, limit=20, repaired=repaired)
                )
    return found
