"""Stored quotes over HTTP: in order, in pages, in bounds."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from pymongo.database import Database

from api.pagination import Cursor
from bench.harness.services import keep, quote
from market.storage.database import QUOTES, REPAIRED, Document
from market.storage.quote_store import QuoteStore
from tests.harness.mongodb_profiler import profiled, scans
from tests.harness.quote_pages import BITCOIN, all_pages, following, get

START = datetime(2026, 11, 20, tzinfo=UTC)
SLOT = timedelta(minutes=15)


def at(number: int) -> datetime:
    return START + number * SLOT


@pytest.fixture
def stored(store: QuoteStore, database: Database[Document]) -> None:
    """Ten quotes of bitcoin, priced by their number, of which the third is repaired."""
    for number in range(10):
        found = [quote("bitcoin-cash", 5.0, at(number))]
        if number != 2:
            found.append(
                quote("bitcoin", 100.0 + number, at(number), market_cap=9e11, change_24h=-1.5)
            )
        keep(store, *found, recorded_at=at(number) + timedelta(seconds=5))
    for number in (2, 3):
        database[REPAIRED].insert_one(
            {
                "_id": {"coin": "bitcoin", "at": at(number)},
                "price": 200.0 + number,
                "market_cap": None,
                "change_24h": None,
                "volume_24h": 7.0,
                "source": "simulator",
                "recorded_at": START + timedelta(days=1),
                "resolution": 300,
            }
        )


def prices(client: FlaskClient, path: str = BITCOIN, **query: object) -> list[float]:
    return [one["price"] for one in get(client, path, **query).json]


@pytest.mark.usefixtures("stored")
def test_a_quote_is_answered_as_it_was_stored(client: FlaskClient) -> None:
    answer = get(client, limit=1)
    [newest] = answer.json
    assert newest == {
        "coin": "bitcoin",
        "at": "2026-11-20T02:15:00+00:00",
        "price": 109.0,
        "market_cap": 9e11,
        "change_24h": -1.5,
        "volume_24h": None,
        "source": "simulator",
        "recorded_at": "2026-11-20T02:15:05+00:00",
        "resolution": None,
        "as_of": "2026-11-20T02:15:00+00:00",
    }


@pytest.mark.usefixtures("stored")
def test_the_newest_come_first_and_the_stretch_has_its_start_and_not_its_end(
    client: FlaskClient,
) -> None:
    assert prices(client) == [109, 108, 107, 106, 105, 104, 103, 101, 100]
    stretch = {"from": at(3).isoformat(), "to": at(6).isoformat()}
    assert prices(client, **stretch) == [105, 104, 103]
    assert prices(client, **stretch, limit=2) == [105, 104]
    assert prices(client, **{"from": "2199-01-01T00:00:00Z"}) == []


@pytest.mark.usefixtures("stored")
def test_repaired_quotes_are_among_them_if_asked_for(client: FlaskClient) -> None:
    rows = get(client, include="repaired", to=at(5).isoformat()).json
    assert [one["price"] for one in rows] == [104, 103, 202, 101, 100]
    assert [one["resolution"] for one in rows] == [None, None, 300, None, None]


@pytest.mark.usefixtures("stored")
def test_as_of_answers_what_was_known_then(client: FlaskClient) -> None:
    then = at(4) + timedelta(seconds=5)
    assert prices(client, as_of=then.isoformat()) == [104, 103, 101, 100]
    assert prices(client, as_of=then.isoformat(), include="repaired") == [104, 103, 101, 100]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("include", ["recorded", "repaired"])
def test_pages_hold_each_quote_once(client: FlaskClient, include: str) -> None:
    whole = prices(client, include=include)
    for limit in (1, 2, 3, 4, 9, 10):
        pages = [answer.json for answer in all_pages(client, BITCOIN, include=include, limit=limit)]
        assert [one["price"] for page in pages for one in page] == whole
        assert all(len(page) == limit for page in pages[:-1])
        stretch = {"from": at(2).isoformat(), "to": at(8).isoformat()}
        within = all_pages(client, BITCOIN, include=include, limit=limit, **stretch)
        assert [one["price"] for page in within for one in page.json] == whole[2:-2]
        assert 0 < len(pages[-1]) <= limit


@pytest.mark.usefixtures("stored")
def test_quotes_that_arrive_between_two_pages_shift_nothing(
    client: FlaskClient, store: QuoteStore
) -> None:
    first = get(client, limit=4)
    path = following(first)
    assert path is not None
    keep(store, *(quote("bitcoin", 1.0, at(number)) for number in range(10, 14)))
    assert [one["price"] for one in get(client, path).json] == [105, 104, 103, 101]


@pytest.mark.usefixtures("stored")
def test_the_link_goes_on_with_what_was_asked_for_and_nothing_else(client: FlaskClient) -> None:
    start = "2026-11-20T00:30:00+00:00"
    query = urlencode({"limit": 2, "from": start, "_external": 1, "x": "y" * 500, "coin": "z"})
    path = following(get(client, f"{BITCOIN}?{query}"))
    assert path is not None
    assert path.startswith("/v1/coins/bitcoin/quotes?")
    assert len(path) < 200
    assert [one["price"] for one in get(client, path).json] == [107, 106]


def test_a_retired_id_goes_on_with_its_successors_pages(
    client: FlaskClient, store: QuoteStore
) -> None:
    old, new = "matic-network", "polygon-ecosystem-token"
    for number in range(3):
        keep(store, quote(old, 1.0 + number, at(number)))
    first = get(client, f"/v1/coins/{old}/quotes", limit=1)
    assert [one["coin"] for one in first.json] == [old]

    # Its first quote arrives between two pages, which stay those of one series.
    keep(store, quote(new, 9.0, at(5)))
    path = following(first)
    assert path is not None
    assert [one["coin"] for one in get(client, path).json] == [old]
    assert [one["coin"] for one in get(client, f"/v1/coins/{old}/quotes").json] == [new]


BAD = [
    ("limit=0", "limit", "'0' is not a whole number from 1 to 1000"),
    ("limit=1001", "limit", "'1001' is not a whole number from 1 to 1000"),
    ("limit=" + "9" * 900, "limit", "from 1 to 1000"),
    ("from=yesterday", "from", "'yesterday' is not an ISO-8601 time"),
    ("to=2026-11-22T08:30:00", "to", "with a time zone"),
    ("as_of=9999-12-31T23:59:59-23:00", "as_of", "in the years 2009 to 2199"),
    ("to=" + "9" * 900, "to", "is not an ISO-8601 time"),
    ("from=%00", "from", "is not an ISO-8601 time"),
    ("include=all", "include", "Must be one of: recorded, repaired."),
    (
        "cursor=next",
        "cursor",
        "'next' is not a valid cursor: take the one in the Link header",
    ),
    ("cursor=%00", "cursor", "is not a valid cursor"),
    (
        "from=2026-11-22T00:00:00Z&to=2026-11-22T00:00:00Z",
        "from",
        "Must be before to, which is 2026-11-22T00:00:00+00:00",
    ),
    (
        f"cursor={Cursor('tether', START)}",
        "cursor",
        "The cursor belongs to 'tether', not to 'bitcoin'.",
    ),
]


def test_bad_input_is_named_with_what_is_allowed(client: FlaskClient) -> None:
    for query, name, said in BAD:
        answer = client.get(f"{BITCOIN}?{query}")
        assert answer.status_code == 422, query
        assert answer.json is not None
        [text] = answer.json["errors"]["query"][name]
        assert said in text


def test_a_coin_that_is_not_collected_is_a_404(client: FlaskClient) -> None:
    for coin in ("nope", "%00", "$where", "bit%00coin", "%F0%9F%92%A9"):
        for resource in ("quotes", "candles"):
            answer = client.get(f"/v1/coins/{coin}/{resource}")
            assert answer.status_code == 404, coin
            assert answer.json is not None
            assert "is not collected; see /v1/coins for all coins" in answer.json["message"]


def test_every_example_answers_after_two_updates(client: FlaskClient, store: QuoteStore) -> None:
    for minutes in (15, 0):
        keep(store, quote("bitcoin", 1.0, datetime.now(UTC) - timedelta(minutes=minutes)))
    paths = client.get("/openapi.json").get_json()["paths"]
    for resource in ("quotes", "candles"):
        parameters = paths[f"/v1/coins/{{coin}}/{resource}"]["get"]["parameters"]
        examples = {one["name"]: one["schema"]["example"] for one in parameters}
        assert {"from", "to", "limit", "cursor", "include"} <= set(examples)
        for query in (*({name: examples[name]} for name in examples), examples):
            # The explorer sends all of them at once.
            assert get(client, f"/v1/coins/bitcoin/{resource}", **query).json


def test_a_coin_without_quotes_yet_has_an_empty_list(client: FlaskClient) -> None:
    answer = get(client)
    assert answer.json == []
    assert following(answer) is None


@pytest.mark.usefixtures("stored")
def test_a_page_reads_what_it_answers_and_sorts_nothing(
    client: FlaskClient, database: Database[Document], store: QuoteStore
) -> None:
    keep(store, *(quote("bitcoin", 1.0, at(number)) for number in range(-500, 0)))
    queries: list[dict[str, object]] = [
        {},
        {"include": "repaired"},
        {"to": at(5).isoformat(), "from": at(1).isoformat()},
        {"as_of": at(5).isoformat()},
        {"cursor": Cursor("bitcoin", at(6))},
    ]
    for query in queries:

        def read(query: dict[str, object] = query) -> None:
            assert len(get(client, BITCOIN, limit=3, **query).json) == 3

        done = profiled(database, read, QUOTES, REPAIRED)
        # One look tells that the coin is collected. With as_of, those not known then are passed.
        assert sum(one["docsExamined"] for one in done) <= 14
        assert {one["planSummary"] for one in done} == {"CLUSTERED_IXSCAN"}
        assert not any(scans(one) for one in done)
