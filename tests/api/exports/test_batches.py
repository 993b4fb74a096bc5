"""Records in batches of columns."""

import pytest

from api.exports.batches import BATCH, batches
from api.exports.columns import names
from tests.harness.export_data import records


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
