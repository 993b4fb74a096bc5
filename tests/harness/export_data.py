"""Quotes to export, and programs that read the files as analysts do."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
from pymongo.database import Database
from pymongo.write_concern import WriteConcern

from market.storage.database import QUOTES, Document
from market.storage.quote_history import Record

START = datetime(2026, 11, 20, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
TIMES = ("at", "recorded_at")
# Numbers that are easily lost: the greatest and the least that is normal, many digits, none at all.
HARD = (
    0.1 + 0.2,
    1.7976931348623157e308,
    -1e-07,
    None,
    2.2250738585072014e-308,
    1e16,
    2 / 3,
    45000.0,
    -0.0,
    1e22,
)
AT_ONCE = 10_000  # within the 3 s that an operation may take
NUMBERS = ("market_cap", "change_24h", "volume_24h")


def records(coin: str, count: int) -> Iterator[Record]:
    """So many of a coin, newest first; of every third the time has no part of a second."""
    for number in reversed(range(count)):
        at = START + number * QUARTER + timedelta(milliseconds=number % 3 * 118)
        hard = [HARD[(number + shift) % len(HARD)] for shift in range(len(NUMBERS))]
        yield Record(
            coin=coin,
            at=at,
            price=100.0 + number / 7,
            market_cap=hard[0],
            change_24h=hard[1],
            volume_24h=hard[2],
            source="simulator",
            recorded_at=at + timedelta(seconds=61),
            resolution=None,
        )


def repaired(record: Record, **changed: Any) -> Record:
    """A record as it is in history, in points 300 s apart."""
    return record._replace(resolution=300, **changed)


def row(record: Record, names: Sequence[str]) -> tuple[Any, ...]:
    """A record's values by columns."""
    return tuple(getattr(record, name) for name in names)


def insert(database: Database[Document], found: Iterable[Record], into: str = QUOTES) -> None:
    """Stores records as they are, fast: nobody waits for the disk."""
    collection = database.get_collection(into, write_concern=WriteConcern(w=1, j=False))
    left = map(_document, found)
    while documents := list(islice(left, AT_ONCE)):
        collection.insert_many(documents, ordered=False)


def _document(record: Record) -> Document:
    names = ("price", *NUMBERS, "source", "recorded_at")
    found: Document = {"_id": {"coin": record.coin, "at": record.at}}
    found |= {name: getattr(record, name) for name in names}
    return found | ({} if record.resolution is None else {"resolution": record.resolution})


def by_pandas(file: Path) -> list[tuple[Any, ...]]:
    """The rows of a file, times as datetimes, what is missing as None."""
    if file.suffix == ".csv":
        frame = pd.read_csv(file, parse_dates=list(TIMES))
    elif file.suffix == ".ndjson":
        frame = pd.read_json(file, lines=True, dtype=False, precise_float=True)
        frame = frame.assign(**{name: pd.to_datetime(frame[name]) for name in TIMES})
    else:
        frame = pd.read_parquet(file)
    assert [str(frame[name].dtype)[-5:] for name in TIMES] == [" UTC]", " UTC]"]
    plain = frame.astype(object).where(frame.notna(), None)
    return [tuple(map(_plain, found)) for found in plain.itertuples(index=False)]


def by_polars(file: Path) -> list[tuple[Any, ...]]:
    """The same."""
    if file.suffix == ".csv":
        return pl.read_csv(file, try_parse_dates=True).rows()
    if file.suffix == ".ndjson":
        read = pl.read_ndjson(file)
        return read.with_columns(pl.col(*TIMES).str.to_datetime(time_zone="UTC")).rows()
    return pl.read_parquet(file).rows()


def by_duckdb(file: Path) -> list[tuple[Any, ...]]:
    """The same. A time that was not read as one is refused by `epoch_us`."""
    read = {".csv": "read_csv", ".ndjson": "read_json", ".parquet": "read_parquet"}[file.suffix]
    times = ", ".join(f'epoch_us("{name}") as "{name}"' for name in TIMES)
    with duckdb.connect() as connection:
        done = connection.execute(f"select * replace ({times}) from {read}('{file}')")
        names = [column[0] for column in done.description or ()]
        found = done.fetchall()
    return [
        tuple(
            START + timedelta(microseconds=value - START.timestamp() * 10**6)
            if name in TIMES
            else value
            for name, value in zip(names, one, strict=True)
        )
        for one in found
    ]


READERS: tuple[Callable[[Path], list[tuple[Any, ...]]], ...] = (by_pandas, by_polars, by_duckdb)


def _plain(value: Any) -> Any:
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value
