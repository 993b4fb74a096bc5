"""The seed's endpoints for reading."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from pymongo.database import Database
from werkzeug.http import http_date

from bench.harness.services import keep, quote
from market.gap_repair.matching import RepairedSlot
from market.gap_repair.queue import Repair, RepairQueue
from market.sources.coingecko import Point
from market.storage.database import Document
from market.storage.quote_store import QuoteStore

NOW = datetime.now(UTC)


def test_stats_are_the_newest_quote_and_nothing_else(
    client: FlaskClient, store: QuoteStore
) -> None:
    keep(store, quote("bitcoin", 40000, NOW - timedelta(hours=1)))
    keep(
        store,
        quote("bitcoin", 45000.5, market_cap=8.5e11, change_24h=-1.25),
        recorded_at=NOW,
    )

    answer = client.get("/stats?coin=bitcoin")

    assert answer.status_code == 200
    assert answer.json == {"price": 45000.5, "marketCap": 8.5e11, "24hChange": -1.25}
    assert answer.headers["Last-Modified"] == http_date(NOW)


def test_a_missing_number_is_null(client: FlaskClient, store: QuoteStore) -> None:
    keep(store, quote("bitcoin", 0.0000091))
    assert client.get("/stats?coin=bitcoin").json == {
        "price": 0.0000091,
        "marketCap": None,
        "24hChange": None,
    }


@pytest.mark.parametrize(
    ("prices", "deviation"),
    [
        ([40000, 45000, 50000], 4082.48),
        ([40000], 0.0),
        ([0.00000912, 0.00000920], 4.0e-08),
        ([1e6] + [1.0] * 100, 0.0),  # the 101st record no longer counts
    ],
)
def test_deviation_is_the_population_s_over_the_newest_100(
    client: FlaskClient, store: QuoteStore, prices: list[float], deviation: float
) -> None:
    for number, price in enumerate(prices):
        keep(store, quote("bitcoin", price, NOW - timedelta(minutes=200 - number)))
    assert client.get("/deviation?coin=bitcoin").json == {"deviation": deviation}


@pytest.mark.parametrize("path", ["/stats", "/deviation"])
@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ("", 400, "Coin parameter is required"),
        ("?coin=", 400, "Coin parameter is required"),
        ("?coin=bitcoin", 404, "No data found for bitcoin"),
        ("?coin=bitcoins", 400, "Unsupported coin. Must be one of: bitcoin, ethereum"),
        (f"?coin={'x' * 900}", 400, "Unsupported coin. Must be one of: bitcoin, ethereum"),
    ],
)
def test_errors_are_the_seed_s(
    client: FlaskClient, path: str, query: str, status: int, error: str
) -> None:
    answer = client.get(path + query)
    assert answer.status_code == status
    assert answer.json is not None
    assert answer.json["error"] == error


def test_with_many_coins_the_nearest_are_named(client: FlaskClient, store: QuoteStore) -> None:
    keep(store, *(quote(f"coin-{number}", 1.0) for number in range(50)), quote("bitcoin", 2.0))
    answer = client.get("/stats?coin=bitcon")
    assert answer.json is not None
    assert answer.json["error"].startswith("Unsupported coin. Must be one of: bitcoin")
    assert "52 coins in all" in answer.json["error"]


def test_a_retired_id_goes_on_with_its_successor(client: FlaskClient, store: QuoteStore) -> None:
    keep(store, quote("matic-network", 0.9, NOW - timedelta(days=400)))
    assert client.get("/stats?coin=matic-network").json == {
        "price": 0.9,
        "marketCap": None,
        "24hChange": None,
    }
    keep(store, quote("polygon-ecosystem-token", 0.21))
    answer = client.get("/stats?coin=matic-network")
    assert answer.json is not None
    assert answer.json["price"] == 0.21


def test_what_would_have_been_answered_then(client: FlaskClient, store: QuoteStore) -> None:
    # Given three quotes, a minute apart, each recorded 10 s after its time
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    for number, price in enumerate((40000.0, 45000.0, 50000.0)):
        at = start + timedelta(minutes=number)
        keep(store, quote("bitcoin", price, at), recorded_at=at + timedelta(seconds=10))

    def then(path: str, seconds: int) -> Any:
        moment = (start + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
        return client.get(f"{path}?coin=bitcoin&as_of={moment}").json

    # Then
    assert then("/stats", 69)["price"] == 40000
    assert then("/stats", 70)["price"] == 45000
    assert then("/deviation", 70) == {"deviation": 2500.0}
    assert then("/deviation", 130) == {"deviation": 4082.48}
    assert then("/stats", 9)["error"] == "No data found for bitcoin"
    refused = client.get("/stats?coin=bitcoin&as_of=yesterday")
    assert refused.status_code == 422
    assert "'yesterday' is not an ISO-8601 time" in (refused.json or {})["error"]


def test_repaired_prices_are_used_only_where_the_answer_says_so(
    client: FlaskClient, store: QuoteStore, database: Database[Document]
) -> None:
    # Given one recorded price and two that were repaired
    now = datetime.now(UTC).replace(microsecond=0)
    keep(store, quote("bitcoin", 50000.0, now))
    points = [
        RepairedSlot(now, Point(now - timedelta(minutes=m), price, None, None), 300)
        for m, price in ((15, 45000.0), (30, 40000.0))
    ]
    repair = Repair("a", 1, 1, "bitcoin", now, now)
    RepairQueue(database).store(repair, points, source="simulator", now=now)
    # Then
    assert client.get("/deviation?coin=bitcoin").json == {"deviation": 0}
    told = client.get("/deviation?coin=bitcoin&include=repaired").json
    assert told == {"deviation": 4082.48, "records": 3, "repaired": 2}
