"""The coins collected."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from bench.harness.services import keep, quote
from market.storage.quote_store import QuoteStore

NOW = datetime.now(UTC)


@pytest.fixture
def three(store: QuoteStore) -> None:
    keep(store, quote("bitcoin", 44000.0, NOW - timedelta(minutes=15), rank=1))
    keep(
        store,
        quote("bitcoin", 45000.0, rank=1, market_cap=8.5e11, change_24h=-1.0, volume_24h=2e10),
        quote("tether", 1.0, NOW - timedelta(hours=1), rank=3, change_24h=0.1),
        quote("odd coin", 2e-10, NOW - timedelta(days=3)),
    )


@pytest.mark.usefixtures("three")
def test_a_coin_says_what_its_numbers_rest_on(client: FlaskClient) -> None:
    coin = client.get("/v1/coins/bitcoin").json
    assert coin is not None
    age = coin.pop("age_seconds")
    assert 0 <= age < 30
    as_of = datetime.fromisoformat(coin.pop("as_of"))
    assert as_of.utcoffset() == timedelta(0)
    assert datetime.fromisoformat(coin.pop("recorded_at")) >= as_of
    assert 45000.0 in coin.pop("sparkline")["prices"][-2:]
    assert [change["what"] for change in coin.pop("changes")] == ["state"]
    assert coin == {
        "id": "bitcoin",
        "symbol": "bit",
        "name": "Bitcoin",
        "rank": 1,
        "state": "active",
        "successor": None,
        "price": 45000.0,
        "market_cap": 8.5e11,
        "change_24h": -1.0,
        "volume_24h": 2e10,
        "deviation": 500.0,
        "deviation_count": 2,
        "freshness": "fresh",
        "source": "simulator",
    }


@pytest.mark.usefixtures("three")
def test_a_sparkline_is_of_the_same_week_for_all_and_shows_what_is_missing(
    client: FlaskClient,
) -> None:
    lines = {coin["id"]: coin["sparkline"] for coin in client.get("/v1/coins").json or []}
    [start] = {line["start"] for line in lines.values()}
    begins = datetime.fromisoformat(start)
    assert begins.hour % 4 == 0
    assert timedelta(days=6, hours=20) <= datetime.now(UTC) - begins < timedelta(days=7, minutes=1)
    for coin, age, price in (("bitcoin", 0, 45000.0), ("tether", 1, 1.0), ("odd coin", 72, 2e-10)):
        expected: list[float | None] = [None] * 42
        expected[(NOW - timedelta(hours=age) - begins) // timedelta(hours=4)] = price
        if coin != "bitcoin":  # its quote before may be of the step before
            assert lines[coin]["prices"] == expected
    assert 45000.0 in lines["bitcoin"]["prices"][-2:]
    assert lines["ethereum"]["prices"] == [None] * 42
    assert {line["step_seconds"] for line in lines.values()} == {4 * 3600}


@pytest.mark.usefixtures("three")
def test_a_page_catches_up_with_what_is_new(client: FlaskClient, store: QuoteStore) -> None:
    client.get("/v1/coins")
    keep(store, quote("bitcoin", 46000.0, rank=1), quote("tether", 1.0, rank=3))
    found = {coin["id"]: coin for coin in client.get("/v1/coins").json or []}
    assert found["bitcoin"]["deviation_count"] == 3
    assert found["bitcoin"]["deviation"] == 816.5
    assert 46000.0 in found["bitcoin"]["sparkline"]["prices"][-2:]
    assert found["ethereum"]["deviation_count"] == 0


@pytest.mark.usefixtures("three")
def test_every_coin_collected_or_configured_is_listed(client: FlaskClient) -> None:
    answer = client.get("/v1/coins")
    found = {coin["id"]: coin["freshness"] for coin in answer.json or []}
    assert found == {"bitcoin": "fresh", "tether": "late", "odd coin": "stale", "ethereum": "never"}
    assert json.loads(answer.headers["X-Pagination"])["total"] == 4


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("sort", "ids"),
    [
        ("rank", ["bitcoin", "tether"]),
        ("-rank", ["tether", "bitcoin"]),
        ("price", ["odd coin", "tether", "bitcoin"]),
        ("-price", ["bitcoin", "tether", "odd coin"]),
        ("-change_24h", ["tether", "bitcoin"]),
    ],
)
def test_coins_without_the_value_come_last_whichever_way(
    client: FlaskClient, sort: str, ids: list[str]
) -> None:
    found = [coin["id"] for coin in client.get(f"/v1/coins?sort={sort}").json or []]
    assert found[: len(ids)] == ids
    assert len(found) == 4


@pytest.mark.usefixtures("three")
def test_search_and_pages(client: FlaskClient) -> None:
    found = client.get("/v1/coins?search=BITC").json
    assert [coin["id"] for coin in found or []] == ["bitcoin"]
    second = client.get("/v1/coins?page=2&page_size=3")
    assert len(second.json or []) == 1
    assert client.get("/v1/coins/odd%20coin").status_code == 200


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("sort=colour", "sort"),
        ("page=0", "page"),
        ("page_size=251", "page_size"),
        (f"search={'x' * 65}", "search"),
        ("page=" + "9" * 900, "page"),
    ],
)
def test_bad_input_is_named(client: FlaskClient, query: str, named: str) -> None:
    answer = client.get(f"/v1/coins?{query}")
    assert answer.status_code == 422
    assert answer.json is not None
    assert named in answer.json["errors"]["query"]


def test_a_coin_that_is_not_collected_is_a_404_with_its_name(client: FlaskClient) -> None:
    answer = client.get("/v1/coins/nope")
    assert answer.status_code == 404
    assert answer.json is not None
    assert "'nope' is not collected" in answer.json["message"]


def test_a_retired_id_names_its_successor(client: FlaskClient) -> None:
    coin = client.get("/v1/coins/matic-network").json
    assert coin is not None
    assert (coin["state"], coin["successor"]) == ("retired", "polygon-ecosystem-token")
