"""The database's clock."""

from datetime import UTC, datetime, timedelta

from pymongo import MongoClient
from pymongo.database import Database

from market.schedule.clock import server_time
from market.storage.database import Document

MILLISECOND = timedelta(milliseconds=1)


def test_it_is_the_server_s_time_with_a_zone(database: Database[Document], mongodb: str) -> None:
    with MongoClient[Document](mongodb) as without_zones:
        for one in (database, without_zones["koinx_demo_usd"]):
            before = datetime.now(UTC)
            found = server_time(one)
            assert before - MILLISECOND <= found <= datetime.now(UTC) + MILLISECOND
            assert found.utcoffset() == timedelta(0)
