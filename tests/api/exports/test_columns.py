"""The columns of a file, which others rely on."""

from datetime import UTC, datetime

import pytest

from api.exports.columns import BATCH, batches, iso_texts, names
from tests.harness.export_data import records

COLUMNS = ("coin", "at", "price", "market_cap", "change_24h", "volume_24h", "source", "recorded_at")


def test_their_order_is_a_promise() -> None:
    assert names(repaired=False) == COLUMNS
    assert names(repaired=True) == (*COLUMNS, "resolution")


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (BATCH, [BATCH]), (BATCH + 1, [BATCH, 1])]
)
def test_each_is_full_but_the_last(count: int, sizes: list[int]) -> None:
    made = list(batches(records("bitcoin", count), names(repaired=False)))
    assert [len(batch["price"]) for batch in made] == sizes


def test_columns_have_the_records_values_in_their_order() -> None:
    found = list(records("bitcoin", 3))
    [batch] = batches(iter(found), ("price", "at"))
    assert batch == {
        "price": tuple(record.price for record in found),
        "at": tuple(record.at for record in found),
    }


def test_no_more_is_read_than_a_batch() -> None:
    left = records("bitcoin", BATCH + 10)
    next(batches(left, ("coin", "at")))
    assert len(list(left)) == 10


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 22, 8, 30, tzinfo=UTC), "2026-11-22T08:30:00.000Z"),
        (datetime(2026, 11, 22, 8, 30, 0, 118_000, UTC), "2026-11-22T08:30:00.118Z"),
        (datetime(2009, 1, 3, 18, 15, 5, 999_000, UTC), "2009-01-03T18:15:05.999Z"),
        (datetime(2026, 2, 28, 23, 59, 59, 1_000, UTC), "2026-02-28T23:59:59.001Z"),
    ],
)
def test_all_have_three_decimals(moment: datetime, text: str) -> None:
    assert iso_texts([moment, moment]) == [text, text]
