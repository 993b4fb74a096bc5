"""Real MongoDB, NATS and Redis for every test that needs them; CoinGecko is the simulator."""

import gc
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import redis as redis_client
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from pymongo.database import Database

import logs
from api.app import create_app
from api.extensions import EXTENSION
from bench.harness.browser import browser
from bench.harness.services import SimulatorControl, server
from bridge import streams
from bridge.connection import Connection
from logs import redaction
from market.ingest.outlier_filter import OutlierFilter
from market.ledger.ledger import Ledger
from market.sources.coingecko import CoinGecko
from market.storage import database as market_database
from market.storage.database import Document
from market.storage.quote_store import QuoteStore
from settings import Settings
from simulator.app import create_simulator
from simulator.market import Market
from simulator.server import serving

__all__ = ["browser"]

SYSTEM = {"e2e", "bench", "supervisor"}  # folders whose tests start processes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what starts processes or a browser; what is neither is the fast half."""
    here = Path(__file__).parent
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
        elif item.path.relative_to(here).parts[0] in SYSTEM:
            item.add_marker(pytest.mark.system)


def pytest_collection_finish() -> None:
    """Spares the garbage collector the test modules themselves, which live to the end.

    Else each look for what a file left open goes through a million objects: 0.4 s a file.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _about_nothing() -> None:
    """What one test's lines were about is not what the next one's are."""
    logs.wipe()


@pytest.fixture(autouse=True)
def _keeps_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was secret in one test is a word like any other in the next."""
    monkeypatch.setattr(redaction, "_known", set())
    monkeypatch.setattr(redaction, "_mask", redaction.without_credentials)


@pytest.fixture(autouse=True, scope="module")
def _leaves_nothing_open() -> Iterator[None]:
    """What a file's tests left open is told with that file, not with a later one's test."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def mongodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server("mongodb", tmp_path_factory.mktemp("mongodb")) as (url, _):
        yield url


@pytest.fixture(scope="session")
def _redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server("redis", tmp_path_factory.mktemp("redis")) as (url, _):
        yield url


@pytest.fixture
def redis(_redis: str) -> str:
    with redis_client.Redis.from_url(_redis) as client:
        client.flushall()
    return _redis


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[str]:
    with server("nats", tmp_path / "nats") as (url, _):
        yield url


@pytest.fixture
def simulator() -> Iterator[SimulatorControl]:
    with serving(create_simulator(Market(seed=1, coins=300))) as url:
        yield SimulatorControl(url)


@pytest.fixture
def settings(
    mongodb: str, nats: str, redis: str, simulator: SimulatorControl, tmp_path: Path
) -> Settings:
    return Settings(
        market="demo",
        coins="bitcoin,ethereum,top:20",
        mongodb_uri=SecretStr(mongodb),
        nats_url=SecretStr(nats),
        redis_url=SecretStr(redis),
        coingecko_api_url=f"{simulator.url}/api/v3",
        koinx_home=tmp_path / "home",
    )


@pytest.fixture
def database(mongodb: str) -> Iterator[Database[Document]]:
    """A prepared database with nothing in it."""
    made = market_database.connect(mongodb, "koinx_demo_usd")
    _empty(made)
    yield made
    market_database.disconnect()


_prepared: list[MutableMapping[str, Any]] = []  # the collections as the last test was given them


def _empty(database: Database[Document]) -> None:
    """Nothing but what `prepare` makes; collections that no test has touched are made once.

    To drop and make them takes ten times as long as to empty them.
    """
    if _prepared and _collections(database) == _prepared:
        for one in _prepared:
            database[one["name"]].delete_many({})
        return
    database.client.drop_database(database.name)
    market_database.prepare(database)
    _prepared[:] = _collections(database)


def _collections(database: Database[Document]) -> list[MutableMapping[str, Any]]:
    """Names, options and ids; one that was dropped and made anew has another id."""
    return sorted(database.list_collections(), key=lambda one: str(one["name"]))


@pytest.fixture
def ledger(database: Database[Document]) -> Ledger:
    return Ledger(database)


@pytest.fixture
def store(database: Database[Document]) -> QuoteStore:
    return QuoteStore(database)


@pytest.fixture
def outlier_filter(database: Database[Document]) -> OutlierFilter:
    return OutlierFilter(database)


@pytest.fixture
def source(simulator: SimulatorControl) -> Iterator[CoinGecko]:
    made = CoinGecko(f"{simulator.url}/api/v3")
    yield made
    made.close()


@pytest.fixture
def connection(nats: str) -> Iterator[Connection]:
    """A connection to a NATS that has its streams."""
    made = Connection(nats, "test")
    made.run(streams.prepare, 5)
    yield made
    made.close()


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings in this process's environment, where Celery's configuration looks for them."""
    monkeypatch.setenv("KOINX_ENV_FILE", "")
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def app(settings: Settings, database: Database[Document], environment: None) -> Iterator[Flask]:
    """The API on real servers; nothing consumes and no worker runs."""
    made = create_app(settings)
    yield made
    made.extensions[EXTENSION].nats.close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
