"""Deviations by coin, kept until the coin has a newer quote."""

from datetime import datetime

from market.statistics import deviation, rounded
from market.store import RECORDS, Store


class Deviations:
    """A list shows the deviation of each coin; its series is read once for each new quote."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[datetime, float, int]] = {}

    def of(self, coin: str, newest: datetime | None) -> tuple[float | None, int]:
        """The deviation and the number of records it rests on; (None, 0) without any."""
        if newest is None:
            return None, 0
        known = self._known.get(coin)
        if known is None or known[0] != newest:
            prices = [quote["price"] for quote in self._store.newest(coin, RECORDS)]
            if not prices:
                return None, 0
            known = (newest, rounded(deviation(prices)), len(prices))
            self._known[coin] = known
        return known[1], known[2]
