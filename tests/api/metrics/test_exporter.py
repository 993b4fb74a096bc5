"""What Prometheus is told."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from api.app import create_app
from api.extensions import EXTENSION, Services
from api.metrics.exporter import STALEST
from bench.harness.services import free_port, keep, quote
from cli.migrate import prepare
from market.ledger.ledger import Ledger
from market.storage.database import disconnect
from market.storage.quote_store import QuoteStore
from settings import Settings
from tests.harness.update_latency import end

SERVERS = {"mongodb": "mongodb://", "nats": "nats://", "redis": "redis://"}

OF = {
    "mongodb": {"koinx_updates", "koinx_quotes", "koinx_coins", "koinx_hop_seconds"},
    "nats": {"koinx_pending_events", "koinx_consumer_lag_seconds", "koinx_dead_letters"},
    "redis": {"koinx_source_calls", "koinx_source_calls_left"},
}


def families(client: FlaskClient) -> dict[str, dict[tuple[str, ...], float]]:
    """Each family's samples, those of a histogram by their full names, by the labels' values."""
    answer = client.get("/metrics")
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        found.setdefault(family.name, {})
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_the_ledger_the_quotes_and_their_age(
    client: FlaskClient, settings: Settings, ledger: Ledger, store: QuoteStore
) -> None:
    prepare(settings)
    end(ledger, "one", "done", fetched=1.0, stored=2.0)
    end(ledger, "two", "failed")
    now = datetime.now(UTC)
    old = [quote(f"coin-{n:02}", 1.0, now - timedelta(hours=n)) for n in range(STALEST + 5)]
    keep(store, quote("bitcoin", 70_000.0, now), *old, quote("gone", 1.0, now - timedelta(days=9)))
    store.mark_left(["gone"])

    found = families(client)
    assert {state: n for (state,), n in found["koinx_updates"].items() if n} == {
        "done": 1,
        "failed": 1,
    }
    assert found["koinx_quotes"] == {(): STALEST + 7}
    assert 0 <= found["koinx_last_success_age_seconds"][()] < 60
    assert found["koinx_hop_seconds_count"]["stored",] == 1
    assert found["koinx_hop_seconds_sum"]["stored",] == 1.0
    # ethereum is wanted, and has no quote
    assert found["koinx_coins"] == {
        ("fresh",): 2,
        ("late",): 1,
        ("stale",): STALEST + 3,
        ("never",): 1,
    }
    ages = found["koinx_quote_age_seconds"]
    assert len(ages) == STALEST + 1, "the named one, and the oldest of the others"
    assert 0 <= ages["bitcoin",] < 60
    assert ("gone",) not in ages
    assert ages[f"coin-{STALEST + 4:02}",] == max(ages.values())
    assert found["koinx_up"] == {(name,): 1 for name in (*SERVERS, "disk")}


def test_before_the_first_success_its_age_is_absent(
    client: FlaskClient, settings: Settings
) -> None:
    prepare(settings)
    found = families(client)
    assert found["koinx_last_success_age_seconds"] == {}
    assert found["koinx_quotes"] == {(): 0}
    assert found["koinx_dead_letters"] == {(): 0}


def test_requests_are_counted_the_refused_among_them(client: FlaskClient) -> None:
    for path in ("/stats?coin=bitcoin", "/health", "/health", "/nothing"):
        client.get(path)
    found = families(client)
    assert found["koinx_requests_total"] == {
        ("GET", "/health", "2xx"): 2,
        ("GET", "/stats", "4xx"): 1,
        ("GET", "unknown", "4xx"): 1,
    }
    assert found["koinx_request_seconds_count"] == found["koinx_requests_total"]
    assert families(client)["koinx_requests_total"]["GET", "/metrics", "2xx"] == 1


@pytest.mark.usefixtures("database")
def test_calls_to_the_source_where_they_are_limited(settings: Settings) -> None:
    prepare(settings)
    limited = Settings.model_validate(
        {name: getattr(settings, name) for name in Settings.model_fields}
        | {
            "market": "live",
            "coingecko_api_url": "https://source.example",
            "coingecko_calls_per_minute": 30,
            "coingecko_calls_per_month": 10_000,
        }
    )
    app = create_app(limited)
    on: Services = app.extensions[EXTENSION]
    assert on.calls is not None
    for _ in range(3):
        on.calls.acquire(lambda: 1)
    found = families(app.test_client())
    assert found["koinx_source_calls"] == {("minute",): 3, ("month",): 3}
    assert found["koinx_source_calls_left"] == {("minute",): 27, ("month",): 9_997}
    on.nats.close()
    disconnect()


@pytest.fixture(params=SERVERS)
def without(request: pytest.FixtureRequest, settings: Settings) -> Iterator[tuple[str, Flask]]:
    prepare(settings)
    name = str(request.param)
    field = "mongodb_uri" if name == "mongodb" else f"{name}_url"
    nowhere = SecretStr(f"{SERVERS[name]}127.0.0.1:{free_port()}")
    app = create_app(settings.model_copy(update={field: nowhere}))
    yield name, app
    app.extensions[EXTENSION].nats.close()
    disconnect()


@pytest.mark.usefixtures("database")
def test_what_is_down_is_told_soon_and_what_needs_it_left_out(without: tuple[str, Flask]) -> None:
    name, app = without
    begun = time.monotonic()
    found = families(app.test_client())
    # Some 3 s with the machine to itself; what has no bound would take 30 s or for ever.
    assert time.monotonic() - begun < 20
    assert found["koinx_up"] == {(one,): float(one != name) for one in (*SERVERS, "disk")}
    for server, names in OF.items():
        assert names.isdisjoint(found) if server == name else names <= found.keys(), server
    assert "koinx_requests" in found
