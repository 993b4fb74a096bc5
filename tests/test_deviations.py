"""Deviations kept until a coin has a newer quote."""

from datetime import UTC, datetime, timedelta

from api.deviations import Deviations
from market.store import Store
from tests.support import keep, quote

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


def test_a_newer_quote_makes_it_read_again(store: Store) -> None:
    deviations = Deviations(store)
    assert deviations.of("bitcoin", None) == (None, 0)

    keep(store, quote("bitcoin", 40000, NOW))
    assert deviations.of("bitcoin", NOW) == (0.0, 1)

    later = NOW + timedelta(minutes=15)
    keep(store, quote("bitcoin", 50000, later))
    assert deviations.of("bitcoin", NOW) == (0.0, 1)
    assert deviations.of("bitcoin", later) == (5000.0, 2)
