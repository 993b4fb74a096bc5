"""The CoinPaprika client over real HTTP: the simulator's list, and what else may come."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from bench.harness.services import SimulatorControl
from market.model.quotes import Quote, parse_row
from market.sources.coinpaprika import CoinPaprika
from market.sources.http import Deadline, SourceError
from tests.harness.coinpaprika import TICKER


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("market.sources.http.FIRST_PAUSE", 0.001)


@pytest.fixture
def source(simulator: SimulatorControl) -> Iterator[CoinPaprika]:
    made = CoinPaprika(f"{simulator.url}/v1", cache_seconds=0)
    yield made
    made.close()


def body(simulator: SimulatorControl, document: Any) -> None:
    simulator.fault("body", body=json.dumps(document), times=99)


def test_a_documented_ticker_is_a_quote(source: CoinPaprika, simulator: SimulatorControl) -> None:
    body(simulator, [TICKER])
    (row,) = source.catalogue("usd", deadline=Deadline(5))
    assert parse_row(row, datetime.now(UTC), "coinpaprika") == Quote(
        coin="btc-bitcoin",
        at=datetime(2025, 6, 25, 10, 47, 48, tzinfo=UTC),
        price=107077.69661924685,
        market_cap=2129051326372.0,
        change_24h=1.74,
        volume_24h=23175936198.924427,
        name="Bitcoin",
        symbol="BTC",
        rank=None,
        image=None,
        source="coinpaprika",
    )


def test_a_market_cap_that_is_not_known_is_null(
    source: CoinPaprika, simulator: SimulatorControl
) -> None:
    quotes = {"USD": TICKER["quotes"]["USD"] | {"market_cap": 0}}  # type: ignore[index]
    body(simulator, [TICKER | {"quotes": quotes}])
    assert source.catalogue("usd", deadline=Deadline(5))[0]["market_cap"] is None


@pytest.mark.parametrize(
    "ticker", [None, 1, [], {}, {"quotes": []}, {"quotes": {"EUR": {}}}, {"quotes": {"USD": 1}}]
)
def test_what_has_no_quote_in_the_currency_has_no_price(
    source: CoinPaprika, simulator: SimulatorControl, ticker: Any
) -> None:
    body(simulator, [ticker, TICKER])
    *others, _ = source.catalogue("usd", deadline=Deadline(5))
    assert len(others) == isinstance(ticker, dict)
    assert all(one["current_price"] is None for one in others)


def test_a_bad_ticker_loses_no_other(source: CoinPaprika, simulator: SimulatorControl) -> None:
    price = '"price": 107077.69661924685'
    bad = [json.dumps(TICKER).replace(price, f'"price": {one}') for one in ("NaN", "1e400", "1.")]
    simulator.fault("body", body=f"[{', '.join([*bad, json.dumps(TICKER)])}]", times=99)
    rows = source.catalogue("usd", deadline=Deadline(5))
    prices = [str(row["current_price"]) for row in rows]
    assert prices == ["nan", "inf", "107077.69661924685"]


def test_anything_but_a_list_is_an_error(source: CoinPaprika, simulator: SimulatorControl) -> None:
    body(simulator, {"a": 1})
    with pytest.raises(SourceError, match=r"127.0.0.1 answered no list of coins: \{'a': 1\}"):
        source.catalogue("usd", deadline=Deadline(5))


def test_the_simulated_market_has_the_same_prices_under_other_ids(
    source: CoinPaprika, simulator: SimulatorControl
) -> None:
    simulator.fault("price", coin="bitcoin", value=12345.5)
    rows = {row["id"]: row for row in source.catalogue("eur", deadline=Deadline(5))}
    assert rows["btc-bitcoin"]["current_price"] == 12345.5
    assert len(rows) == 300


def test_a_call_that_is_refused_names_no_key(
    source: CoinPaprika, simulator: SimulatorControl
) -> None:
    simulator.fault("body", body="no", status=403)
    with pytest.raises(SourceError, match=r"^127.0.0.1 refuses the call \(403\): no$"):
        source.catalogue("usd", deadline=Deadline(5))


def test_an_answer_is_kept_for_its_currency_alone(simulator: SimulatorControl) -> None:
    source = CoinPaprika(f"{simulator.url}/v1")
    with requests.Session() as session:

        def served() -> int:
            answer = session.get(f"{simulator.url}/simulator/served?since=999999", timeout=5)
            return int(answer.json()["next"])

        for _ in range(3):
            source.catalogue("usd", deadline=Deadline(5))
        assert served() == 300
        source.catalogue("eur", deadline=Deadline(5))
        assert served() == 600
    source.close()


# From https://github.com/maikelmclauflin/coinpaprika-api-grpc, data/coins.json of 2019-09-06.
COINS = [
    {
        "id": "p2p-p2pcoin",
        "name": "p2pcoin",
        "symbol": "P2P",
        "rank": 2520,
        "is_new": False,
        "is_active": True,
        "type": "token",
    },
    {
        "id": "p2p-p2pcoin-",
        "name": "P2Pcoin",
        "symbol": "P2P",
        "rank": 2405,
        "is_new": False,
        "is_active": True,
        "type": "coin",
    },
    {
        "id": "sft-safex-token",
        "name": "Safex Token",
        "symbol": "SFT",
        "rank": 0,
        "is_new": False,
        "is_active": False,
        "type": "token",
    },
]


def test_the_list_has_the_active_coins_and_what_may_be_one(
    source: CoinPaprika, simulator: SimulatorControl
) -> None:
    odd: list[Any] = [
        None,
        1,
        [],
        {},
        {"id": 1, "symbol": "A", "name": "a"},
        {"id": "a", "symbol": "A"},
    ]
    body(simulator, [*COINS, *odd, {"id": "a-a", "symbol": "A", "name": "a"}])
    assert source.listing(Deadline(5)) == [
        {"id": "p2p-p2pcoin", "symbol": "P2P", "name": "p2pcoin"},
        {"id": "p2p-p2pcoin-", "symbol": "P2P", "name": "P2Pcoin"},
        {"id": "a-a", "symbol": "A", "name": "a"},
    ]


@pytest.mark.parametrize("answer", [[], {}, [1], [COINS[2]]])
def test_a_list_without_an_active_coin_is_none(
    source: CoinPaprika, simulator: SimulatorControl, answer: Any
) -> None:
    body(simulator, answer)
    with pytest.raises(SourceError, match=r"127.0.0.1 answered no (active coin|list of coins): "):
        source.listing(Deadline(5))


def test_the_simulated_market_lists_its_coins_but_for_the_retired(
    source: CoinPaprika, simulator: SimulatorControl
) -> None:
    simulator.fault("retired", coin="bitcoin")
    listed = {one["id"]: one for one in source.listing(Deadline(5))}
    assert len(listed) == 299
    assert listed["eth-ethereum"] == {"id": "eth-ethereum", "symbol": "ETH", "name": "Ethereum"}
