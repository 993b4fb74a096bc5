"""Fenced collections: whatever is called on them, the lease is asked first."""

from collections.abc import Callable

import pytest
from pymongo import InsertOne
from pymongo.collection import Collection
from pymongo.database import Database

from market.ingest.outlier_filter import OutlierFilter
from market.ledger import fencing
from market.ledger.claims import LeaseLost
from market.ledger.fencing import fenced
from market.storage.database import Document
from market.storage.quote_store import QuoteStore

WRITES: dict[str, Callable[[Collection[Document]], object]] = {
    "insert_one": lambda c: c.insert_one({"_id": 2}),
    "insert_many": lambda c: c.insert_many([{"_id": 2}]),
    "bulk_write": lambda c: c.bulk_write([InsertOne({"_id": 2})]),
    "update_one": lambda c: c.update_one({"_id": 1}, {"$set": {"a": 2}}),
    "update_many": lambda c: c.update_many({}, {"$set": {"a": 2}}),
    "replace_one": lambda c: c.replace_one({"_id": 1}, {"a": 2}),
    "find_one_and_update": lambda c: c.find_one_and_update({}, {"$set": {"a": 2}}),
    "delete_many": lambda c: c.delete_many({}),
    "with_options": lambda c: c.with_options().delete_many({}),
}


class Held:
    """A lease that is held for so many more questions."""

    def __init__(self) -> None:
        self.left = 0

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise LeaseLost("it ran out")


@pytest.fixture
def lease() -> Held:
    return Held()


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.row("worker-killed")
def test_nothing_is_written_without_the_lease(
    database: Database[Document], lease: Held, write: str
) -> None:
    plain = database["coins"]
    plain.insert_one({"_id": 1, "a": 1})
    through = fenced(database, lease.check)["coins"]
    lease.left = write == "with_options"  # its result asks again
    with pytest.raises(LeaseLost):
        WRITES[write](through)
    assert list(plain.find()) == [{"_id": 1, "a": 1}]
    lease.left = 2
    WRITES[write](through)
    assert list(plain.find()) != [{"_id": 1, "a": 1}]


def test_all_that_an_update_writes_to_goes_through_the_fence(
    database: Database[Document], lease: Held
) -> None:
    # Whoever gives them a collection that is not fenced gives a thawed worker a way around it.
    for made in (
        QuoteStore(database).under(lease.check),
        OutlierFilter(database).under(lease.check),
    ):
        owned = [one for one in vars(made).values() if type(one).__module__ != fencing.__name__]
        for owner in (made, *owned):
            for name, value in getattr(owner, "__dict__", {}).items():
                assert not isinstance(value, Collection), f"{type(owner).__name__}.{name}"
