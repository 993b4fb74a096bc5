"""The ledger: each event once, one worker at a time, nothing forgotten. In real MongoDB."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from pymongo import MongoClient, WriteConcern
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from bench.harness.services import free_port, wait_until
from market.ledger.claims import LeaseLost
from market.ledger.ledger import MAX_SKIPPED, Ledger, UpdateClaim
from market.model.quotes import SkippedCoin
from market.storage.database import Document
from tests.harness.mongodb_profiler import profiled, scans

AT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def receive(ledger: Ledger, name: str = "a", slot: datetime | None = None) -> bool:
    return ledger.receive(name, trigger="event", slot=slot, hops={"published": AT})


def claimed(ledger: Ledger, name: str = "a", worker: str = "first") -> UpdateClaim:
    claim = ledger.claim(name, worker, AT)
    assert claim is not None
    return claim


def close(ledger: Ledger, claim: UpdateClaim, state: str = "done", **changes: Any) -> None:
    fields: dict[str, Any] = {"hops": {}, "counts": {}, "skipped": [], "error": None}
    ledger.close(claim, state=state, **(fields | changes))


def stored(ledger: Ledger, name: str = "a") -> Document:
    update = ledger.get(name)
    assert update is not None
    return update


@pytest.fixture
def expire(database: Database[Document]) -> Callable[[str], None]:
    """Lets a lease run out now, by MongoDB's own clock."""

    def expired(name: str) -> None:
        database["updates"].update_one(
            {"_id": name}, [{"$set": {"lease_until": {"$subtract": ["$$NOW", 1]}}}]
        )

    return expired


def test_an_event_that_comes_twice_is_entered_once(ledger: Ledger) -> None:
    assert receive(ledger, slot=AT)
    first = stored(ledger)
    assert not ledger.receive("a", trigger="request", slot=None, hops={})
    assert stored(ledger) == first
    assert (first["state"], first["slot"], first["fence"]) == ("received", AT, 0)
    assert first["hops"]["published"] == AT
    assert first["hops"]["received"] == first["received_at"]


def test_of_many_that_enter_and_claim_at_once_one_does(ledger: Ledger) -> None:
    together = Barrier(16)

    def race(number: int) -> tuple[bool, UpdateClaim | None]:
        together.wait()
        entered = receive(ledger)
        together.wait()
        return entered, ledger.claim("a", f"worker {number}", AT)

    with ThreadPoolExecutor(16) as threads:
        outcomes = list(threads.map(race, range(16)))
    assert sum(entered for entered, _ in outcomes) == 1
    (claim,) = [claim for _, claim in outcomes if claim]
    assert claim.fence == 1
    winner = next(number for number, (_, claim) in enumerate(outcomes) if claim)
    assert stored(ledger)["worker"] == f"worker {winner}"


def test_a_claim_holds_for_15_s_and_notes_its_hops(ledger: Ledger) -> None:
    receive(ledger, slot=AT)
    claim = ledger.claim("a", "$worker", AT)
    update = stored(ledger)
    assert claim is not None
    claimed_at = update["hops"]["claimed"]
    assert claim == UpdateClaim(
        "a",
        1,
        1,
        AT,
        update["received_at"],
        waiting_since=claimed_at,
        claimed_at=claimed_at,
        asked=claim.asked,
    )
    assert abs(claim.now() - ledger.now()) < timedelta(seconds=1)
    assert (update["state"], update["worker"]) == ("running", "$worker")
    assert update["lease_until"] - update["hops"]["claimed"] == timedelta(seconds=15)
    assert update["hops"]["started"] == AT
    assert ledger.claim("a", "second", AT) is None


def test_what_is_not_there_cannot_be_claimed(ledger: Ledger) -> None:
    assert ledger.claim("nobody", "first", AT) is None
    assert ledger.get("nobody") is None


def test_after_its_lease_another_claims_and_the_first_writes_nothing_more(
    ledger: Ledger, expire: Callable[[str], None]
) -> None:
    # Given
    receive(ledger)
    first = claimed(ledger)
    expire("a")
    # When
    second = claimed(ledger, worker="second")
    # Then
    assert second.fence == first.fence + 1
    assert (first.attempts, second.attempts) == (1, 2)
    before = stored(ledger)
    writes: list[Callable[[], None]] = [
        lambda: ledger.renew(first),
        lambda: close(ledger, first),
        lambda: ledger.postpone(first, 0, "later"),
    ]
    for write in writes:
        with pytest.raises(LeaseLost, match="another worker claimed update a after fence 1"):
            write()
    assert stored(ledger) == before
    close(ledger, second)
    assert stored(ledger)["worker"] == "second"


def test_renewing_lengthens_the_lease(ledger: Ledger, expire: Callable[[str], None]) -> None:
    receive(ledger)
    claim = claimed(ledger)
    expire("a")
    ledger.renew(claim)
    assert ledger.claim("a", "second", AT) is None
    assert stored(ledger)["lease_until"] > datetime.now(UTC) + timedelta(seconds=10)


def test_closing_keeps_hops_counts_and_who_was_left_out(ledger: Ledger) -> None:
    receive(ledger)
    claim = claimed(ledger)
    left_out = [SkippedCoin(f"coin {n}", "its price is $null") for n in range(MAX_SKIPPED + 5)]
    close(
        ledger,
        claim,
        state="failed",
        hops={"fetched": AT},
        counts={"left_out": len(left_out)},
        skipped=left_out,
        error="$error",
    )
    update = stored(ledger)
    assert (update["state"], update["error"]) == ("failed", "$error")
    assert set(update["hops"]) == {
        "published",
        "received",
        "started",
        "claimed",
        "fetched",
        "finished",
    }
    assert update["hops"]["finished"] == update["finished_at"] >= update["received_at"]
    assert update["counts"] == {"left_out": MAX_SKIPPED + 5}
    assert len(update["left_out"]) == MAX_SKIPPED
    assert update["left_out"][0] == {"coin": "coin 0", "reason": "its price is $null"}
    assert update["lease_until"] is None


def test_closing_keeps_so_many_ticks(ledger: Ledger) -> None:
    receive(ledger)
    ticks = [{"coin": f"coin {n}", "price": 1.0, "state": "held"} for n in range(MAX_SKIPPED + 5)]
    close(ledger, claimed(ledger), counts={"held": len(ticks)}, ticks=ticks)
    assert stored(ledger)["ticks"] == ticks[:MAX_SKIPPED]


@pytest.mark.parametrize("state", ["done", "failed", "missed"])
def test_what_is_closed_is_neither_claimed_nor_closed_again(ledger: Ledger, state: str) -> None:
    receive(ledger)
    claim = claimed(ledger)
    close(ledger, claim, state=state)
    assert ledger.claim("a", "second", AT) is None
    with pytest.raises(LeaseLost):
        close(ledger, claim, state="done")
    assert stored(ledger)["state"] == state


def test_what_is_postponed_waits(ledger: Ledger, database: Database[Document]) -> None:
    # Given
    receive(ledger)
    first = claimed(ledger)
    # When
    ledger.postpone(first, 119, "$limits the calls")
    # Then
    update = stored(ledger)
    assert (update["state"], update["error"]) == ("received", "$limits the calls")
    wait = update["not_before"] - datetime.now(UTC)
    assert timedelta(seconds=110) < wait <= timedelta(seconds=119)
    assert ledger.claim("a", "second", AT) is None
    with pytest.raises(LeaseLost):
        ledger.renew(first)
    # ... until its time has come
    database["updates"].update_one({"_id": "a"}, {"$set": {"not_before": LONG_AGO}})
    second = claimed(ledger, worker="second")
    assert (second.fence, second.attempts) == (2, 1)  # waiting is no try that failed


def test_a_short_wait_ends_by_itself(ledger: Ledger) -> None:
    receive(ledger)
    ledger.postpone(claimed(ledger), 0.05, "a moment")
    wait_until(lambda: ledger.claim("a", "second", AT), "the wait to end", 5)


def test_the_sweeper_finds_what_nobody_works_on_once(
    ledger: Ledger, database: Database[Document], expire: Callable[[str], None]
) -> None:
    # Given updates that are lost or orphaned, and others that are not
    for name in ("fresh", "lost", "waits", "waited", "held", "orphaned", "closed"):
        receive(ledger, name)
    for name in ("held", "orphaned"):
        claimed(ledger, name)
    close(ledger, claimed(ledger, "closed"))
    expire("orphaned")
    future = datetime.now(UTC) + timedelta(minutes=1)
    updates = database["updates"]
    updates.update_many({"_id": {"$ne": "fresh"}}, {"$set": {"received_at": LONG_AGO}})
    updates.update_one({"_id": "waits"}, {"$set": {"not_before": future}})
    updates.update_one({"_id": "waited"}, {"$set": {"not_before": LONG_AGO}})
    # When
    found = sorted(ledger.sweep())
    # Then
    assert found == ["lost", "orphaned", "waited"]
    assert ledger.sweep() == []
    # ... and again when 15 s brought no end
    swept = datetime.now(UTC) - timedelta(seconds=16)
    updates.update_one({"_id": "lost"}, {"$set": {"swept_at": swept}})
    assert ledger.sweep() == ["lost"]


def test_two_sweepers_never_give_out_the_same(ledger: Ledger, database: Database[Document]) -> None:
    names = [f"lost {n}" for n in range(40)]
    for name in names:
        receive(ledger, name)
    database["updates"].update_many({}, {"$set": {"received_at": LONG_AGO}})
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: ledger.sweep(), range(4)))
    assert sorted(name for names in found for name in names) == sorted(names)


def test_only_what_failed_is_opened_again(ledger: Ledger) -> None:
    assert not ledger.reopen("a", failed=True)
    receive(ledger)
    assert not ledger.reopen("a", failed=True)
    close(ledger, claimed(ledger), state="failed", error="no answer")
    assert not ledger.reopen("a")
    assert ledger.reopen("a", failed=True)
    assert not ledger.reopen("a", failed=True)
    update = stored(ledger)
    assert (update["state"], update["finished_at"]) == ("received", None)
    again = claimed(ledger)
    assert (again.fence, again.attempts) == (2, 1)
    close(ledger, again, state="done")
    assert not ledger.reopen("a", failed=True)


def test_a_slot_that_was_entered_as_missed_is_opened_again(ledger: Ledger) -> None:
    ledger.enter_missed({"a": AT})
    assert ledger.reopen("a")
    again = claimed(ledger)
    assert (again.fence, again.attempts, again.slot) == (1, 1, AT)


def test_an_update_whose_slot_is_ahead_waits_for_it(ledger: Ledger) -> None:
    slot = ledger.now() + timedelta(seconds=1)
    receive(ledger, slot=slot)
    assert ledger.claim("a", "early", AT) is None
    early = ledger.seconds_early("a")
    assert early is not None
    assert 0 < early <= 1
    assert ledger.sweep() == []
    claim = wait_until(lambda: ledger.claim("a", "in time", AT), "the slot")
    assert claim.claimed_at >= slot - timedelta(milliseconds=1)
    assert claim.fence == 1
    assert ledger.seconds_early("a") is None


def test_a_slot_that_is_far_ahead_is_not_waited_for(ledger: Ledger) -> None:
    receive(ledger, slot=ledger.now() + timedelta(hours=12))
    assert ledger.seconds_early("a") is None
    assert ledger.seconds_early("nobody") is None


def test_what_ended_before_its_slot_began_gives_way_to_it(
    ledger: Ledger, database: Database[Document]
) -> None:
    # Given an update that a clock 12 h ahead carried out, and one in its time
    for name, ahead in (("a", timedelta(hours=12)), ("b", timedelta(0))):
        receive(ledger, name, slot=AT)
        close(ledger, claimed(ledger, name), state="done")
        database["updates"].update_one({"_id": name}, {"$set": {"slot": ledger.now() + ahead}})
    # When
    assert ledger.mark_early() == 1
    assert ledger.mark_early() == 0
    # Then
    assert not ledger.reopen("b")
    assert ledger.reopen("a")
    assert (stored(ledger)["state"], "early" in stored(ledger)) == ("received", False)


def test_missed_slots_are_entered_beside_those_that_are_there(ledger: Ledger) -> None:
    # Given
    quarters = {f"slot {n}": AT + n * timedelta(minutes=15) for n in range(4)}
    receive(ledger, "slot 1", slot=quarters["slot 1"])
    # When, then
    assert ledger.enter_missed(quarters) == 3
    assert ledger.enter_missed(quarters) == 0
    assert ledger.enter_missed({}) == 0
    assert stored(ledger, "slot 1")["state"] == "received"
    missed = stored(ledger, "slot 2")
    assert (missed["state"], missed["slot"]) == ("missed", quarters["slot 2"])
    assert missed["error"] == "nothing was running when it was due"
    assert ledger.newest_slot(before=datetime.now(UTC)) == quarters["slot 3"]
    assert ledger.claim("slot 2", "first", AT) is None


def test_missed_slots_that_no_majority_has_are_not_taken_for_entered(
    database: Database[Document],
) -> None:
    unsafe = Ledger(database.with_options(write_concern=WriteConcern(w=2, wtimeout=100)))
    for _ in range(2):
        with pytest.raises(BulkWriteError):
            unsafe.enter_missed({"slot": AT})


def test_lists_begin_with_the_newest(ledger: Ledger) -> None:
    for name in ("a", "b", "c"):
        receive(ledger, name)
        time.sleep(0.002)  # the ledger's times are whole milliseconds
    assert [update["_id"] for update in ledger.newest()] == ["c", "b", "a"]
    assert [update["_id"] for update in ledger.newest(skip=1, limit=1)] == ["b"]
    assert ledger.count() == 3
    assert ledger.known(["a", "c", "x"]) == {"a", "c"}


def test_the_newest_and_the_oldest_slot_and_the_last_success(ledger: Ledger) -> None:
    now = datetime.now(UTC)
    assert ledger.newest_slot(before=now) is None
    assert ledger.oldest_slot() is None
    assert ledger.last_success() is None
    receive(ledger, "event")
    receive(ledger, "new", slot=AT)
    receive(ledger, "old", slot=LONG_AGO)
    assert ledger.newest_slot(before=now) == AT
    assert ledger.newest_slot(before=AT) == LONG_AGO == ledger.oldest_slot()
    close(ledger, claimed(ledger, "old"), state="failed")
    assert ledger.last_success() is None
    close(ledger, claimed(ledger, "new"))
    assert ledger.last_success() == stored(ledger, "new")["finished_at"]


def test_what_a_run_says_of_itself_is_kept_while_it_holds_its_claim(
    ledger: Ledger, expire: Callable[[str], None]
) -> None:
    # Given
    receive(ledger)
    first = claimed(ledger)
    # When, then
    ledger.report_progress(first, "storing", 0.5, {"asked": 3})
    said = {"fence": 1, "stage": "storing", "share": 0.5, "counts": {"asked": 3}}
    wait_until(lambda: stored(ledger).get("run") == said, "what it said")
    # ... and no longer
    expire("a")
    second = claimed(ledger, worker="second")
    ledger.report_progress(second, "fetching", 0)
    wait_until(lambda: stored(ledger)["run"]["fence"] == 2, "what the other says")
    ledger.report_progress(first, "storing", 1)
    ledger.renew(second)  # on the same connection, behind what nobody acknowledged
    assert stored(ledger)["run"] == {"fence": 2, "stage": "fetching", "share": 0, "counts": {}}
    close(ledger, second)
    assert stored(ledger)["state"] == "done"


def test_a_run_says_nothing_when_nobody_can_hear_it(database: Database[Document]) -> None:
    nowhere: MongoClient[Document] = MongoClient(
        f"mongodb://127.0.0.1:{free_port()}", serverSelectionTimeoutMS=50
    )
    with nowhere:
        Ledger(nowhere["koinx"]).report_progress(UpdateClaim("a", 1, 1, None, AT), "fetching", 0)


@pytest.mark.parametrize(
    ("which", "names"),
    [
        ({}, ["slot 1", "slot 0", "c", "b", "a"]),
        ({"state": "missed"}, ["slot 1", "slot 0"]),
        ({"state": "received"}, ["b"]),
        ({"trigger": "event"}, ["c", "b", "a"]),
        ({"state": "done", "trigger": "event"}, ["c", "a"]),
        ({"state": "done", "trigger": "schedule"}, []),
    ],
)
def test_updates_of_a_state_or_a_trigger(
    ledger: Ledger, which: dict[str, Any], names: list[str]
) -> None:
    for name in ("a", "b", "c"):
        receive(ledger, name)
        time.sleep(0.002)  # the ledger's times are whole milliseconds
    for name in ("a", "c"):
        close(ledger, claimed(ledger, name))
    for number in range(2):
        ledger.enter_missed({f"slot {number}": AT})
        time.sleep(0.002)
    assert [update["_id"] for update in ledger.newest(**which)] == names
    assert [update["_id"] for update in ledger.newest(skip=1, limit=1, **which)] == names[1:2]
    assert ledger.count(**which) == len(names)


@pytest.mark.parametrize(
    "which",
    [{}, {"state": "missed"}, {"trigger": "schedule"}, {"state": "done", "trigger": "event"}],
)
def test_no_list_scans_or_sorts(
    ledger: Ledger, database: Database[Document], which: dict[str, Any]
) -> None:
    # Given a ledger in which most are of one kind, and the other kind is rare
    ledger.enter_missed({f"slot {n}": AT for n in range(500)})
    for name in ("a", "b"):
        receive(ledger, name)
        close(ledger, claimed(ledger, name))
    # When, then
    [found] = profiled(database, lambda: ledger.newest(skip=20, limit=10, **which))
    assert not scans(found)
    assert found["keysExamined"] <= 30 + 5 * 3  # the page, and one more for each pair of values
    [got] = profiled(database, lambda: ledger.get("a"))
    assert (scans(got), got["docsExamined"]) == (False, 1)
    [counted] = profiled(database, lambda: ledger.count(**which))
    assert not scans(counted)
    assert counted.get("docsExamined", 0) == 0


@pytest.mark.row("clock-jumped")
def test_a_lease_from_before_the_clock_jumped_back_keeps_nobody_out(
    ledger: Ledger, database: Database[Document]
) -> None:
    # Given an update whose worker died, and one whose task was lost, an hour ahead of the clock
    for name in ("running", "received"):
        receive(ledger, name)
    claimed(ledger, "running")
    hour = {"$add": ["$$NOW", 3_600_000]}
    ahead = {"received_at": hour, "swept_at": hour, "lease_until": hour}
    database["updates"].update_many({}, [{"$set": ahead}])
    # Then both are found and carried out
    assert sorted(ledger.sweep()) == ["received", "running"]
    assert claimed(ledger, "running", "second").fence == 2
    assert claimed(ledger, "received").fence == 1


def test_a_wait_that_a_source_asked_for_is_kept_and_one_beyond_it_is_not(
    ledger: Ledger, database: Database[Document]
) -> None:
    receive(ledger)
    ledger.postpone(claimed(ledger), 3600, "wait")
    assert ledger.claim("a", "first", AT) is None
    database["updates"].update_one({}, [{"$set": {"not_before": {"$add": ["$$NOW", 7_200_000]}}}])
    assert claimed(ledger).fence == 2
