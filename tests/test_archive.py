"""Rollups and retention of all coins, step by step."""

from pymongo.database import Database

from market.archive import Archive
from market.candle import DAY, down
from market.database import HOURLY, QUOTES, Document
from market.history import stretch
from market.marks import Marks
from tests.past_data import COINS, END, asked, fill


def steps(database: Database[Document], rollup_after: int, retention: int) -> list[str]:
    return list(Archive(database).steps(END, rollup_after=rollup_after, retention=retention))


def test_every_coin_is_rolled_up_and_then_deleted(database: Database[Document]) -> None:
    fill(database)
    before = asked(database)
    assert steps(database, 7, 0) == ["rolled up"] * 2
    assert steps(database, 7, 0) == []
    done = steps(database, 7, 12)
    assert set(done) == {"deleted"}
    assert steps(database, 7, 12) == []
    for coin in COINS:
        mark = Marks(database).of(coin)
        assert mark.until == down(END - 7 * DAY, DAY)
        assert mark.kept_from is not None
        assert database[QUOTES].count_documents({"_id": stretch(coin, None, mark.kept_from)}) == 0
    assert asked(database) == before


def test_it_goes_on_where_it_was_broken_off(database: Database[Document]) -> None:
    fill(database)
    before = asked(database)
    broken_off = Archive(database).steps(END, rollup_after=7, retention=3)
    assert [next(broken_off) for _ in range(2)] == ["rolled up", "deleted"]
    broken_off.close()
    assert asked(database) == before
    assert len(steps(database, 7, 3)) == 4
    assert asked(database) == before


def test_both_can_be_off(database: Database[Document]) -> None:
    fill(database)
    assert steps(database, 0, 0) == []
    assert database[HOURLY].count_documents({}) == 0
    assert set(steps(database, 0, 12)) == {"deleted"}
