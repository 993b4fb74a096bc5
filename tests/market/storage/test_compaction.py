"""Disk space given back."""

from collections.abc import Iterator

import pytest
from pymongo.database import Database

from bench.harness.services import wait_until
from market.model.candle import QUARTER
from market.storage import compaction
from market.storage.database import QUOTES, Document
from tests.harness.coin_history_data import START, document

WINDOW = "minSnapshotHistoryWindowInSeconds"


@pytest.fixture
def forgetful(database: Database[Document]) -> Iterator[Database[Document]]:
    """A server that does not keep for 5 minutes what was deleted, as it does in use."""
    admin = database.client.admin
    admin.command({"setParameter": 1, WINDOW: 0})
    yield database
    admin.command({"setParameter": 1, WINDOW: 300})


def test_a_file_that_is_mostly_free_shrinks_and_another_stays(
    forgetful: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "LEAST", 200_000)
    quotes = forgetful[QUOTES]
    for first in range(0, 20_000, 1000):
        numbers = range(first, first + 1000)
        quotes.insert_many([document("bitcoin", START + n * QUARTER, n / 7) for n in numbers])
    forgetful.client.admin.command("fsync")
    assert compaction.compact(forgetful) == 0
    quotes.delete_many({"price": {"$gt": 50}})

    def given() -> int:
        quotes.update_one({"price": 0.0}, {"$inc": {"seen": 1}})  # time goes on with each write
        forgetful.client.admin.command("fsync")
        return compaction.compact(forgetful)

    assert wait_until(given, "space to be given back") >= 200_000
    wait_until(lambda: not given(), "nothing more to give")
    assert quotes.count_documents({}) == 351
