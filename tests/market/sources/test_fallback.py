"""The second source: an hour of failures of the first, told through the API; then back."""

import json
import math
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from pymongo.database import Database

from bench.fuzz.source import answers
from bench.harness.services import SimulatorControl, quote, wait_until
from bridge.connection import Connection
from market.gap_repair.queue import RepairQueue, RepairRequest
from market.gap_repair.worker import run_repair
from market.model.quotes import SkippedCoin
from market.schedule.clock import server_time
from market.schedule.slots import Schedule
from market.sources.coin_listing import FRESH, USABLE
from market.sources.coin_listing import Listing as Kept
from market.sources.coin_matching import MAX_RATIO, SHARED, UNLISTED, doubt, match_coins
from market.sources.coinpaprika import _listed, _row
from market.sources.fallback import (
    FallbackPages,
    FallbackSource,
    Listing,
)
from market.sources.fetch import FetchResult
from market.sources.http import Deadline, SourceError
from market.storage.database import Document
from market.storage.quote_history import QuoteHistory
from market.storage.quote_store import Latest, QuoteStore
from settings import Settings, parse_coins
from simulator.app import create_simulator
from simulator.market import Market
from simulator.server import serving
from tasks import ingest
from tasks.dependencies import Services
from tests.harness.recordings import COINGECKO, COINPAPRIKA, WHOLE
from tests.harness.worker import in_a_worker

MINUTE = 60_000
QUARTER = timedelta(minutes=15)
NOW = datetime.now(UTC)
MARKET = Market(seed=1, coins=300)
TICKERS = "/v1/tickers"
FIRST = "/coins"  # CoinGecko's paths; CoinPaprika's are others

Run = Callable[..., Document]


class Clock:
    """The simulator's present in milliseconds; begins a day ago."""

    def __init__(self) -> None:
        self.now = time.time_ns() // 1_000_000 - 24 * 60 * MINUTE

    def __call__(self) -> int:
        return self.now

    def forward(self, minutes: int = 15) -> None:
        self.now += minutes * MINUTE


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("market.sources.http.FIRST_PAUSE", 0.001)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def simulator(clock: Clock) -> Iterator[SimulatorControl]:
    with serving(create_simulator(MARKET, clock=clock)) as url:
        yield SimulatorControl(url)


@pytest.fixture
def settings(settings: Settings, simulator: SimulatorControl) -> Settings:
    more = {"second_source": "coinpaprika", "coinpaprika_api_url": f"{simulator.url}/v1"}
    return settings.model_copy(update=more)


@pytest.fixture
def on(
    environment: None, database: Database[Document], connection: Connection
) -> Iterator[Services]:
    with in_a_worker() as made:
        yield made


@pytest.fixture
def run(on: Services, clock: Clock) -> Run:
    """Carries out an update as the worker does, 15 minutes after the one before."""

    def carried_out(name: str, slot: datetime | None = None) -> Document:
        clock.forward()
        on.ledger.receive(name, trigger="event", slot=slot, hops={})
        ingest.ingest.apply((name,), throw=True)
        update = on.ledger.get(name)
        assert update is not None
        return update

    return carried_out


def price(coin: str, clock: Clock) -> Any:
    known = MARKET.coin(coin)
    assert known is not None
    return MARKET.row(known, clock.now)["current_price"]


def left_out(update: Document) -> dict[str, str]:
    return {one["coin"]: one["reason"] for one in update["left_out"]}


def test_an_hour_of_failures_goes_on_from_the_second_source_and_back_by_itself(
    on: Services,
    run: Run,
    clock: Clock,
    store: QuoteStore,
    client: FlaskClient,
    simulator: SimulatorControl,
    database: Database[Document],
) -> None:
    def served() -> Any:
        answer = client.get("/stats?coin=bitcoin").json
        return answer is not None and answer.get("price") == price("bitcoin", clock)

    # Given
    assert run("before")["source"] is None
    known = store.coins()
    # When CoinGecko answers only 500 for an hour
    simulator.fault("server_error", status=500, times=None, path=FIRST)
    hour = [run(f"500-{number}") for number in range(4)]
    # Then quotes go on, marked, and the ledger says from where and why
    for update in hour:
        assert (update["state"], update["source"]) == ("done", "simulator-2")
        assert update["counts"]["stored"] == 20
        assert update["error"] == (
            "127.0.0.1 answered 500: api.coingecko.com | 500: Internal Server Error Internal "
            "Server Error Error 500; 20 of 20 coins are quoted from simulator-2 instead"
        )
    wait_until(served, "the price of the second source at /stats")
    assert client.get("/v1/coins/bitcoin").json["source"] == "simulator-2"  # type: ignore[index]
    assert client.get("/v1/updates/500-3").json["source"] == "simulator-2"  # type: ignore[index]
    assert store.coins() == known  # names, ranks and states are the first source's
    # When the fault ends
    simulator.clear()
    back = run("after")
    # Then it goes on from the first, and each quote is there once
    assert (back["state"], back["error"], back["source"]) == ("done", None, None)
    wait_until(served, "the price of the first source at /stats")
    assert client.get("/v1/updates/after").json["source"] == "simulator"  # type: ignore[index]
    quotes = store.newest("bitcoin")
    assert [one["source"] for one in quotes] == ["simulator", *["simulator-2"] * 4, "simulator"]
    times = [one["_id"]["at"] for one in quotes]
    assert all(
        timedelta(minutes=14) < newer - older < timedelta(minutes=16)
        for newer, older in pairwise(times)
    )
    assert database["quotes"].count_documents({}) == 6 * 20


def test_a_slot_that_the_second_source_quoted_is_not_repaired(
    on: Services,
    run: Run,
    store: QuoteStore,
    simulator: SimulatorControl,
    database: Database[Document],
) -> None:
    class NoCharts:
        def chart(self, *_: object, **__: object) -> Any:
            raise AssertionError("a chart was asked for")

    run("before")
    simulator.fault("server_error", times=None, path=FIRST)
    for number in range(4):
        run(f"500-{number}")
    times = [one["_id"]["at"] for one in store.newest("bitcoin")]
    repairs = RepairQueue(database)
    repairs.add([RepairRequest("bitcoin", times[-1] + QUARTER / 2, times[0] - QUARTER / 2, 1)], NOW)
    repair = repairs.claim()
    assert repair is not None
    run_repair(
        repair,
        repairs=repairs,
        history=QuoteHistory(database),
        charts=NoCharts(),
        schedule=Schedule("*/15 * * * *"),
        currency="usd",
        label="simulator",
    )


@pytest.mark.parametrize("second", ["off", "fails", "has nothing"])
def test_when_neither_gives_a_quote_the_update_fails_with_both_reasons(
    on: Services,
    run: Run,
    simulator: SimulatorControl,
    database: Database[Document],
    monkeypatch: pytest.MonkeyPatch,
    second: str,
) -> None:
    run("before")
    simulator.fault("body", body='{"error": "no use"}', status=400, times=None, path=FIRST)
    also = {
        "off": "",
        "fails": "; 127.0.0.1 answered 402: pay",
        "has nothing": "; simulator-2 answered no usable quote",
    }
    if second == "off":
        monkeypatch.setattr(on, "fallback", None)
    elif second == "fails":
        body = '{"error": "pay"}'
        simulator.fault("body", body=body, status=402, times=None, path=TICKERS)
    else:
        simulator.fault("body", body="[]", times=None, path=TICKERS)
    update = run("failed")
    assert (update["state"], update["source"]) == ("failed", None)
    assert update["error"] == f"127.0.0.1 answered 400: no use{also[second]}"
    assert left_out(update)["bitcoin"] == "the call for it failed"
    assert database["quotes"].count_documents({}) == 20


def test_a_wait_within_the_slot_is_waited_for_and_a_longer_one_is_not(
    on: Services, run: Run, simulator: SimulatorControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a source that asks to wait for an hour
    run("before")
    simulator.fault("rate_limited", retry_after=3600, times=None, path=FIRST)
    # When the slot lasts for a year, and for an hour
    ended = []
    for expression in ("0 0 1 1 *", "0 * * * *"):
        schedule = Schedule(expression)
        monkeypatch.setattr(on, "schedule", schedule)
        ended.append(run(expression, schedule.current(datetime.now(UTC))))
    # Then
    assert [one["state"] for one in ended] == ["received", "done"]
    assert "asks to wait 3600 s; 20 of 20 coins are quoted from simulator-2" in re.sub(
        r" s: [^;]*", " s", ended[1]["error"]
    )


@pytest.mark.row("on-demand-limited")
def test_a_demand_for_which_there_is_no_time_to_wait_is_quoted_from_the_second_source(
    run: Run, simulator: SimulatorControl
) -> None:
    run("before")
    simulator.fault("rate_limited", retry_after=121, times=None, path=FIRST)
    update = run("limited")
    assert (update["state"], update["source"]) == ("done", "simulator-2")


def test_the_first_source_s_answer_without_a_usable_quote_is_no_answer(
    run: Run, store: QuoteStore, simulator: SimulatorControl
) -> None:
    run("before")
    simulator.fault("body", body="[]", times=None, path=FIRST)
    update = run("instead")
    assert (update["state"], update["source"]) == ("done", "simulator-2")
    assert update["error"] == (
        "the source answered no usable quote; 20 of 20 coins are quoted from simulator-2 instead"
    )
    assert {one["state"] for one in store.coins().values()} == {"active"}


def test_a_coin_is_quoted_by_its_symbol_and_name_alone_and_none_is_confused(
    run: Run, clock: Clock, store: QuoteStore, simulator: SimulatorControl
) -> None:
    # Given a list with two bitcoins, an ethereum of another name, and one of another symbol
    run("before")
    simulator.fault("server_error", times=None, path=FIRST)
    clock.forward()
    with requests.get(f"{simulator.url}{TICKERS}", timeout=5) as answer:
        tickers = {one["id"]: one for one in answer.json()}
    double = tickers["btc-bitcoin"] | {"id": "btc-bitcoin-2", "name": "BITCOIN"}
    ether = tickers["eth-ethereum"] | {"name": "Ethereum Two"}
    tether = tickers["usdt-tether"] | {"symbol": "UST"}
    listed = [*tickers.values(), double]
    listed = [one for one in listed if one["id"] not in ("eth-ethereum", "usdt-tether")]
    body = json.dumps([*listed, ether, tether])
    simulator.fault("body", body=body, times=None, path=TICKERS)
    # When
    update = run("instead")
    # Then these have no quote, those that are wanted by id are named, and none is called missing
    assert update["counts"]["stored"] == 17
    assert "17 of 20 coins are quoted from simulator-2" in update["error"]
    assert set(left_out(update)) == {"bitcoin", "ethereum"}
    for coin in ("bitcoin", "ethereum", "tether"):
        assert [one["source"] for one in store.newest(coin)] == ["simulator"]
    assert {one["state"] for one in store.coins().values()} == {"active"}


def test_a_price_that_may_be_another_coin_s_is_not_stored(
    run: Run, store: QuoteStore, simulator: SimulatorControl
) -> None:
    run("before")
    known = store.latest().coins["bitcoin"]["price"]
    simulator.fault("server_error", times=None, path=FIRST)
    simulator.fault("price", coin="bitcoin", value=known * 3)
    for name in ("once", "twice"):  # a second one alike makes it no better
        update = run(name)
        assert "it may be another coin" in left_out(update)["bitcoin"]
        assert update["counts"]["stored"] == 19
    assert len(store.newest("bitcoin")) == 1


def test_a_tick_that_is_held_keeps_its_source(
    run: Run, store: QuoteStore, simulator: SimulatorControl
) -> None:
    # Given a move of the second source that is not credible at first
    for number in range(3):
        run(f"before-{number}")
    known = store.latest().coins["bitcoin"]["price"]
    simulator.fault("server_error", times=None, path=FIRST)
    simulator.fault("price", coin="bitcoin", value=known * 1.9)
    assert run("held")["counts"]["held"] == 1
    # When the first source says the same
    simulator.clear()
    simulator.fault("price", coin="bitcoin", value=known * 1.9)
    assert run("released")["counts"]["released"] == 1
    # Then both are stored, each with its source
    assert [one["source"] for one in store.newest("bitcoin")][:2] == ["simulator", "simulator-2"]


def as_tickers(body: str) -> str:
    """A hostile answer of the first source, its rows turned to tickers as far as they are rows."""
    body = re.sub(r'"current_price": ([^,}]*)', r'"quotes": {"USD": {"price": \1}}', body)
    for coin in (known for known in MARKET.coins if f'"id": "{known.id}"' in body):
        names = f'"id": "{coin.id}", "symbol": "{coin.symbol}", "name": "{coin.name}"'
        body = body.replace(f'"id": "{coin.id}", "symbol": "x", "name": "X"', names)
    return body


def test_hostile_answers_leave_no_wrong_quote_and_are_named(
    run: Run, store: QuoteStore, simulator: SimulatorControl, database: Database[Document]
) -> None:
    run("before")
    ended, judged = {"done": 0, "failed": 0}, 0
    for number, (_, fault) in zip(range(60), answers(seed=2), strict=False):
        known = store.latest().coins
        simulator.clear()
        simulator.fault("server_error", status=500, times=None, path=FIRST)
        if fault["kind"] == "body":
            fault["body"] = as_tickers(fault["body"])
        # When
        simulator.fault(**fault | ({"path": TICKERS} if "times" in fault else {}))
        update = run(f"hostile-{number}")
        # Then
        ended[update["state"]] += 1
        assert update["error"].startswith("127.0.0.1 answered 500")
        for stored in database["quotes"].find({"recorded_at": update["hops"].get("fetched")}):
            judged += 1
            before = known[stored["_id"]["coin"]]
            assert stored["source"] == "simulator-2"
            assert math.isfinite(stored["price"])
            assert before["price"] / MAX_RATIO <= stored["price"] <= before["price"] * MAX_RATIO
            assert stored["_id"]["at"] > before["at"]
    assert min(ended.values()) > 5
    assert judged > 100


def test_when_nothing_of_the_second_source_is_believed_each_coin_says_why(
    on: Services, run: Run, clock: Clock, simulator: SimulatorControl
) -> None:
    run("before")
    simulator.fault("server_error", times=None, path=FIRST)
    clock.forward(-30)  # its prices are of before
    update = run("failed")
    assert (update["state"], update["source"], update["counts"]["left_out"]) == ("failed", None, 20)
    assert all("is older than the known one" in reason for reason in left_out(update).values())


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [
        (NOW, 100.0, None),
        (NOW, 200.0, None),
        (NOW, 50.0, None),
        (NOW, 201.0, "its price of 201 is not between half and twice the known 100"),
        (NOW, 49.9, "its price of 49.9 is not between half and twice the known 100"),
        (NOW, 0.0, "its price of 0 is not between half and twice the known 100"),
        (NOW - timedelta(hours=1), 100.0, "is older than the known one"),
    ],
)
def test_what_is_not_believed(at: datetime, value: float, reason: str | None) -> None:
    known = {"at": NOW - timedelta(minutes=15), "price": 100.0, "market_cap": 1e9}
    found = doubt(quote("bitcoin", value, at, market_cap=1e9), known)
    assert found is None if reason is None else reason in str(found)


@pytest.mark.parametrize(
    ("price", "market_cap", "known_cap", "reason"),
    [
        (100.0, 2e9, 1e9, None),
        (100.0, 5e8, 1e9, None),
        (
            100.0,
            2.1e9,
            1e9,
            "its market cap of 2.1e+09 is not between half and twice the known 1e+09",
        ),
        (100.0, 4e8, 1e9, "its market cap of 4e+08 is not between half and twice the known 1e+09"),
        (100.0, None, 1e9, "no market cap to compare: it may be another coin"),
        (100.0, 0.0, 1e9, "no market cap to compare: it may be another coin"),
        (100.0, 1e9, None, "no market cap to compare: it may be another coin"),
        (100.0, 1e9, 0.0, "no market cap to compare: it may be another coin"),
        (3e-7, 1e9, 1e9, "its price of 3e-07 is rounded to 8 decimals: too coarse"),
        (1.2e-7, 1e9, 1e9, "its price of 1.2e-07 is rounded to 8 decimals: too coarse"),
        (1.234e-7, 1e9, 1e9, None),
        (1.23e-6, 1e9, 1e9, None),
    ],
)
def test_what_may_be_another_coin_or_has_lost_its_digits_is_not_believed(
    price: float, market_cap: float | None, known_cap: float | None, reason: str | None
) -> None:
    known = {"at": NOW - timedelta(minutes=15), "price": price, "market_cap": known_cap}
    found = doubt(quote("bitcoin", price, NOW, market_cap=market_cap), known)
    assert found is None if reason is None else reason in str(found)


class Recorded:
    """Recorded tickers, as if they were of this moment, and the list of coins of that day."""

    def __init__(self, folder: Path) -> None:
        self._tickers, self._coins = (
            json.loads((folder / f"{name}_2019-09-06.json").read_text())
            for name in ("tickers", "coins")
        )

    def catalogue(self, currency: str, *, deadline: Deadline) -> list[dict[str, Any]]:
        rows = [_row(one | {"last_updated": NOW.isoformat()}, currency) for one in self._tickers]
        return [row for row in rows if row is not None]

    def listing(self, deadline: Deadline) -> list[dict[str, Any]]:
        return [row for one in self._coins if (row := _listed(one))]


@pytest.mark.row("another-coin")
def test_of_recorded_tickers_none_is_taken_for_a_coin_that_came_later() -> None:
    # Given tickers of 2019, and coins of which some have the names of others that were there then
    source = Recorded(COINPAPRIKA)
    pages = sorted(COINGECKO.glob("markets_usd*.json"))
    rows = {row["id"]: row for page in pages for row in json.loads(page.read_text())}
    coins = {
        coin: {name: row[name] for name in ("symbol", "name", "image")}
        | {"rank": row["market_cap_rank"], "state": "active"}
        for coin, row in rows.items()
    }
    then = NOW - timedelta(minutes=15)
    known = {
        coin: {"at": then, "price": row["current_price"], "market_cap": row["market_cap"]}
        for coin, row in rows.items()
    }
    # When they stand in for the first source
    catalogue, listed = source.catalogue("usd", deadline=Deadline(1)), source.listing(Deadline(1))
    matched, _ = match_coins(catalogue, coins, listed)
    wanted = parse_coins(f"bitcoin,ethereum,top:{len(rows)}")
    substitute = FallbackSource("coinpaprika", source, source.listing)
    found = substitute.fetch(FetchResult(), wanted, "usd", coins, Latest(1, known))
    # Then a name alone attaches no price
    reasons = {one.coin: one.reason for one in found.skipped}
    for coin, other in (("beam-2", "beam-beam"), ("terra-luna-2", "luna-terra")):
        assert matched[coin]["id"] == other
        assert coin not in found.quotes
        assert "it may be another coin" in reasons[coin]
    assert len(found.quotes) > 10 or not WHOLE
    for coin, one in found.quotes.items():
        cap = known[coin]["market_cap"]
        assert one.market_cap is not None
        assert cap / MAX_RATIO <= one.market_cap <= cap * MAX_RATIO


@pytest.mark.row("another-coin")
def test_of_recorded_names_each_that_two_active_coins_have_is_refused() -> None:
    # Given tickers of one of the two active coins that are listed as P2P, P2Pcoin
    source = Recorded(COINPAPRIKA)
    listed = source.listing(Deadline(1))
    rows = source.catalogue("usd", deadline=Deadline(1))
    coins = {row["id"]: row for row in rows}
    assert "p2p-p2pcoin-" in coins
    assert "p2p-p2pcoin" not in coins
    # When each is looked for under the names that it has there
    found, doubts = match_coins(rows, coins, listed)
    # Then all are found, but for that one, one whose key is doubled, and those that are not listed
    assert all(row["id"] == coin for coin, row in found.items())
    shared = {coin for coin, why in doubts.items() if why == SHARED}
    assert shared == {"p2p-p2pcoin-", "sft-safex-token", "safex-safe-exchange-coin"}
    assert {coin for coin, why in doubts.items() if why == UNLISTED} == {
        coin for coin in coins if coin not in {one["id"] for one in listed} | shared
    }
    assert len(found) + len(doubts) == len(coins) == (2541 if WHOLE else 13)
    assert len(doubts) == (181 if WHOLE else 3)  # most are inactive, though they have a price


ROW: dict[str, Any] = {"id": "a-a", "symbol": "A", "name": "a", "current_price": 1, "market_cap": 9}
COIN = {"symbol": "a", "name": "a", "rank": 1, "state": "active"}


class Listed:
    """Has these rows, each a minute old."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self._rows = [row | {"last_updated": NOW.isoformat()} for row in rows]

    def catalogue(self, currency: str, *, deadline: Deadline) -> list[dict[str, Any]]:
        return self._rows

    def listing(self, deadline: Deadline) -> list[dict[str, Any]]:
        return self._rows


def stood_in(source: Listed, listing: Listing, wanted: str = "a") -> FetchResult:
    known = {"a": {"at": NOW - timedelta(hours=1), "price": 1.0, "market_cap": 9.0}}
    return FallbackSource("second", source, listing).fetch(
        FetchResult(), parse_coins(wanted), "usd", {"a": COIN}, Latest(1, known)
    )


@pytest.mark.parametrize("wanted", ["a", "top:5"])
def test_a_coin_whose_names_another_has_is_named(wanted: str) -> None:
    source = Listed(ROW, ROW | {"id": "a-b", "name": "A", "current_price": None})
    found = stood_in(source, source.listing, wanted)
    assert found.quotes == {}
    assert found.skipped == [SkippedCoin("a", f"second: {SHARED}")]


@pytest.mark.row("another-coin")
@pytest.mark.parametrize(
    ("others", "why"),
    [([], None), (["a-b"], SHARED), (["a-b", "a-c"], SHARED)],
)
def test_a_coin_whose_names_another_has_without_a_price_is_named(
    others: list[str], why: str | None
) -> None:
    found = stood_in(Listed(ROW), lambda _: [ROW, *({**ROW, "id": other} for other in others)])
    assert list(found.quotes) == ([] if why else ["a"])
    assert found.skipped == ([SkippedCoin("a", f"second: {why}")] if why else [])


def test_a_price_of_an_id_that_is_not_listed_is_refused() -> None:
    found = stood_in(Listed(ROW), lambda _: [ROW | {"id": "a-b"}])
    assert found.skipped == [SkippedCoin("a", f"second: {UNLISTED}")]


def test_without_the_list_of_coins_no_price_is_taken() -> None:
    def none(deadline: Deadline) -> list[dict[str, Any]]:
        raise SourceError("no list")

    found = stood_in(Listed(ROW), none)
    assert found.quotes == {}
    assert [str(one) for one in found.failures][1:] == ["no list"]


def test_an_update_asks_for_the_list_of_coins_once_a_day(
    on: Services, run: Run, simulator: SimulatorControl, database: Database[Document]
) -> None:
    # Given a list that is kept although the source has no limit
    assert on.fallback is not None
    assert isinstance(on.fallback._listing, Kept)
    on.fallback._listing._fresh = FRESH
    run("before")
    simulator.fault("server_error", times=None, path=FIRST)
    assert run("first")["counts"]["stored"] == 20
    # When the source has no list any more
    simulator.fault("server_error", times=None, path="/v1/coins")
    # Then the kept one serves, but not for longer than a week
    for age, stored in ((timedelta(hours=23), 20), (timedelta(days=6), 20), (USABLE, 0)):
        aged = {"$set": {"at": server_time(database) - age}}
        database["listings"].update_one({"_id": "simulator-2"}, aged)
        update = run(f"after {age}")
        assert update["counts"]["stored"] == stored
    assert update["state"] == "failed"
    assert update["error"].endswith("no coin can be told from another without it")


def test_without_a_known_price_nothing_is_believed() -> None:
    assert doubt(quote("bitcoin", 1.0), None) is not None


def test_the_second_source_is_asked_once_whatever_it_answers() -> None:
    class Counted:
        calls = 0

        def catalogue(self, currency: str, *, deadline: Deadline) -> list[dict[str, Any]]:
            self.calls += 1
            raise SourceError("no use")

    source = Counted()
    stand_in = FallbackPages(source, lambda _: [], {})
    for _ in range(3):
        with pytest.raises(SourceError, match="no use"):
            stand_in.markets("usd", deadline=Deadline(1))
    assert source.calls == 1


def test_pages_are_those_of_the_coins_collected_now_by_rank() -> None:
    states = {"a": (3, "active"), "b": (None, "active"), "c": (1, "active"), "d": (2, "left")}
    coins = {
        coin: {"symbol": coin.upper(), "name": coin, "rank": rank, "state": state}
        for coin, (rank, state) in states.items()
    }
    source = Listed(*({"id": f"x-{name}", "symbol": name, "name": name} for name in "abcde"))
    stand_in = FallbackPages(source, source.listing, coins)
    pages = [
        [row["id"] for row in stand_in.markets("usd", deadline=Deadline(1), page=n, per_page=2)]
        for n in (1, 2, 3)
    ]
    assert pages == [["c", "a"], ["b"], []]
    assert [one["id"] for one in stand_in.markets("usd", deadline=Deadline(1), ids=["d", "a"])] == [
        "a"
    ]
