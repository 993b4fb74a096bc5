"""The benchmark of writes, on a few quotes: what it stores, and what it makes of its times."""

from pymongo.database import Database

from bench.perf.writes import Ways, measure, ratios
from market.storage.database import Document, prepare


def test_each_way_stores_the_same_quotes(database: Database[Document]) -> None:
    others = [database.client[f"koinx_{name}_usd"] for name in ("whole", "plain")]
    for other in others:
        database.client.drop_database(other.name)
        prepare(other)
    found = measure(Ways(database, *others), coins=3, rounds=4)
    assert {name: len(seconds) for name, seconds in found.items()} == {
        "insert_many": 4,
        "record": 4,
        "all": 4,
    }
    told = {"recorded_at": 0}  # an update records its quotes at its own time
    stored = [list(one["quotes"].find({}, told).sort("_id", 1)) for one in (database, *others)]
    assert len(stored[0]) == 3 * 5
    assert stored[0] == stored[1] == stored[2]
    [latest] = others[0]["latest"].find()
    assert len(latest["coins"]) == 3
    for other in others:
        database.client.drop_database(other.name)


def test_a_way_that_takes_twice_as_long_stores_half() -> None:
    found = {"insert_many": [1.0, 2.0, 3.0], "record": [2.0, 2.0, 1.5]}
    assert ratios(found, "record") == [0.5, 1.0, 2.0]
