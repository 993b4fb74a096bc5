"""Correlations over REST: as pandas says, with their evidence, whatever is asked."""

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from flask.testing import FlaskClient

from api.schemas import correlations as schemas
from bench.harness.services import keep, quote
from market.storage.quote_store import QuoteStore

START = datetime(2025, 11, 20, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
COINS = ("bitcoin", "ethereum", "tether")
Rows = list[dict[str, Any]]


def asked(client: FlaskClient, *coins: str, **query: str | int) -> Rows:
    answer = client.get("/v1/correlations", query_string={"coin": list(coins), **query})
    assert answer.status_code == 200, answer.text
    found: Rows = answer.get_json()
    return found


@pytest.fixture
def prices(store: QuoteStore) -> pd.DataFrame:
    """Sixty slots of three coins, whose own times lie on either side of their slots; bitcoin's
    slot 20 and ethereum's 31 are missing."""
    chance = random.Random(5)
    by_slot: dict[str, dict[int, float]] = {coin: {} for coin in COINS}
    levels = dict.fromkeys(COINS, 0.0)
    for slot in range(60):
        market = chance.gauss(0, 0.01)
        quotes = []
        for coin, part in zip(COINS, (1.0, 0.8, -0.5), strict=True):
            levels[coin] += part * market + chance.gauss(0, 0.006)
            at = START + slot * QUARTER + timedelta(seconds=chance.uniform(-200, 20))
            if (coin, slot) not in {("bitcoin", 20), ("ethereum", 31)}:
                by_slot[coin][slot] = 100 * math.exp(levels[coin])
                quotes.append(quote(coin, by_slot[coin][slot], at))
        keep(store, *quotes, recorded_at=START + slot * QUARTER + timedelta(seconds=30))
    return pd.DataFrame(by_slot).sort_index()


def elsewhere(prices: pd.DataFrame, a: str, b: str) -> float:
    returns = np.log(prices[[a, b]].dropna()).diff().dropna()
    return float(returns[a].corr(returns[b]))


def test_each_pair_once_as_pandas_says(client: FlaskClient, prices: pd.DataFrame) -> None:
    found = asked(client, *COINS)
    assert [(row["a"], row["b"], row["returns"]) for row in found] == [
        ("bitcoin", "ethereum", 57),
        ("bitcoin", "tether", 58),
        ("ethereum", "tether", 58),
    ]
    for row in found:
        expected = elsewhere(prices, row["a"], row["b"])
        assert row["correlation"] == pytest.approx(expected, rel=1e-9)
        assert row["reason"] is None
        assert row["source"] == "simulator"
        assert (row["oldest"], row["newest"]) == (
            START.isoformat(),
            (START + 59 * QUARTER).isoformat(),
        )
        assert datetime.fromisoformat(row["as_of"]) > START + 58 * QUARTER


def test_the_answer_is_a_table_that_makes_a_matrix(
    client: FlaskClient, prices: pd.DataFrame
) -> None:
    matrix = pd.DataFrame(asked(client, *COINS)).pivot(index="a", columns="b", values="correlation")
    assert matrix.loc["bitcoin", "tether"] == pytest.approx(
        elsewhere(prices, "bitcoin", "tether"), rel=1e-9
    )


def test_over_the_newest_records_or_a_window_as_of_a_time(
    client: FlaskClient, prices: pd.DataFrame
) -> None:
    pair = ("ethereum", "tether")
    (row,) = asked(client, *pair, records=12)
    assert (row["returns"], row["oldest"]) == (11, (START + 48 * QUARTER).isoformat())
    assert row["correlation"] == pytest.approx(elsewhere(prices.iloc[48:], *pair), rel=1e-9)

    moment = START + 49 * QUARTER + timedelta(minutes=5)
    (row,) = asked(client, *pair, window="4h", as_of=moment.isoformat())
    assert (row["returns"], row["newest"]) == (15, (START + 49 * QUARTER).isoformat())
    assert row["correlation"] == pytest.approx(elsewhere(prices.iloc[34:50], *pair), rel=1e-9)


def test_too_few_returns_say_so(client: FlaskClient, store: QuoteStore) -> None:
    keep(store, quote("bitcoin", 1.0), quote("ethereum", 1.0))
    (row,) = asked(client, "bitcoin", "ethereum")
    assert (row["correlation"], row["returns"]) == (None, 0)
    assert row["reason"] == "needs at least 10 returns in common, there are 0"


def test_a_coin_with_nothing_stored(client: FlaskClient, store: QuoteStore) -> None:
    keep(store, quote("bitcoin", 1.0))
    (row,) = asked(client, "ethereum", "bitcoin")
    assert row["as_of"] is row["oldest"] is row["newest"] is row["correlation"] is None
    assert row["source"] == "simulator"
    (row,) = asked(client, "ethereum", "bitcoin", as_of="2009-01-03T00:00:00Z")
    assert row["source"] is None


def test_a_price_that_stands_still_says_so(client: FlaskClient, store: QuoteStore) -> None:
    for slot in range(20):
        at = START + slot * QUARTER
        keep(store, quote("bitcoin", 1.0 + slot % 3, at), quote("tether", 1.0, at))
    (row,) = asked(client, "bitcoin", "tether")
    assert row["correlation"] is None
    assert row["returns"] == 19
    assert row["reason"] == "tether: its returns are all the same, so that nothing moves with them"


BAD = [
    ("", "Missing data"),
    ("coin=bitcoin", "between 2 and 50"),
    ("&".join(f"coin=coin-{number}" for number in range(51)), "between 2 and 50"),
    ("coin=bitcoin&coin=", "between 1 and 128"),
    (f"coin=bitcoin&coin={'a' * 129}", "between 1 and 128"),
    ("coin=bitcoin&coin=ethereum&records=0", "'0' is not a whole number from 1 to 10000"),
    ("coin=bitcoin&coin=ethereum&window=1y", "'1y' is not a window"),
]


def test_bad_parameters_are_refused(client: FlaskClient) -> None:
    for query, said in BAD:
        answer = client.get(f"/v1/correlations?{query}")
        assert answer.status_code == 422, query
        assert said in answer.text


def test_one_coin_twice_is_no_pair(client: FlaskClient, store: QuoteStore) -> None:
    keep(store, quote("polygon-ecosystem-token", 1.0))
    for coins in (["bitcoin"] * 2, ["matic-network", "polygon-ecosystem-token"]):
        answer = client.get("/v1/correlations", query_string={"coin": coins})
        assert answer.status_code == 422
        assert (
            answer.get_json()["message"] == f"{coins!r} are the same coin; give two different ones"
        )


def test_more_work_than_is_allowed_is_refused(
    client: FlaskClient, prices: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schemas, "MAX_TOTAL_RECORDS", 30)
    query = {"coin": list(COINS), "records": 11}
    answer = client.get("/v1/correlations", query_string=query)
    assert answer.status_code == 422
    assert answer.get_json()["message"] == (
        "records is 11: for 3 coins allowed is 1 to 10, 30 in total"
    )
    query = {"coin": list(COINS), "window": "1d", "as_of": (START + 60 * QUARTER).isoformat()}
    assert client.get("/v1/correlations", query_string=query).status_code == 422
    assert len(asked(client, *COINS, records=10)) == 3


def test_a_coin_that_is_not_collected(client: FlaskClient) -> None:
    answer = client.get("/v1/correlations?coin=bitcoin&coin=dogecoin")
    assert answer.status_code == 404
    assert answer.get_json()["message"].startswith("'dogecoin' is not collected")
