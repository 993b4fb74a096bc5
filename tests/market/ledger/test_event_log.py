"""The ends of updates: each has its number, none is left out, in real MongoDB."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
from pymongo.database import Database

from market.ledger import ledger as market_ledger
from market.ledger.event_log import EventLog, newest_number
from market.ledger.ledger import Ledger, UpdateClaim
from market.storage.database import Document
from tests.harness.event_log import claimed, close, slots
from tests.harness.mongodb_profiler import profiled, scans

TOGETHER = 12


@pytest.fixture
def closings(database: Database[Document]) -> EventLog:
    return EventLog(database)


def numbers(closings: EventLog, after: int = 0) -> list[tuple[int, str]]:
    return [(one["number"], one["_id"]) for one in closings.after(after, 1000)]


def test_ends_are_counted_in_their_order_whatever_the_order_of_the_beginnings(
    ledger: Ledger, closings: EventLog
) -> None:
    first, second = claimed(ledger, "a"), claimed(ledger, "b")
    assert (closings.newest(), numbers(closings)) == (0, [])
    close(ledger, second)
    close(ledger, first, "failed")
    assert ledger.enter_missed(slots(2)) == 2
    assert numbers(closings) == [(1, "b"), (2, "a"), (3, "slot 0"), (4, "slot 1")]
    assert closings.newest() == 4
    assert numbers(closings, after=3) == [(4, "slot 1")]
    assert [one["_id"] for one in closings.after(0, 2)] == ["b", "a"]
    assert "left_out" not in closings.after(0, 1)[0]


def test_of_many_that_end_at_once_each_has_a_number_of_its_own(
    ledger: Ledger, closings: EventLog
) -> None:
    # Given
    claims = [claimed(ledger, f"u{n}") for n in range(TOGETHER)]
    together = Barrier(TOGETHER + 1)

    def end(claim: UpdateClaim) -> None:
        together.wait()
        close(ledger, claim)

    def miss() -> None:
        together.wait()
        ledger.enter_missed(slots(TOGETHER))

    # When
    with ThreadPoolExecutor(TOGETHER + 1) as threads:
        for ended in [threads.submit(miss), *(threads.submit(end, claim) for claim in claims)]:
            ended.result()
    # Then
    given = numbers(closings)
    assert [number for number, _ in given] == list(range(1, 2 * TOGETHER + 1))
    assert len({name for _, name in given}) == 2 * TOGETHER


def test_whoever_has_read_a_number_has_missed_none_below_it(
    ledger: Ledger, closings: EventLog
) -> None:
    # Given a reader that looks while many updates end
    seen: list[int] = []
    ended = Event()

    def read() -> None:
        while True:
            is_last = ended.is_set()
            seen.extend(n for n, _ in numbers(closings, after=seen[-1] if seen else 0))
            if is_last:
                return

    claims = [claimed(ledger, f"u{n}") for n in range(60)]
    # When
    with ThreadPoolExecutor(9) as threads:
        reading = threads.submit(read)
        for done in [threads.submit(close, ledger, claim) for claim in claims]:
            done.result()
        ended.set()
        reading.result()
    # Then
    assert seen == list(range(1, 61))


def test_slots_that_are_there_already_leave_no_hole(ledger: Ledger, closings: EventLog) -> None:
    close(ledger, claimed(ledger, "slot 1"))
    claimed(ledger, "slot 3")
    assert ledger.enter_missed(slots(5)) == 3
    assert numbers(closings) == [(1, "slot 1"), (2, "slot 0"), (3, "slot 2"), (4, "slot 4")]


def test_an_update_that_ends_again_has_a_new_number_and_its_old_one_is_nobody_else_s(
    ledger: Ledger, closings: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given one that failed and was opened again
    close(ledger, claimed(ledger, "a"), "failed")
    assert ledger.reopen("a", failed=True)
    [reopened] = closings.after(0, 10)
    assert (reopened["number"], reopened["finished_at"]) == (1, None)
    # When it ends, and another does that has counted before
    close(ledger, claimed(ledger, "a"))
    counted = iter([0])  # as a process that was frozen meanwhile would
    monkeypatch.setattr(
        market_ledger, "newest_number", lambda updates: next(counted, newest_number(updates))
    )
    close(ledger, claimed(ledger, "b"))
    # Then
    assert numbers(closings) == [(2, "a"), (3, "b")]


@pytest.mark.parametrize(("most", "start"), [(3, 2), (4, 1), (5, 0), (9, 0)])
def test_no_more_than_so_many_are_read_from_the_start(
    ledger: Ledger, closings: EventLog, most: int, start: int
) -> None:
    ledger.enter_missed(slots(5))
    assert closings.start(0, most) == start
    assert len(numbers(closings, after=start)) == min(most, 5)
    assert closings.start(4, most) == 4


def test_no_reading_scans_or_sorts(
    ledger: Ledger, closings: EventLog, database: Database[Document]
) -> None:
    ledger.enter_missed(slots(300))
    for read in (
        closings.newest,
        lambda: closings.after(290, 5),
        lambda: closings.start(0, 20),
        lambda: closings.start(299, 20),
    ):
        [done] = profiled(database, read)
        assert not scans(done)
        assert done["keysExamined"] <= 21
