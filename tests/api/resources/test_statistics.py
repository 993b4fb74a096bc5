"""Statistics over REST: by hand, with their evidence, as of any time, whatever is asked."""

import json
import math
import statistics as python
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from pymongo.database import Database

from bench.harness.services import keep, quote
from market.model.quotes import Quote, parse_row
from market.storage.database import REPAIRED, Document
from market.storage.quote_store import QuoteStore
from tests.harness.recordings import COINGECKO, WHOLE

START = datetime(2025, 11, 20, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
STATISTICS = "/v1/coins/bitcoin/statistics"
Answer = dict[str, Any]


def asked(client: FlaskClient, path: str = STATISTICS, **query: Any) -> Answer:
    answer = client.get(path, query_string=query)
    assert answer.status_code == 200, answer.text
    found: Answer = answer.get_json()
    return found


def iso(moment: datetime) -> str:
    return moment.isoformat()


def kept(store: QuoteStore, prices: dict[int, float], coin: str = "bitcoin") -> None:
    """Keeps a coin's prices by slot: each 40 s old when it is recorded, 10 s after its slot."""
    for slot, price in prices.items():
        at = START + slot * QUARTER
        one = quote(coin, price, at - timedelta(seconds=40))
        keep(store, one, recorded_at=at + timedelta(seconds=10))


def repair(database: Database[Document], slot: int, price: float, recorded_at: datetime) -> None:
    database[REPAIRED].insert_one(
        {
            "_id": {"coin": "bitcoin", "at": START + slot * QUARTER},
            "price": price,
            **dict.fromkeys(("market_cap", "change_24h", "volume_24h")),
            "source": "simulator",
            "recorded_at": recorded_at,
            "resolution": 300,
        }
    )


def test_three_prices_by_hand(client: FlaskClient, store: QuoteStore) -> None:
    kept(store, {0: 40_000.0, 1: 50_000.0, 3: 45_000.0})
    moment = START + 3 * QUARTER + timedelta(minutes=1)
    up, down = math.log(1.25), math.log(0.9)
    found = asked(client, as_of=iso(moment))
    assert found == {
        "coin": "bitcoin",
        "source": "simulator",
        "as_of": "2025-11-20T00:44:20+00:00",
        "count": 3,
        "expected": 4,
        "gaps": 1,
        "oldest": "2025-11-19T23:59:20+00:00",
        "newest": "2025-11-20T00:44:20+00:00",
        "repaired": 0,
        "age_seconds": 100.0,
        "mean": 45_000.0,
        "median": 45_000.0,
        "min": 40_000.0,
        "max": 50_000.0,
        "deviation": pytest.approx(4082.4829046, rel=1e-9),
        "sample_deviation": pytest.approx(5000, rel=1e-12),
        "deviation_interval": None,
        "mad": pytest.approx(7413.011092528010, rel=1e-12),
        "coefficient_of_variation": pytest.approx(0.0907218423, rel=1e-9),
        "volatility_period": pytest.approx((up - down) / math.sqrt(2), rel=1e-12),
        "volatility_year": pytest.approx(
            (up - down) / math.sqrt(2) * math.sqrt(365 * 86_400 / 1350), rel=1e-12
        ),
        "period_seconds": 1350.0,
        "drawdown": pytest.approx(0.1, rel=1e-12),
        "notes": {
            "deviation_interval": "an interval of the deviation needs at least 20 records, "
            "there are 3"
        },
    }


def test_the_newest_100_unless_asked_otherwise(client: FlaskClient, store: QuoteStore) -> None:
    kept(store, {slot: 1000.0 + slot % 7 for slot in range(120)})
    found = asked(client)
    assert (found["count"], found["expected"], found["gaps"]) == (100, 100, 0)
    assert found["oldest"] == iso(START + 20 * QUARTER - timedelta(seconds=40))
    interval = found["deviation_interval"]
    assert interval["low"] < found["deviation"] < interval["high"]
    assert (interval["level"], interval["block_length"], interval["blocks"]) == (0.95, 33, 3)
    assert interval["resamples"] == 1000
    assert asked(client)["deviation_interval"] == interval
    assert asked(client, records=5)["count"] == 5
    assert asked(client, records=10_000)["count"] == 120


def test_a_window_ends_at_the_time_asked_of(client: FlaskClient, store: QuoteStore) -> None:
    kept(store, {slot: 1000.0 + slot for slot in range(40) if slot != 30})
    # Two hours until 10 s behind slot 32: their slots are 25 to 32, and 24 lies just before.
    moment = iso(START + 32 * QUARTER + timedelta(seconds=10))
    found = asked(client, window="2h", as_of=moment)
    assert (found["count"], found["expected"], found["gaps"]) == (7, 8, 1)
    assert (found["min"], found["max"]) == (1025.0, 1032.0)

    newest = asked(client, window="2h", records=3, as_of=moment)
    assert (newest["count"], newest["expected"], newest["gaps"]) == (3, 4, 1)
    assert newest["min"] == 1029.0
    assert asked(client, window="2h", records=100, as_of=moment) == found


def test_a_windows_first_slot_may_have_its_quote_before_it(
    client: FlaskClient, store: QuoteStore
) -> None:
    kept(store, {slot: 1000.0 + slot for slot in range(40)})
    # Slot 25 is in the window, but its quote's own time is 10 s before it.
    found = asked(client, window="2h", as_of=iso(START + 33 * QUARTER - timedelta(seconds=30)))
    assert (found["count"], found["expected"], found["gaps"]) == (7, 8, 0)


def test_a_window_without_records(client: FlaskClient, store: QuoteStore) -> None:
    kept(store, {0: 1000.0})
    found = asked(client, window="1d", as_of=iso(START + timedelta(days=9)))
    assert (found["count"], found["expected"], found["gaps"]) == (0, 96, 96)
    assert found["newest"] is found["age_seconds"] is found["mean"] is found["source"] is None


def test_a_window_with_too_many_records(
    client: FlaskClient, store: QuoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(store, dict.fromkeys(range(6), 1000.0))
    monkeypatch.setattr("api.schemas.statistics.MAX_RECORDS", 5)
    moment = iso(START + 6 * QUARTER)
    answer = client.get(STATISTICS, query_string={"window": "1d", "as_of": moment})
    assert answer.status_code == 422
    assert "more than 5 records of 'bitcoin', the most allowed" in answer.get_json()["message"]
    assert asked(client, window="1d", records=5, as_of=moment)["count"] == 5


def test_repaired_records_count_only_if_asked_for(
    client: FlaskClient, store: QuoteStore, database: Database[Document]
) -> None:
    kept(store, {0: 100.0, 1: 100.0, 4: 100.0})
    repaired_at = START + timedelta(hours=3)
    repair(database, 2, 110.0, repaired_at)
    repair(database, 3, 120.0, repaired_at)
    found = asked(client)
    assert (found["count"], found["expected"], found["gaps"], found["repaired"]) == (3, 5, 2, 0)
    found = asked(client, include="repaired")
    assert (found["count"], found["expected"], found["gaps"], found["repaired"]) == (5, 5, 0, 2)
    assert found["max"] == 120.0
    then = iso(repaired_at - timedelta(minutes=1))
    assert asked(client, include="repaired", as_of=then)["repaired"] == 0


@pytest.mark.parametrize("query", [{}, {"window": "6h"}, {"include": "repaired", "records": 7}])
def test_as_of_a_time_the_answer_is_what_it_was_then(
    client: FlaskClient, store: QuoteStore, database: Database[Document], query: dict[str, Any]
) -> None:
    now = datetime.now(UTC)
    for back in range(20, 0, -1):
        at = now - back * QUARTER
        keep(store, quote("bitcoin", 1000.0 + back**2, at), recorded_at=at)
    moment = datetime.now(UTC)
    then = asked(client, **query)
    # What comes later: a newer quote, one of an older time, and a repaired one.
    for at in (now, now - 3.5 * QUARTER):
        keep(store, quote("bitcoin", 9e9, at), recorded_at=datetime.now(UTC))
    repair(database, 0, 9e9, datetime.now(UTC))
    assert asked(client, **query)["max"] == 9e9
    found = asked(client, as_of=iso(moment), **query)
    assert found.pop("age_seconds") == pytest.approx(then.pop("age_seconds"), abs=5)
    assert found == then


def test_a_time_still_to_come_means_now(client: FlaskClient, store: QuoteStore) -> None:
    keep(store, quote("bitcoin", 1000.0))
    found = asked(client, as_of="2150-01-01T00:00:00Z", window="1h")
    assert found["count"] == 1
    assert 0 <= found["age_seconds"] < 30


def test_nothing_is_known_as_of_a_time_before_the_first_record(
    client: FlaskClient, store: QuoteStore
) -> None:
    keep(store, quote("bitcoin", 1000.0))
    found = asked(client, as_of="2009-01-03T00:00:00Z")
    assert (found["count"], found["expected"], found["gaps"]) == (0, None, None)


def test_one_record_and_none(client: FlaskClient, store: QuoteStore) -> None:
    keep(store, quote("bitcoin", 2e-10))
    found = asked(client)
    assert (found["count"], found["deviation"], found["sample_deviation"]) == (1, 0.0, None)
    assert found["notes"]["sample_deviation"] == (
        "a sample deviation needs at least 2 records, there are 1"
    )
    found = asked(client, "/v1/coins/ethereum/statistics")
    assert (found["count"], found["mean"], found["as_of"]) == (0, None, None)
    assert found["notes"]["mean"] == "a mean needs at least 1 record, there are 0"


@pytest.mark.parametrize("unit", [2e-10, 1e300])
def test_prices_of_any_size(client: FlaskClient, store: QuoteStore, unit: float) -> None:
    prices = [unit * (3 + math.sin(number)) for number in range(40)]
    kept(store, dict(enumerate(prices)))
    found = asked(client)
    shares = np.array(prices) / unit
    assert found["deviation"] == pytest.approx(float(shares.std()) * unit, rel=1e-9)
    assert found["mean"] == pytest.approx(float(shares.mean()) * unit, rel=1e-9)
    assert found["deviation_interval"]["high"] > found["deviation"]


def test_a_retired_id_is_answered_for_by_its_successor_once_that_is_newer(
    client: FlaskClient, store: QuoteStore
) -> None:
    kept(store, {0: 0.5}, "matic-network")
    kept(store, {9: 0.6}, "polygon-ecosystem-token")
    path = "/v1/coins/matic-network/statistics"
    assert asked(client, path)["coin"] == "polygon-ecosystem-token"
    found = asked(client, path, as_of=iso(START + 5 * QUARTER))
    assert (found["coin"], found["mean"]) == ("matic-network", 0.5)
    found = asked(client, path, as_of=iso(START - QUARTER))
    assert (found["coin"], found["count"]) == ("polygon-ecosystem-token", 0)


def test_a_coin_that_is_not_collected(client: FlaskClient) -> None:
    answer = client.get("/v1/coins/dogecoin/statistics")
    assert answer.status_code == 404
    assert answer.get_json()["message"].startswith("'dogecoin' is not collected")


BAD = [
    ("records", "0", "'0' is not a whole number from 1 to 10000"),
    ("records", "10001", "'10001' is not a whole number from 1 to 10000"),
    ("records", "9" * 900, "is not a whole number from 1 to 10000"),
    ("records", "NaN", "'NaN' is not a whole number from 1 to 10000"),
    ("window", "3y", "'3y' is not a window: use a whole number with m, h or d, from 1m to 366d"),
    ("window", "9" * 900 + "d", "is not a window"),
    ("as_of", "2025-11-20", "'2025-11-20' is not an ISO-8601 time with a time zone"),
    ("as_of", "0001-01-01T00:00:00+14:00", "in the years 2009 to 2199"),
    ("as_of", "10000-01-01T00:00:00Z", "in the years 2009 to 2199"),
    ("include", "all", "recorded, repaired"),
]
ODD: list[dict[str, str]] = [
    {"as_of": "2009-01-01T00:00:00Z", "window": "366d"},
    {"as_of": "2199-12-31T23:59:59.999Z", "window": "366d", "records": "10000"},
    {"as_of": "2025-11-20T00:00:00 00:00"},
    {"coin[$gt]": "x", "window[]": "\x00"},
]


def test_a_bad_parameter_is_named_with_what_is_allowed(client: FlaskClient) -> None:
    for name, value, said in BAD:
        answer = client.get(STATISTICS, query_string={name: value})
        assert answer.status_code == 422, name
        (message,) = answer.get_json()["errors"]["query"][name]
        assert said in message


def test_odd_parameters_are_answered(client: FlaskClient) -> None:
    for query in ODD:
        assert client.get(STATISTICS, query_string=query).status_code == 200, query


@pytest.mark.parametrize(
    "path", ["/v1/coins/{coin}/statistics", "/v1/correlations"], ids=["statistics", "correlations"]
)
def test_every_example_answers_after_two_updates(
    client: FlaskClient, store: QuoteStore, path: str
) -> None:
    for minutes in (15, 0):
        at = datetime.now(UTC) - timedelta(minutes=minutes)
        pair = (quote("bitcoin", 45_000.0 + minutes, at), quote("ethereum", 3000.0, at))
        keep(store, *pair, recorded_at=at)
    operation = client.get("/openapi.json").get_json()["paths"][path]["get"]
    examples = {one["name"]: one["schema"]["example"] for one in operation["parameters"]}
    assert {"records", "window", "include", "as_of"} <= set(examples)
    required = {one["name"] for one in operation["parameters"] if one["required"]}
    url = path.format(coin="bitcoin")
    for name in examples:
        query = {each: examples[each] for each in required | {name}}
        assert client.get(url, query_string=query).status_code == 200, name
    # The explorer sends all of them at once.
    everything = client.get(url, query_string=examples)
    assert everything.status_code == 200
    found = everything.get_json()
    assert (found[0]["returns"] if isinstance(found, list) else found["count"] - 1) == 1


def test_recorded_pages_have_the_statistics_calculated_from_the_files(
    client: FlaskClient, store: QuoteStore
) -> None:
    files = sorted(COINGECKO.glob("markets_usd_page1_2025-12-14T*_run.json"))
    series: dict[str, dict[datetime, float]] = defaultdict(dict)
    for file in files:
        page = json.loads(file.read_bytes())
        for row in page:
            at = datetime.fromisoformat(row["last_updated"])
            series[row["id"]].setdefault(at, float(row["current_price"]))
        now = datetime(2025, 12, 31, tzinfo=UTC)
        quotes = [one for row in page if isinstance(one := parse_row(row, now), Quote)]
        keep(store, *quotes)
    assert len(series) >= (100 if WHOLE else 2)
    for coin, by_time in series.items():
        found = asked(client, f"/v1/coins/{coin}/statistics")
        times, prices = zip(*sorted(by_time.items()), strict=True)
        assert (found["count"], found["repaired"]) == (len(prices), 0)
        assert found["oldest"] == iso(times[0])
        assert found["newest"] == found["as_of"] == iso(times[-1])
        expected = {
            "mean": python.fmean(prices),
            "median": python.median(prices),
            "min": min(prices),
            "max": max(prices),
            "deviation": python.pstdev(prices),
        }
        if len(prices) > 2:
            moves = np.diff(np.log(prices))
            step = (times[-1] - times[0]).total_seconds() / (len(times) - 1)
            expected["sample_deviation"] = python.stdev(prices)
            expected["volatility_period"] = float(moves.std(ddof=1))
            expected["volatility_year"] = float(moves.std(ddof=1)) * math.sqrt(31_536_000 / step)
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-15 * max(prices)), coin
