"""How many bytes a quote takes on the disk: `python -m bench.perf.storage`.

Starts a mongod of its own. First the quotes of many updates, stored update by update, in several
designs of their collection. Then a year of every coin, rolled up and deleted but for 30 days. The
quotes are those of the recorded pages, walked on. Exits with 1 if a figure is over its target.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pymongo.database import Database
from pymongo.errors import PyMongoError

from bench.harness.recorded_quotes import SLOT, Recorded
from bench.harness.services import RECORDED, server
from market.model.candle import DAY
from market.model.quotes import Quote
from market.rollups.candle_pages import CandlePages
from market.rollups.job import RollupJob
from market.storage.compaction import compact
from market.storage.database import (
    LATEST,
    MARKS,
    QUOTES,
    REPAIRED,
    ROLLUPS,
    connect,
    disconnect,
    prepare,
)
from market.storage.quote_store import QuoteStore

Document = dict[str, Any]
PER_QUOTE, PER_ORIGINAL = 65.0, 10.0  # bytes
BATCH = 2000
CHUNK = 1000  # updates that are held at once
SOURCE = "coingecko"


def long(quote: Quote, recorded_at: datetime) -> Document:
    """A quote as it is stored."""
    return {
        "_id": {"coin": quote.coin, "at": quote.at},
        "price": quote.price,
        "market_cap": quote.market_cap,
        "change_24h": quote.change_24h,
        "volume_24h": quote.volume_24h,
        "source": SOURCE,
        "recorded_at": recorded_at,
    }


def short(quote: Quote, recorded_at: datetime) -> Document:
    """The same with names of one letter."""
    document = long(quote, recorded_at)
    key = {"c": quote.coin, "a": quote.at}
    return {"_id": key} | {name[0]: value for name, value in document.items() if name != "_id"}


@dataclass(frozen=True)
class Design:
    """A form of the documents with the blocks that they are in."""

    name: str
    form: Callable[[Quote, datetime], Document]
    blocks: str


DESIGNS = (
    Design("snappy", long, "block_compressor=snappy"),
    Design("zstd", long, "block_compressor=zstd"),
    Design("zstd, 128 kB", long, "block_compressor=zstd,leaf_page_max=128KB"),
    Design("zstd, short names", short, "block_compressor=zstd"),
)


def size(database: Database[Document], name: str) -> tuple[int, int]:
    """The bytes of a collection with its indexes, and those of them that are free."""
    found = database.command("collStats", name, freeStorage=1)
    return int(found["storageSize"]) + int(found["totalIndexSize"]), int(found["freeStorageSize"])


def settled(database: Database[Document]) -> None:
    """All that is stored is in its file afterwards."""
    database.client.admin.command("fsync")


def designs(database: Database[Document], recorded: Recorded, count: int) -> dict[str, float]:
    """Stores the updates in each design; the bytes a quote of `quotes`, by Store."""
    for one in DESIGNS:
        database.create_collection(
            one.name,
            clusteredIndex={"key": {"_id": 1}, "unique": True},
            storageEngine={"wiredTiger": {"configString": one.blocks}},
        )
    store = QuoteStore(database)
    begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - count * SLOT
    spent = dict.fromkeys([one.name for one in DESIGNS], 0.0)
    slots = [begin + number * SLOT for number in range(count)]
    stored = 0
    for first in range(0, count, CHUNK):
        part = slots[first : first + CHUNK]
        columns = [list(recorded.series(coin, part)) for coin in recorded.coins]
        for slot, *quotes in zip(part, *columns, strict=True):
            at = slot + timedelta(seconds=2, milliseconds=stored % 1000)
            stored += store.record(quotes, source=SOURCE, recorded_at=at)
            for one in DESIGNS:
                begun = time.monotonic()
                database[one.name].insert_many([one.form(each, at) for each in quotes])
                spent[one.name] += time.monotonic() - begun
    settled(database)
    print(f"{stored} quotes of {len(recorded.coins)} coins, update by update")
    print(f"{'bytes':>9}{'free':>9}{'compacted':>11}  a quote, with indexes")
    found = {}
    for name in (QUOTES, *spent):
        all_of_it, free = size(database, name)
        database.command("compact", name, force=True)
        settled(database)
        compacted, _ = size(database, name)
        found[name] = all_of_it / stored
        figures = (all_of_it / stored, free / stored, compacted / stored)
        print("{:9.1f}{:9.1f}{:11.1f}".format(*figures), f" {name}", flush=True)
        if name != QUOTES:
            database.drop_collection(name)
    return found


def year(database: Database[Document], recorded: Recorded, days: int) -> float:
    """So many days of every coin, rolled up and deleted but for 30; the bytes an original quote."""
    database.drop_collection(QUOTES)
    prepare(database)
    # What was deleted is kept for 5 minutes in use, so that its space is free only then.
    database.client.admin.command({"setParameter": 1, "minSnapshotHistoryWindowInSeconds": 0})
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    slots = [now - number * SLOT for number in range(days * 96)][::-1]
    count = 0
    for coin in recorded.coins:
        quotes = [long(one, one.at + timedelta(minutes=5)) for one in recorded.series(coin, slots)]
        for first in range(0, len(quotes), BATCH):
            part = quotes[first : first + BATCH]
            count += len(database[QUOTES].insert_many(part, ordered=False).inserted_ids)
    settled(database)
    print(f"{count} quotes, {days} days of {len(recorded.coins)} coins")
    show(database, count, "before")
    database[LATEST].insert_one({"_id": LATEST, "version": 1, "coins": [{"coin": "", "at": now}]})
    daily = timed(database, recorded.coins, days)
    for name, retention in (("rolled up", 0), ("deleted but for 30 days", 30)):
        begun = time.monotonic()
        steps = sum(1 for _ in RollupJob(database).steps(now, rollup_after=7, retention=retention))
        spent = time.monotonic() - begun
        settled(database)
        show(database, count, f"{name}, {steps} steps in {spent:.0f} s")
    begun = time.monotonic()
    given = compact(database)
    settled(database)
    spent = time.monotonic() - begun
    found = show(database, count, f"{given / 1e6:.0f} MB given back in {spent:.1f} s")
    after = timed(database, recorded.coins, days)
    print(
        f"a year of daily candles: median {daily:.0f} ms from quotes, {after:.0f} ms from rollups"
    )
    return found / count


def timed(database: Database[Document], coins: Sequence[str], days: int) -> float:
    """The median milliseconds of all daily candles of a coin."""
    candles, found = CandlePages(database), []
    for coin in coins[:15]:
        begun = time.perf_counter()
        try:
            assert len(candles.page(coin, DAY, limit=500).candles) >= days
        except PyMongoError:  # a page has 2 s
            found.append(float("inf"))
        else:
            found.append((time.perf_counter() - begun) * 1e3)
    return sorted(found)[len(found) // 2]


def show(database: Database[Document], count: int, when: str) -> int:
    """Prints the bytes of all collections of quotes; all together."""
    sizes = {name: size(database, name) for name in (QUOTES, REPAIRED, *ROLLUPS, MARKS)}
    together = sum(one for one, _ in sizes.values())
    free = sum(one for _, one in sizes.values())
    parts = ", ".join(f"{name} {one / 1e6:.1f}" for name, (one, _) in sizes.items())
    print(f"{together / count:9.2f}{free / count:9.2f}  {when} (MB: {parts})", flush=True)
    return together


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints, and exits with 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=5000, help="in each design; 0 for none")
    parser.add_argument("--days", type=int, default=365, help="of the year; 0 for none")
    parser.add_argument("--coins", type=int, help="so many of the pages' coins; else all")
    parser.add_argument("--pages", type=Path, default=RECORDED, help="a folder of recorded pages")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    recorded = Recorded(options.pages, random.Random(options.seed), options.coins)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as home, server("mongodb", Path(home)) as (uri, _):
        database = connect(uri, "koinx_bench_usd")
        prepare(database)
        found = {}
        if options.updates:
            found["a quote"] = designs(database, recorded, options.updates)[QUOTES], PER_QUOTE
        if options.days:
            found["an original quote"] = year(database, recorded, options.days), PER_ORIGINAL
        disconnect()
    over = {name: both for name, both in found.items() if both[0] > both[1]}
    for name, (bytes_, target) in over.items():
        print(f"OVER {name}: {bytes_:.1f} bytes, allowed are {target:.0f}")
    sys.exit(bool(over))


if __name__ == "__main__":
    main()
