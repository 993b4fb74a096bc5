"""The time of each hop, over all updates."""

import pytest
from pymongo.database import Database

from market.ledger import latency
from market.ledger.latency import BOUNDS, HopLatencies
from market.ledger.ledger import Ledger
from market.storage.database import Document
from tests.harness.update_latency import end


def stored(times: HopLatencies) -> tuple[int, float]:
    found = times.read(5)
    assert found is not None
    return sum(found["stored"].buckets), found["stored"].seconds


def test_each_update_that_ended_well_is_counted_once(
    ledger: Ledger, database: Database[Document]
) -> None:
    times = HopLatencies(database)
    assert stored(times) == (0, 0.0)
    end(ledger, "one", "done", fetched=1.0, stored=1.2)
    end(ledger, "two", "failed", fetched=1.0, stored=1.2)
    count, seconds = stored(times)
    assert count == 1
    assert seconds == pytest.approx(0.2)
    end(ledger, "three", "done", fetched=1.0, stored=4.0)
    for reader in (times, times, HopLatencies(database)):
        count, seconds = stored(reader)
        assert count == 2
        assert seconds == pytest.approx(3.2)
    found = times.read(5)
    assert found is not None
    buckets = dict(zip([*BOUNDS, None], found["stored"].buckets, strict=True))
    assert {bound for bound, count in buckets.items() if count} == {0.25, 5.0}


def test_a_clock_that_is_behind_makes_no_time_negative(
    ledger: Ledger, database: Database[Document]
) -> None:
    end(ledger, "one", "done", fetched=2.0, stored=1.0)
    assert stored(HopLatencies(database)) == (1, 0.0)


def test_a_long_ledger_is_read_over_several_calls(
    ledger: Ledger, database: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "BATCH", 1)
    for number in range(3):
        end(ledger, f"update {number}", "done", fetched=1.0, stored=2.0)
    times = HopLatencies(database)
    assert times.read(0) is None
    assert stored(times) == (3, 3.0)
