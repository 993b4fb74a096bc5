"""Candles over HTTP: their form, their pages, and what may be asked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from bench.harness.services import keep, quote
from market.model.candle import INTERVALS
from market.storage.quote_store import QuoteStore
from tests.harness.quote_pages import all_pages, get

START = datetime(2026, 11, 20, tzinfo=UTC)
BITCOIN = "/v1/coins/bitcoin/candles"


@pytest.fixture
def stored(store: QuoteStore) -> None:
    """Two days of quotes, four an hour, without those of hours 5 to 40."""
    keep(
        store,
        *(
            quote("bitcoin", 100.0 + n, START + n * timedelta(minutes=15), volume_24h=n * 1.0)
            for n in range(48 * 4)
            if not 5 * 4 <= n < 41 * 4
        ),
    )


def hours(answer: Any) -> list[float]:
    starts = [datetime.fromisoformat(one["start"]) for one in answer.json]
    return [(start - START) / timedelta(hours=1) for start in starts]


@pytest.mark.usefixtures("stored")
def test_a_candle_says_what_it_rests_on(client: FlaskClient) -> None:
    newest = get(client, BITCOIN, limit=1).json
    assert newest == [
        {
            "coin": "bitcoin",
            "start": "2026-11-21T23:00:00+00:00",
            "open": 288.0,
            "high": 291.0,
            "low": 288.0,
            "close": 291.0,
            "volume_24h": 191.0,
            "count": 4,
            "repaired": 0,
            "source": "simulator",
            "as_of": "2026-11-21T23:45:00+00:00",
        }
    ]


@pytest.mark.usefixtures("stored")
def test_a_missing_stretch_has_no_candles(client: FlaskClient) -> None:
    assert hours(get(client, BITCOIN)) == [*range(47, 40, -1), 4, 3, 2, 1, 0]
    assert hours(get(client, BITCOIN, interval="1d")) == [24, 0]
    assert hours(get(client, BITCOIN, interval="4h")) == [44, 40, 4, 0]
    stretch = {"from": "2026-11-20T03:30:00Z", "to": "2026-11-20T06:00:00Z"}
    assert hours(get(client, BITCOIN, **stretch)) == [4]
    assert hours(get(client, BITCOIN, interval="15m", **stretch)) == [4.75, 4.5, 4.25, 4, 3.75, 3.5]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("include", ["recorded", "repaired"])
def test_pages_hold_each_candle_once_and_none_is_empty(client: FlaskClient, include: str) -> None:
    for limit in (1, 5, 7, 8, 48):
        pages = [hours(one) for one in all_pages(client, BITCOIN, limit=limit, include=include)]
        assert [hour for page in pages for hour in page] == [*range(47, 40, -1), 4, 3, 2, 1, 0]
        assert all(0 < len(page) <= limit for page in pages)


def test_a_coin_without_quotes_yet_has_no_candles(client: FlaskClient) -> None:
    assert get(client, BITCOIN).json == []


BAD = [
    ("interval=2h", "interval", "Must be one of: 15m, 1h, 4h, 1d."),
    ("limit=501", "limit", "'501' is not a whole number from 1 to 500"),
    ("limit=" + "9" * 900, "limit", "from 1 to 500"),
    ("from=2200-01-01T00:00:00Z", "from", "in the years 2009 to 2199"),
    ("to=1969-12-31T23:59:59Z", "to", "in the years 2009 to 2199"),
    ("cursor=AAAA", "cursor", "'AAAA' is not a valid cursor"),
    ("interval=%00", "interval", "Must be one of"),
]


def test_bad_input_is_named_with_what_is_allowed(client: FlaskClient) -> None:
    for query, name, said in BAD:
        answer = client.get(f"{BITCOIN}?{query}")
        assert answer.status_code == 422, query
        assert answer.json is not None
        [text] = answer.json["errors"]["query"][name]
        assert said in text


@pytest.mark.usefixtures("stored")
def test_the_ends_of_time_are_no_fault(client: FlaskClient) -> None:
    for interval in INTERVALS:
        ends = {"from": "2009-01-01T00:00:00.001Z", "to": "2199-12-31T23:59:59.999Z"}
        assert get(client, BITCOIN, interval=interval, limit=500, **ends).json
        early = {"to": "2009-01-01T00:00:00Z"}
        assert get(client, BITCOIN, interval=interval, limit=500, **early).json == []
