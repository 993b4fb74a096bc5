"""The switch of the repairs."""

from datetime import UTC, datetime, timedelta

from pymongo.database import Database

from market.gap_repair.queue import RepairQueue
from market.storage.database import Document

NOW = datetime(2026, 11, 23, 4, 30, tzinfo=UTC)


def test_paused_until_it_goes_on(database: Database[Document]) -> None:
    repairs = RepairQueue(database)
    assert repairs.paused_since() is None
    repairs.pause(NOW)
    repairs.pause(NOW + timedelta(hours=1))
    assert RepairQueue(database).paused_since() == NOW
    repairs.resume()
    repairs.resume()
    assert repairs.paused_since() is None
