"""What numbers rest on: how many slots there were, and how many have no record."""

from datetime import UTC, datetime, timedelta

from market.analytics.coverage import Evidence, evidence
from market.schedule.slots import Schedule
from market.storage.quote_history import Record

SCHEDULE = Schedule("*/15 * * * *")
START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def record(slot: float, *, lag: float = 40, resolution: int | None = None) -> Record:
    """The record of a slot, whose own time lies `lag` seconds before it."""
    at = START + slot * QUARTER - timedelta(seconds=lag)
    return Record("bitcoin", at, 1.0, None, None, None, "simulator", at, resolution)


def test_the_slots_from_the_oldest_to_the_newest_are_expected() -> None:
    # Slots 3 and 4 have none; lags differ, so that some lie before their slot and some behind.
    records = [record(6, lag=-20), record(5, lag=200), record(2, resolution=300), record(1, lag=-5)]
    assert evidence(records, SCHEDULE) == Evidence(
        count=4,
        repaired=1,
        oldest=records[-1].at,
        newest=records[0].at,
        source="simulator",
        expected=6,
        gaps=2,
    )


def test_an_update_asked_for_in_between_fills_no_gap() -> None:
    found = evidence([record(3), record(1.2), record(1.1), record(1)], SCHEDULE)
    assert (found.count, found.expected, found.gaps) == (4, 3, 1)


def test_of_a_window_every_slot_in_it_is_expected() -> None:
    # A day that ends between two slots; its first slot is number 1 of 96.
    window = (START + timedelta(minutes=7), START + timedelta(days=1, minutes=7))
    records = [record(slot) for slot in range(96, 1, -1)]
    found = evidence([*records, record(1)], SCHEDULE, window)
    assert (found.count, found.expected, found.gaps) == (96, 96, 0)
    found = evidence(records[:90], SCHEDULE, window)
    assert (found.count, found.expected, found.gaps) == (90, 96, 6)


def test_a_window_begins_behind_its_start_and_has_its_end() -> None:
    found = evidence([], SCHEDULE, (START, START + timedelta(days=1)))
    assert found == Evidence(count=0, repaired=0, expected=96, gaps=96)


def test_the_first_slot_of_a_window_may_have_its_quote_before_it() -> None:
    window = (START + QUARTER - timedelta(seconds=10), START + 3 * QUARTER)
    records = [record(3), record(2)]
    assert evidence(records, SCHEDULE, window).gaps == 1
    found = evidence(records, SCHEDULE, window, early=[record(1)])
    assert (found.count, found.oldest, found.gaps) == (2, records[-1].at, 0)
    assert evidence(records, SCHEDULE, window, early=[record(0)]).gaps == 1


def test_without_record_or_window_nothing_is_expected() -> None:
    assert evidence([], SCHEDULE) == Evidence(count=0, repaired=0)


def test_one_record_fills_its_own_slot() -> None:
    found = evidence([record(0)], SCHEDULE)
    assert (found.expected, found.gaps) == (1, 0)
