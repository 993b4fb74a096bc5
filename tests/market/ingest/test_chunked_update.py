"""An update in parts: each run stores some pages, whatever becomes of the next one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from bench.harness.services import SimulatorControl
from market.ingest.outlier_filter import OutlierFilter
from market.ingest.run_update import MAX_ATTEMPTS, Outcome, UpdateContext, run_update
from market.ledger.claims import LeaseLost
from market.ledger.lease import Lease
from market.ledger.ledger import Ledger, UpdateClaim
from market.schedule.slots import Schedule
from market.sources.coingecko import CoinGecko
from market.storage.database import Document
from market.storage.quote_store import QuoteStore
from settings import parse_coins
from simulator.market import Market

SCHEDULE = Schedule("0 0 1 1 *")  # one slot a year: none begins while a test runs
LISTED = sum(not coin.wrapped for coin in Market(seed=1, coins=300).coins)  # in two pages
MOST_RUNS = 4
NO_USE = '{"error": "no use"}'

Run = Callable[..., Outcome]


@pytest.fixture
def run(ledger: Ledger, store: QuoteStore, outlier_filter: OutlierFilter, source: CoinGecko) -> Run:
    """One run of an update, of a page unless said otherwise."""

    def carried_out(coins: str = "top:500", name: str = "a", **changes: Any) -> Outcome:
        ledger.receive(name, trigger="event", slot=changes.pop("slot", None), hops={})
        claim = ledger.claim(name, "worker", datetime.now(UTC))
        assert claim is not None
        through: Callable[[UpdateClaim], QuoteStore] = changes.pop("through", lambda _: store)
        with Lease(ledger, claim) as lease:
            return run_update(
                lease,
                UpdateContext(
                    ledger=ledger,
                    store=through(claim),
                    outlier_filter=outlier_filter,
                    source=source,
                    schedule=SCHEDULE,
                    selection=parse_coins(coins),
                    currency="usd",
                    label="simulator",
                    **{"max_pages": 1, **changes},
                ),
            )

    return carried_out


@pytest.fixture
def update(database: Database[Document]) -> Callable[..., Document]:
    def stored(name: str = "a") -> Document:
        found = database["updates"].find_one({"_id": name})
        assert found is not None
        return found

    return stored


def to_its_end(run: Run, coins: str, name: str) -> None:
    """All runs of an update, each of a page."""
    for _ in range(MOST_RUNS):
        if run(coins, name).state == "done":
            return
    pytest.fail(f"update {name} did not end within {MOST_RUNS} runs")


def let_it_run_out(database: Database[Document]) -> None:
    """The lease's end, and that of a wait."""
    past = datetime(2026, 1, 1, tzinfo=UTC)
    database["updates"].update_one(
        {"_id": "a"}, {"$set": {"lease_until": past, "not_before": past}}
    )


def test_each_part_is_readable_and_the_last_closes_the_update(
    run: Run, update: Callable[..., Document], store: QuoteStore, ledger: Ledger
) -> None:
    assert run() == Outcome("received", 250, has_more=True)
    waits = update()
    assert (waits["state"], waits["error"]) == ("received", "1 of 2 pages were stored")
    assert len(store.latest().coins) == len(store.coins()) == 250
    assert "parts" not in (ledger.get("a") or {})
    assert run() == Outcome("done", LISTED - 250)
    done = update()
    assert (done["state"], done["error"], done["fence"]) == ("done", None, 2)
    assert "parts" not in done
    assert (done["counts"]["asked"], done["counts"]["stored"]) == (LISTED, LISTED)
    assert len(store.latest().coins) == len(store.coins()) == LISTED


def test_parts_count_as_one_run_does(run: Run, update: Callable[..., Document]) -> None:
    run(name="whole", max_pages=2)
    run()
    run()
    assert update()["counts"].keys() == update("whole")["counts"].keys()
    names = ("asked", "answered", "left_out", "held")
    assert [update()["counts"][n] for n in names] == [update("whole")["counts"][n] for n in names]


@pytest.mark.row("worker-killed")
def test_what_a_killed_worker_stored_is_not_fetched_again(
    run: Run, update: Callable[..., Document], database: Database[Document], store: QuoteStore
) -> None:
    # Given a worker that stored one page, and died with the second
    class Dies(QuoteStore):
        def merge_latest(self, *_: object, **__: object) -> None:
            raise RuntimeError("killed")

    run()
    with pytest.raises(RuntimeError):
        run(through=lambda _: Dies(database))
    assert update()["state"] == "running"
    let_it_run_out(database)
    # When another goes on, it has one page to ask for
    assert run().state == "done"
    counts = update()["counts"]
    assert counts["asked"] == LISTED
    assert counts["stored"] + counts["unchanged"] == counts["answered"]
    assert len(store.latest().coins) == LISTED


def test_a_demand_with_parts_of_its_own_goes_on_with_them(
    run: Run, update: Callable[..., Document], ledger: Ledger
) -> None:
    # Given two demands, of which the second has stored a page, and the first ends meanwhile
    ledger.receive("first", trigger="event", slot=None, hops={})
    assert run(name="a") == Outcome("received", 250, has_more=True)
    to_its_end(run, "top:500", "first")
    # When it goes on
    assert run(name="a").state == "done"
    assert (update()["counts"]["asked"], update()["error"]) == (LISTED, None)


def test_an_update_whose_first_pages_are_older_than_a_demand_is_not_joined(
    run: Run, update: Callable[..., Document], ledger: Ledger, simulator: SimulatorControl
) -> None:
    # Given an update with a page that is stored, then a demand that has to wait
    assert run(name="first").state == "received"
    simulator.fault("rate_limited", retry_after=60, times=2)
    assert run(name="a", max_pages=9).state == "received"
    # When the first one ends
    end_waits(ledger)
    assert run(name="first").state == "done"
    # Then the demand fetches by itself, all of it
    end_waits(ledger)
    assert run(name="a", max_pages=9).state == "done"
    assert (update()["counts"]["asked"], update()["error"]) == (LISTED, None)


def end_waits(ledger: Ledger) -> None:
    """Every wait is over."""
    ledger._updates.update_many({}, {"$set": {"not_before": None}})


def test_a_run_that_lost_its_lease_adds_no_part(
    run: Run, update: Callable[..., Document], database: Database[Document]
) -> None:
    class Thawed(QuoteStore):
        def merge_latest(self, *_: object, **__: object) -> None:
            database["updates"].update_one({"_id": "a"}, {"$inc": {"fence": 1}})

    with pytest.raises(LeaseLost):
        run(through=lambda _: Thawed(database))
    assert not update().get("parts")


def test_a_page_that_must_wait_comes_later_and_the_others_stay(
    run: Run,
    update: Callable[..., Document],
    simulator: SimulatorControl,
    database: Database[Document],
) -> None:
    # Given a source that lets one page go
    simulator.fault("rate_limited", retry_after=119)
    first = run("bitcoin,top:500", max_pages=2)
    assert (first.state, first.has_more) == ("received", False)
    waits = update()
    assert "1 of 3 pages were stored; 127.0.0.1 limits the calls (429)" in waits["error"]
    assert timedelta(seconds=100) < waits["not_before"] - datetime.now(UTC)
    # When it may be asked again
    let_it_run_out(database)
    assert run("bitcoin,top:500", max_pages=2).state == "done"
    assert update()["error"] is None
    # and one for which all are to wait keeps what it has
    assert run(name="b").has_more
    simulator.fault("rate_limited", retry_after=119, times=9)
    assert run(name="b") == Outcome("received", 0)
    assert len(update("b")["parts"]) == 1


@pytest.mark.row("source-failing")
def test_a_part_that_fails_is_named_and_the_rest_is_kept(
    run: Run, update: Callable[..., Document], simulator: SimulatorControl, store: QuoteStore
) -> None:
    run()
    simulator.fault("body", body=NO_USE, status=400)
    assert run() == Outcome("done", 0)
    assert update()["error"] == "127.0.0.1 answered 400: no use"
    assert {coin["state"] for coin in store.coins().values()} == {"active"}


@pytest.mark.row("source-failing")
def test_a_source_that_gives_nothing_is_not_asked_for_the_rest(
    run: Run, update: Callable[..., Document], simulator: SimulatorControl
) -> None:
    simulator.fault("body", body=NO_USE, status=400)
    assert run() == Outcome("failed", 0)
    assert update()["error"] == "127.0.0.1 answered 400: no use"


@pytest.mark.parametrize("over", ["slot", "tries"])
def test_what_is_stored_of_an_update_that_came_to_no_end_is_counted(
    run: Run, update: Callable[..., Document], database: Database[Document], over: str
) -> None:
    slot = SCHEDULE.current(datetime.now(UTC))
    run(slot=slot)
    old = SCHEDULE.current(slot - timedelta(seconds=1))
    changes = {"slot": {"slot": old}, "tries": {"tries": MAX_ATTEMPTS}}[over]
    database["updates"].update_one({"_id": "a"}, {"$set": changes})
    assert run() == Outcome("done", 0)
    reason = {
        "slot": "its slot was over before all pages were stored",
        "tries": "10 attempts did not end",
    }
    assert update()["error"] == f"{reason[over]}; 1 of 2 pages were stored"
    assert update()["counts"]["stored"] == 250


@pytest.mark.row("no-quote")
def test_whoever_is_absent_from_all_parts_is_marked_and_nobody_else(
    run: Run, store: QuoteStore, simulator: SimulatorControl, update: Callable[..., Document]
) -> None:
    # Given coins of both pages, one by an id of its own
    coins = "bitcoin,matic-network,no-such-coin,top:500"
    to_its_end(run, coins, "first")
    everyone = [coin for coin, known in store.coins().items() if known["state"] == "active"]
    assert len(everyone) == LISTED
    # When one of each page is gone, and one has no price
    by_rank = sorted(everyone, key=lambda coin: store.coins()[coin]["rank"] or 9999)
    gone, unpriced = {by_rank[5], by_rank[260]}, by_rank[7]
    for coin in gone:
        simulator.fault("retired", coin=coin)
    simulator.fault("null_price", coin=unpriced)
    to_its_end(run, coins, "second")
    # Then
    states = {coin: known["state"] for coin, known in store.coins().items()}
    assert {coin for coin, state in states.items() if state == "left"} == gone
    assert (states["no-such-coin"], states["matic-network"]) == ("missing", "retired")
    assert {one["coin"] for one in update("second")["left_out"]} == {
        unpriced,
        "no-such-coin",
        "matic-network",
    }


def test_a_tick_of_an_earlier_part_is_in_the_end_s_counts(
    run: Run, store: QuoteStore, simulator: SimulatorControl, update: Callable[..., Document]
) -> None:
    to_its_end(run, "top:500", "first")
    simulator.fault("price", coin="bitcoin", value=store.latest().coins["bitcoin"]["price"] * 10)
    assert run().has_more
    assert run().state == "done"
    done = update()
    assert [tick["coin"] for tick in done["ticks"]] == ["bitcoin"]
    counts = done["counts"]
    assert counts["held"] == 1
    assert counts["stored"] + counts["unchanged"] + 1 == counts["answered"] == LISTED
