"""The switch of the repairs."""

from datetime import UTC, datetime, timedelta

from pymongo.database import Database

from market.gap_repair.pause import Pause
from market.storage.database import Document

NOW = datetime(2026, 11, 23, 4, 30, tzinfo=UTC)


def test_paused_until_it_goes_on(database: Database[Document]) -> None:
    pause = Pause(database)
    assert pause.since() is None
    pause.begin(NOW)
    pause.begin(NOW + timedelta(hours=1))
    assert Pause(database).since() == NOW
    pause.end()
    pause.end()
    assert pause.since() is None
