"""One update from claim to end: the simulator's HTTP on one side, real MongoDB on the other."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from pymongo.database import Database

from bench.harness.services import SimulatorControl, wait_until
from market.analytics.statistics import deviation, rounded
from market.ingest.outlier_filter import OutlierFilter
from market.ingest.run_update import MAX_ATTEMPTS, Outcome, UpdateContext, run_update
from market.ledger.claims import LeaseLost
from market.ledger.lease import Lease
from market.ledger.ledger import Ledger, UpdateClaim
from market.schedule.slots import Schedule
from market.sources.coingecko import CoinGecko
from market.sources.fetch import Source, fetch, page_queries
from market.sources.http import Deadline
from market.storage.database import Document
from market.storage.quote_store import QuoteStore
from settings import parse_coins
from simulator.market import Market

SCHEDULE = Schedule("0 0 1 1 *")  # one slot a year: none begins while a test runs
NO_USE = '{"error": "no use"}'

Run = Callable[..., Outcome]


@pytest.fixture
def claim(ledger: Ledger) -> Callable[..., UpdateClaim]:
    """Receives, if need be, and claims an update."""

    def claimed(name: str = "a", slot: datetime | None = None) -> UpdateClaim:
        ledger.receive(name, trigger="event", slot=slot, hops={})
        made = ledger.claim(name, "worker", datetime.now(UTC))
        assert made is not None
        return made

    return claimed


@pytest.fixture
def run(
    ledger: Ledger,
    store: QuoteStore,
    outlier_filter: OutlierFilter,
    source: CoinGecko,
    claim: Callable[..., UpdateClaim],
) -> Run:
    """Carries out an update, as the task does."""

    def carried_out(
        coins: str,
        name: str = "a",
        *,
        slot: datetime | None = None,
        through: Callable[[Lease], Source] = lambda _: source,
        obstacle: Callable[[], str | None] = lambda: None,
    ) -> Outcome:
        with Lease(ledger, claim(name, slot)) as lease:
            return run_update(
                lease,
                UpdateContext(
                    ledger=ledger,
                    store=store,
                    outlier_filter=outlier_filter,
                    source=through(lease),
                    schedule=SCHEDULE,
                    selection=parse_coins(coins),
                    currency="usd",
                    label="simulator",
                    obstacle=obstacle,
                ),
            )

    return carried_out


@pytest.fixture
def update(ledger: Ledger) -> Callable[..., Document]:
    def stored(name: str = "a") -> Document:
        found = ledger.get(name)
        assert found is not None
        return found

    return stored


def left_out(update: Document) -> dict[str, str]:
    return {one["coin"]: one["reason"] for one in update["left_out"]}


class Counted:
    """The source, with a note of each call."""

    def __init__(self, source: CoinGecko) -> None:
        self._source = source
        self.calls = 0

    def markets(self, currency: str, **query: Any) -> list[Any]:
        self.calls += 1
        return self._source.markets(currency, **query)


class Interrupted:
    """The source, with something that happens after each of its answers."""

    def __init__(self, source: CoinGecko, then: Callable[[], object]) -> None:
        self._source = source
        self._then = then

    def markets(
        self,
        currency: str,
        *,
        deadline: Deadline,
        ids: Sequence[str] = (),
        page: int = 1,
        per_page: int = 250,
    ) -> list[Any]:
        rows = self._source.markets(
            currency, deadline=deadline, ids=ids, page=page, per_page=per_page
        )
        self._then()
        return rows


@pytest.mark.row("no-quote")
def test_good_coins_are_stored_and_the_others_are_named(
    run: Run,
    update: Callable[..., Document],
    store: QuoteStore,
    simulator: SimulatorControl,
    database: Database[Document],
) -> None:
    # Given 98 good coins, one without a price, one that was retired, one that is unknown
    coins = [coin.id for coin in Market(seed=1, coins=300).coins if not coin.lag][:100]
    simulator.fault("null_price", coin=coins[98])
    simulator.fault("retired", coin=coins[99])
    # When
    outcome = run(",".join([*coins, "no-such-coin"]))
    # Then
    assert outcome == Outcome("done", 98)
    done = update()
    assert (done["state"], done["error"]) == ("done", None)
    assert done["counts"] == {
        "asked": 101,
        "answered": 98,
        "stored": 98,
        "unchanged": 0,
        "left_out": 3,
        "held": 0,
        "released": 0,
        "dropped": 0,
    }
    assert done["ticks"] == []
    assert left_out(done) == {
        coins[98]: "its price is null",
        coins[99]: "the source does not know it",
        "no-such-coin": "the source does not know it",
    }
    assert set(database["quotes"].distinct("_id.coin")) == set(coins[:98])
    assert set(store.latest().coins) == set(coins[:98])
    states = {coin: known["state"] for coin, known in store.coins().items()}
    assert states == {
        **dict.fromkeys(coins[:98], "active"),
        **dict.fromkeys([*coins[98:], "no-such-coin"], "missing"),
    }


def test_the_hops_follow_each_other(run: Run, update: Callable[..., Document]) -> None:
    run("bitcoin,top:20")
    hops = update()["hops"]
    order = ["received", "started", "claimed", "fetched", "stored", "merged", "finished"]
    assert set(hops) == set(order)
    times = [hops[name] for name in order]
    # MongoDB keeps milliseconds, cut off; its own clock says when it was claimed.
    for before, after in pairwise(times):
        assert before - after <= timedelta(milliseconds=2)


def test_whoever_watches_is_told_of_each_page_and_of_what_came(
    run: Run, update: Callable[..., Document], source: CoinGecko
) -> None:
    shares: list[float] = []
    fetch(source, page_queries(parse_coins("top:1000")), "usd", shares.append)
    assert sorted(shares) == [0.25, 0.5, 0.75, 1]
    run("bitcoin,unknown")
    counts = {"asked": 2, "answered": 1, "left_out": 1}
    told = {"fence": 1, "stage": "storing", "share": 0, "counts": counts}
    wait_until(lambda: update().get("run") == told, "what it told")


@pytest.mark.parametrize(("seconds", "fetching"), [(0.0, [0.25, 0.5, 0.75]), (60.0, [])])
def test_how_far_it_is_is_told_now_and_then(
    run: Run, monkeypatch: pytest.MonkeyPatch, seconds: float, fetching: list[float]
) -> None:
    told: list[tuple[str, float]] = []
    monkeypatch.setattr("market.ingest.run_update.REPORT_SECONDS", seconds)
    monkeypatch.setattr(
        Ledger,
        "report_progress",
        lambda _, _claim, stage, share, *_counts: told.append((stage, share)),
    )
    run("top:1000")
    assert sorted(told) == [*(("fetching", share) for share in fetching), ("storing", 0)]


def test_a_quote_says_what_the_page_said(
    run: Run, store: QuoteStore, simulator: SimulatorControl
) -> None:
    simulator.fault("price", coin="bitcoin", value=12345.678)
    run("bitcoin")
    (quote,) = store.newest("bitcoin")
    latest = store.latest().coins["bitcoin"]
    assert quote["price"] == latest["price"] == 12345.678
    assert quote["source"] == latest["source"] == "simulator"
    assert timedelta(0) <= quote["recorded_at"] - quote["_id"]["at"] < timedelta(seconds=10)
    assert latest["at"] == quote["_id"]["at"]


def test_a_coin_on_two_pages_is_one_quote(
    run: Run, store: QuoteStore, update: Callable[..., Document], database: Database[Document]
) -> None:
    assert run("bitcoin,ethereum,top:20").stored == 20
    assert update()["counts"]["asked"] == 20
    assert database["quotes"].count_documents({}) == 20


def test_more_coins_than_a_page_holds(run: Run) -> None:
    # The simulator has 300 coins, of which it lists those that are not wrapped.
    listed = sum(not coin.wrapped for coin in Market(seed=1, coins=300).coins)
    assert 250 < listed < 300
    assert run("top:1000") == Outcome("done", listed)


@pytest.mark.row("no-quote")
def test_a_retired_coin_is_collected_as_its_successor(
    run: Run, store: QuoteStore, update: Callable[..., Document]
) -> None:
    assert run("matic-network") == Outcome("done", 1)
    assert left_out(update()) == {
        "matic-network": "retired by the source; polygon-ecosystem-token is collected in its place"
    }
    assert len(store.newest("polygon-ecosystem-token")) == 1
    matic = store.coins()["matic-network"]
    assert (matic["state"], matic["successor"]) == ("retired", "polygon-ecosystem-token")


@pytest.mark.row("source-failing")
def test_when_every_page_fails_the_update_fails_with_the_reason(
    run: Run,
    store: QuoteStore,
    update: Callable[..., Document],
    simulator: SimulatorControl,
    database: Database[Document],
) -> None:
    simulator.fault("body", body=NO_USE, status=400, times=99)
    assert run("bitcoin,top:20") == Outcome("failed", 0)
    failed = update()
    assert (failed["state"], failed["error"]) == ("failed", "127.0.0.1 answered 400: no use")
    assert left_out(failed) == {"bitcoin": "the call for it failed"}
    assert database["quotes"].count_documents({}) == 0
    assert store.coins() == {}  # nobody said that it is missing


def test_nothing_is_said_of_a_retired_coin_that_could_not_be_asked_for(
    run: Run, update: Callable[..., Document], simulator: SimulatorControl
) -> None:
    simulator.fault("body", body="no", status=400, times=None)
    assert run("matic-network").state == "failed"
    assert left_out(update()) == {"matic-network": "the call for it failed"}


@pytest.mark.row("source-failing")
def test_when_one_page_fails_the_rest_is_kept(
    run: Run, update: Callable[..., Document], simulator: SimulatorControl
) -> None:
    simulator.fault("body", body=NO_USE, status=400)
    outcome = run("top:500")  # two pages: 250 coins, and those that are left
    assert outcome.state == update()["state"] == "done"
    assert outcome.stored in (250, 300 - 250 - 4)
    assert update()["error"] == "127.0.0.1 answered 400: no use"


def test_when_no_row_is_a_quote_the_update_fails(
    run: Run, update: Callable[..., Document], simulator: SimulatorControl
) -> None:
    simulator.fault("body", body='[null, {"id": "bitcoin"}]')
    assert run("bitcoin") == Outcome("failed", 0)
    assert update()["error"] == "the source answered no usable quote"
    assert left_out(update()) == {
        "?": "the row is no object but NoneType",
        "bitcoin": "its price is null",
    }


@pytest.mark.row("source-failing")
def test_a_long_wait_puts_the_update_off(
    run: Run, ledger: Ledger, update: Callable[..., Document], simulator: SimulatorControl
) -> None:
    # Given
    simulator.fault("rate_limited", retry_after=119, times=99)
    # When
    assert run("bitcoin,top:20") == Outcome("received", 0)
    # Then
    waits = update()
    assert waits["state"] == "received"
    wait = waits["not_before"] - datetime.now(UTC)
    assert timedelta(seconds=100) < wait <= timedelta(seconds=119)
    assert "asks to wait 119 s" in waits["error"]
    assert ledger.claim("a", "worker", datetime.now(UTC)) is None


def test_one_page_that_must_wait_does_not_hold_the_others(
    run: Run, update: Callable[..., Document], simulator: SimulatorControl, store: QuoteStore
) -> None:
    simulator.fault("rate_limited", retry_after=119)
    assert run("bitcoin,top:20").state == "received"
    assert "1 of 2 pages were stored; 127.0.0.1 limits the calls" in update()["error"]
    assert store.latest().coins  # can be read while the other page waits


@pytest.mark.row("on-demand-limited")
def test_an_update_on_demand_waits_no_longer_than_120_s(
    run: Run, update: Callable[..., Document], simulator: SimulatorControl, database: Any
) -> None:
    simulator.fault("rate_limited", retry_after=50, times=99)
    states = []
    for waited in (0, 50, 100):
        since = datetime.now(UTC) - timedelta(seconds=waited)
        states.append(run("bitcoin,top:20").state if not waited else again(run, database, since))
    assert states == ["received", "received", "failed"]
    assert "asks to wait 50 s" in update()["error"]


def again(run: Run, database: Any, since: datetime) -> str:
    """The next try at an update that waits since then, once its wait is over."""
    database["updates"].update_one(
        {"_id": "a"}, {"$set": {"waiting_since": since, "not_before": None}}
    )
    return run("bitcoin,top:20").state


@pytest.mark.row("on-demand-limited")
@pytest.mark.parametrize("seconds", [6, 30, 119])
def test_a_wait_of_more_than_5_s_holds_no_worker(
    run: Run, simulator: SimulatorControl, seconds: int
) -> None:
    simulator.fault("rate_limited", retry_after=seconds, times=99)
    began = time.monotonic()
    assert run("bitcoin").state == "received"
    assert time.monotonic() - began < 5


@pytest.mark.row("on-demand-limited")
def test_demands_join_the_update_that_waits_already(
    run: Run,
    update: Callable[..., Document],
    simulator: SimulatorControl,
    database: Database[Document],
    source: CoinGecko,
) -> None:
    # Given an update that waits, and two demands that come after it
    counted = Counted(source)

    def demand(name: str) -> Outcome:
        return run("bitcoin", name, through=lambda _: counted)

    simulator.fault("rate_limited", retry_after=60)
    assert [demand(name).state for name in ("a", "b", "c")] == ["received"] * 3
    assert counted.calls == 1
    assert update("b")["error"] == "update a for the same coins waits for the source already"
    assert abs(update("b")["not_before"] - update("a")["not_before"]) < timedelta(seconds=1)
    # When the wait is over
    database["updates"].update_many({}, {"$set": {"not_before": None}})
    assert demand("a") == Outcome("done", 1)
    # Then all end with its quotes, and only one asked for them
    assert [demand(name) for name in ("b", "c")] == [Outcome("done", 0)] * 2
    assert counted.calls == 2
    assert update("b")["error"].startswith("update a stored its quotes")


def test_an_update_that_waits_for_room_is_not_joined(run: Run, ledger: Ledger) -> None:
    assert run("bitcoin", obstacle=lambda: "no room").state == "received"
    assert run("bitcoin", "b") == Outcome("done", 1)


def test_a_demand_fetches_by_itself_when_nobody_waits(run: Run, source: CoinGecko) -> None:
    counted = Counted(source)
    for name in ("a", "b"):
        assert run("bitcoin", name, through=lambda _: counted).state == "done"
    assert counted.calls == 2


@pytest.mark.row("clock-ahead")
def test_a_slot_is_over_by_mongodb_s_clock_and_not_by_the_worker_s(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker whose clock is years ahead
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(days=800)

    for module in ("ledger.ledger", "ingest.store_quotes"):
        monkeypatch.setattr(f"market.{module}.datetime", Ahead)
    slot = SCHEDULE.current(datetime.now(UTC))
    assert run("bitcoin", slot=slot).state == "done"


@pytest.mark.row("hours-missed")
def test_an_old_slot_is_missed_and_never_filled(
    run: Run, update: Callable[..., Document], database: Database[Document]
) -> None:
    slot = SCHEDULE.current(datetime.now(UTC))
    old = SCHEDULE.current(slot - timedelta(seconds=1))
    assert run("bitcoin", slot=old) == Outcome("missed", 0)
    assert (update()["state"], update()["error"]) == (
        "missed",
        "its slot was over before anyone could fetch it",
    )
    assert run("bitcoin", "now", slot=slot) == Outcome("done", 1)
    assert database["quotes"].count_documents({}) == 1


def test_an_old_slot_that_was_tried_has_failed(
    run: Run,
    ledger: Ledger,
    claim: Callable[..., UpdateClaim],
    update: Callable[..., Document],
) -> None:
    old = SCHEDULE.current(SCHEDULE.current(datetime.now(UTC)) - timedelta(seconds=1))
    ledger.postpone(claim("a", old), 0, "later")
    assert run("bitcoin", slot=old) == Outcome("failed", 0)
    assert update()["error"] == "its slot was over before an attempt succeeded; later"


def test_what_cannot_be_stored_is_put_off_with_the_reason(
    run: Run, update: Callable[..., Document], store: QuoteStore
) -> None:
    assert run("bitcoin", obstacle=lambda: "no room") == Outcome("received", 0)
    put_off = update()
    assert (put_off["state"], put_off["error"]) == ("received", "no room")
    assert put_off["not_before"] > put_off["received_at"]
    assert store.newest("bitcoin") == []


@pytest.mark.row("pool-child-killed")
def test_an_update_that_never_ends_is_given_up(
    run: Run, ledger: Ledger, update: Callable[..., Document], database: Database[Document]
) -> None:
    ledger.receive("a", trigger="event", slot=None, hops={})
    database["updates"].update_one({"_id": "a"}, {"$set": {"tries": MAX_ATTEMPTS}})
    assert run("bitcoin") == Outcome("failed", 0)
    assert update()["error"] == "10 attempts did not end"


@pytest.mark.row("no-quote")
def test_rows_that_stand_still_are_no_new_quotes(
    run: Run, update: Callable[..., Document], simulator: SimulatorControl, store: QuoteStore
) -> None:
    # Given
    for coin in ("bitcoin", "ethereum"):
        simulator.fault("frozen", coin=coin)
    assert run("bitcoin,ethereum", "first") == Outcome("done", 2)
    version = store.latest().version
    # When
    assert run("bitcoin,ethereum", "second") == Outcome("done", 0)
    # Then
    counts = update("second")["counts"]
    assert (counts["answered"], counts["stored"], counts["unchanged"]) == (2, 0, 2)
    assert len(store.newest("bitcoin")) == 1
    assert store.latest().version == version


def test_a_lease_that_is_lost_while_fetching_ends_the_run_before_it_writes(
    run: Run,
    source: CoinGecko,
    update: Callable[..., Document],
    database: Database[Document],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("market.ledger.lease.RENEW_SECONDS", 0.02)

    def stolen(lease: Lease) -> Source:
        def lost() -> bool:
            try:
                lease.check()
            except LeaseLost:
                return True
            return False

        def steal() -> None:
            database["updates"].update_one({"_id": "a"}, {"$inc": {"fence": 1}})
            wait_until(lost, "the loss to be noticed")

        return Interrupted(source, steal)

    with pytest.raises(LeaseLost):
        run("bitcoin", through=stolen)
    assert update()["state"] == "running"
    assert database["quotes"].count_documents({}) == 0
    assert database["latest"].count_documents({}) == 0


def test_a_lease_that_is_lost_unnoticed_closes_nothing(
    run: Run, source: CoinGecko, update: Callable[..., Document], database: Database[Document]
) -> None:
    def stolen(_: Lease) -> Source:
        return Interrupted(
            source, lambda: database["updates"].update_one({"_id": "a"}, {"$inc": {"fence": 1}})
        )

    with pytest.raises(LeaseLost, match="another worker claimed update a"):
        run("bitcoin", through=stolen)
    assert (update()["state"], update()["finished_at"]) == ("running", None)


@pytest.mark.parametrize("step", ["record", "describe", "merge_latest", "mark"])
@pytest.mark.row("worker-killed")
def test_an_update_that_died_on_the_way_is_finished_by_the_next_try(
    run: Run,
    store: QuoteStore,
    simulator: SimulatorControl,
    database: Database[Document],
    step: str,
) -> None:
    # Given a worker that dies at one step
    simulator.fault("frozen", coin="bitcoin")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError, match="killed"):

        def killed(*_: object, **__: object) -> None:
            raise RuntimeError("killed")

        patch.setattr(QuoteStore, step, killed)
        run("bitcoin,no-such-coin")
    # When its lease has run out
    database["updates"].update_one(
        {"_id": "a"}, {"$set": {"lease_until": datetime(2026, 1, 1, tzinfo=UTC)}}
    )
    assert run("bitcoin,no-such-coin").state == "done"
    # Then nothing is there twice, and nothing is left undone
    assert len(store.newest("bitcoin")) == 1
    assert set(store.latest().coins) == {"bitcoin"}
    coins = store.coins()
    assert (coins["bitcoin"]["name"], coins["bitcoin"]["state"]) == ("Bitcoin", "active")
    assert coins["no-such-coin"]["state"] == "missing"


def test_a_coin_that_comes_back_is_active_again(
    run: Run, store: QuoteStore, simulator: SimulatorControl
) -> None:
    run("bitcoin", "there")
    simulator.fault("retired", coin="bitcoin")
    run("bitcoin,ethereum", "gone")
    assert store.coins()["bitcoin"]["state"] == "missing"
    simulator.clear()
    run("bitcoin", "back")
    assert store.coins()["bitcoin"]["state"] == "active"


def test_a_coin_that_leaves_the_top_is_marked_and_its_quotes_stay(
    run: Run, store: QuoteStore
) -> None:
    # Given the top 3, one of them pinned by id
    run("bitcoin,top:3", "three")
    everyone = set(store.latest().coins)
    assert len(everyone) == 3
    # When only one is wanted
    run("bitcoin,top:1", "one")
    # Then
    states = {coin: one["state"] for coin, one in store.coins().items()}
    assert states == {coin: "active" if coin == "bitcoin" else "left" for coin in everyone}
    assert set(store.latest().coins) == everyone
    assert all(store.newest(coin) for coin in everyone)


def test_three_prices_have_the_deviation_of_the_task(
    run: Run, store: QuoteStore, simulator: SimulatorControl
) -> None:
    for price in (40000, 45000, 50000):
        simulator.fault("price", coin="bitcoin", value=price)
        assert run("bitcoin", f"at {price}") == Outcome("done", 1)
    prices = [quote["price"] for quote in store.newest("bitcoin")]
    assert prices == [50000, 45000, 40000]
    assert rounded(deviation(prices)) == 4082.48
