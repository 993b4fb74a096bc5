"""A rollup as the task runs it."""

from datetime import datetime

from pymongo.database import Database

from market.model.candle import DAY
from market.rollups.rollup import RollupBuilder
from market.storage.database import Document
from tests.harness.coin_history_data import END

UNTIL = END - 7 * DAY


def roll_up(database: Database[Document], until: datetime = UNTIL) -> int:
    """All steps; how many."""
    roller, count = RollupBuilder(database), 0
    while roller.step("bitcoin", until):
        count += 1
        assert count < 50
    return count
