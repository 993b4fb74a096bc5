"""What the API says of quotes that are no longer kept."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pymongo.database import Database

from api.app import create_app
from api.extensions import EXTENSION
from api.lookup.retention_guard import KEPT_FROM
from market.model.candle import DAY, QUARTER, floor_to
from market.rollups.retention import Retention
from market.storage.database import QUOTES, Document
from market.storage.watermarks import Watermarks
from settings import Settings
from tests.harness.coin_history_data import document

BITCOIN = "/v1/coins/bitcoin"
RETENTION = 10


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def client(database: Database[Document], app: Flask) -> FlaskClient:
    """An API with 20 days of bitcoin, of which 10 were to be kept."""
    newest = now().replace(microsecond=0) - timedelta(minutes=3)
    database[QUOTES].insert_many(
        [document("bitcoin", newest - n * QUARTER, 50_000.0 + n) for n in range(20 * 96)]
    )
    edge = now() - RETENTION * DAY
    while Retention(database).step("bitcoin", edge):
        pass
    return app.test_client()


@pytest.fixture
def kept_from(database: Database[Document], client: FlaskClient) -> datetime:
    mark = Watermarks(database).of("bitcoin")
    assert mark.kept_from is not None
    assert mark.kept_from > floor_to(now(), DAY) - 13 * DAY
    return mark.kept_from


AS_OF = (
    "/stats?coin=bitcoin",
    "/deviation?coin=bitcoin&include=repaired",
    f"{BITCOIN}/quotes?limit=5",
    f"{BITCOIN}/statistics?records=100",
    f"{BITCOIN}/statistics?window=24h",
    "/v1/correlations?coin=bitcoin&coin=ethereum&records=50",
)


@pytest.mark.parametrize("path", AS_OF)
def test_a_time_that_cannot_be_told_any_more_is_410(client: FlaskClient, path: str) -> None:
    old = f"{now() - 11 * DAY:%Y-%m-%dT%H:%M:%S}"
    answer = client.get(f"{path}&as_of={old}Z")
    assert answer.status_code == 410
    assert answer.json is not None
    message = answer.json["message"]
    assert message.startswith(f"as_of is {old}+00:00: the quotes of that time have been deleted")
    told = message.partition("The oldest time allowed is ")[2].partition(";")[0]
    assert now() - 11 * DAY < datetime.fromisoformat(told) < now() - 9 * DAY
    # What it says to do is done
    again = client.get(f"{path}&as_of={quote(told)}")
    assert again.status_code in (200, 404)


def test_it_is_refused_as_soon_as_the_setting_says_so(
    settings: Settings, database: Database[Document], environment: None
) -> None:
    database[QUOTES].insert_one(document("bitcoin", now() - 20 * DAY, 1.0))
    made = create_app(settings.model_copy(update={"retention": 10}))
    try:
        path = "/stats?coin=bitcoin&as_of="
        ask = made.test_client().get
        for days, status in ((11, 410), (9, 200)):
            moment = f"{now() - days * DAY:%Y-%m-%dT%H:%M:%SZ}"
            assert ask(path + moment).status_code == status
    finally:
        made.extensions[EXTENSION].nats.close()


@pytest.mark.parametrize("ahead", [-5, 5])
def test_mongodb_s_clock_says_what_is_no_longer_kept(
    settings: Settings, database: Database[Document], environment: None, ahead: int
) -> None:
    database[QUOTES].insert_one(document("bitcoin", now() - 30 * DAY, 1.0))
    made = create_app(settings.model_copy(update={"retention": 10}))
    on = made.extensions[EXTENSION]
    try:
        # Given a host whose clock differs from MongoDB's by five days
        on.ledger.now = lambda: now() + ahead * DAY
        edge = on.ledger.now() - RETENTION * DAY
        ask = made.test_client().get
        for moment, status in ((edge - DAY / 2, 410), (edge + DAY / 2, 200)):
            path = f"/stats?coin=bitcoin&as_of={moment:%Y-%m-%dT%H:%M:%SZ}"
            assert ask(path).status_code == status
    finally:
        on.nats.close()


def test_a_window_that_reaches_back_too_far_is_410_and_a_shorter_one_is_not(
    client: FlaskClient, kept_from: datetime
) -> None:
    for query in ("window=15d", "records=1900"):
        answer = client.get(f"{BITCOIN}/statistics?{query}")
        assert answer.status_code == 410
        assert answer.json is not None
        assert kept_from.isoformat() in answer.json["message"]
    for query in ("window=10d", "records=900"):
        answer = client.get(f"{BITCOIN}/statistics?{query}")
        assert answer.status_code == 200
        assert answer.json is not None
        assert answer.json["gaps"] == 0


def test_lists_say_from_when_on_quotes_are_kept(client: FlaskClient, kept_from: datetime) -> None:
    said = {KEPT_FROM: kept_from.isoformat()}
    later = f"from={kept_from:%Y-%m-%dT%H:%M:%SZ}"
    recent = f"{now() - DAY:%Y-%m-%dT%H:%M:%SZ}"
    for path, header in (
        (f"{BITCOIN}/quotes?limit=1000&to={kept_from + DAY:%Y-%m-%dT%H:%M:%SZ}", said),
        (f"{BITCOIN}/quotes?limit=10", {}),  # there is a page behind it
        (f"{BITCOIN}/quotes?limit=1000&from={recent}", {}),
        (f"{BITCOIN}/candles?interval=15m&to={kept_from + DAY:%Y-%m-%dT%H:%M:%SZ}", said),
        (f"{BITCOIN}/candles?interval=1d&limit=500", {}),
        ("/v1/quotes/export?coin=bitcoin", said),
        ("/v1/quotes/export", said),
        (f"/v1/quotes/export?coin=bitcoin&{later}", {}),
    ):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert {k: v for k, v in answer.headers.items() if k == KEPT_FROM} == header, path
    candles = client.get(f"{BITCOIN}/candles?interval=1d&limit=500").json
    assert candles is not None
    assert len(candles) in (20, 21)
    assert sum(one["count"] for one in candles) == 20 * 96
