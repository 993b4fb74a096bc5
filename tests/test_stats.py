"""The seed's endpoints for reading."""

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from werkzeug.http import http_date

from market.store import Store
from tests.support import keep, quote

NOW = datetime.now(UTC)


def test_stats_are_the_newest_quote_and_nothing_else(client: FlaskClient, store: Store) -> None:
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


def test_a_missing_number_is_null(client: FlaskClient, store: Store) -> None:
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
    client: FlaskClient, store: Store, prices: list[float], deviation: float
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
        (f"?coin={'x' * 5000}", 400, "Unsupported coin. Must be one of: bitcoin, ethereum"),
    ],
)
def test_errors_are_the_seed_s(
    client: FlaskClient, path: str, query: str, status: int, error: str
) -> None:
    answer = client.get(path + query)
    assert answer.status_code == status
    assert answer.json is not None
    assert answer.json["error"] == error


def test_with_many_coins_the_nearest_are_named(client: FlaskClient, store: Store) -> None:
    keep(store, *(quote(f"coin-{number}", 1.0) for number in range(50)), quote("bitcoin", 2.0))
    answer = client.get("/stats?coin=bitcon")
    assert answer.json is not None
    assert answer.json["error"].startswith("Unsupported coin. Must be one of: bitcoin")
    assert "52 coins in all" in answer.json["error"]


def test_a_retired_id_goes_on_with_its_successor(client: FlaskClient, store: Store) -> None:
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
