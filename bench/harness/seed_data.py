"""Fills a database with made-up quotes and updates, as the system would have stored them."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from pymongo.database import Database

from market.ledger.ledger import Ledger
from market.model.quotes import Quote
from market.storage.database import QUOTES, Document
from market.storage.quote_store import QuoteStore

SLOT = timedelta(minutes=15)
SOURCE = "simulator"
BATCH = 5000
STEP = 0.003  # the deviation of a log return in 15 minutes


def ids(name: str, count: int) -> list[str]:
    """So many coins' ids; the first is bitcoin."""
    return ["bitcoin", *(f"{name}-{number:04}" for number in range(1, count))][:count]


def fill(
    database: Database[Document],
    coins: Sequence[str],
    each: int,
    end: datetime,
    dice: random.Random,
) -> None:
    """Stores `each` quotes of 15 minutes for each coin, the newest of them up to 4 minutes before
    `end`: a walk with a price of its own."""
    for coin in coins:
        offset = timedelta(milliseconds=dice.randrange(240_000))
        price = 10 ** dice.uniform(-6, 5)
        documents: list[Document] = []
        for number in range(each - 1, -1, -1):
            price *= 1 + dice.gauss(0, STEP)
            documents.append(_document(coin, end - offset - number * SLOT, price))
        for first in range(0, each, BATCH):
            database[QUOTES].insert_many(documents[first : first + BATCH], ordered=False)


def _document(coin: str, at: datetime, price: float) -> Document:
    return {
        "_id": {"coin": coin, "at": at},
        "price": price,
        "market_cap": price * 1e7,
        "change_24h": -1.25,
        "volume_24h": price * 1e5,
        "source": SOURCE,
        "recorded_at": at + timedelta(minutes=5),
    }


def update(
    database: Database[Document], coins: Sequence[str], at: datetime, dice: random.Random
) -> None:
    """One quote of every coin at `at`, stored and entered in the ledger as an update does it."""
    store, ledger = QuoteStore(database), Ledger(database)
    now = datetime.now(UTC)
    name = f"bench-{at.timestamp()}"
    ledger.receive(name, trigger="request", slot=None, hops={})
    claim = ledger.claim(name, "bench", now)
    assert claim is not None, f"{name} is claimed by another"
    quotes = list(quotes_of(coins, at, dice))
    latest = store.latest()
    store.record(quotes, source=SOURCE, recorded_at=now)
    store.describe(quotes, latest, store.away())
    store.merge_latest(latest, quotes, source=SOURCE, recorded_at=now)
    counts = {"asked": len(coins), "answered": len(coins), "stored": len(coins)}
    ledger.close(claim, state="done", hops={}, counts=counts, skipped=[], error=None)


def quotes_of(coins: Sequence[str], at: datetime, dice: random.Random) -> Iterator[Quote]:
    """One quote of every coin at `at`, ranked in their order."""
    for rank, coin in enumerate(coins, 1):
        price = 10 ** dice.uniform(-6, 5)
        yield Quote(
            coin=coin,
            at=at,
            price=price,
            market_cap=price * 1e7,
            change_24h=dice.gauss(0, 3),
            volume_24h=price * 1e5,
            name=coin.replace("-", " ").title(),
            symbol=coin[:3],
            rank=rank,
            image=f"https://example.org/coins/{coin}.png",
        )
