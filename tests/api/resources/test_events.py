"""The stream of updates that ended, over HTTP."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from api.app import create_app
from api.events import broadcaster as api_feed
from api.events.broadcaster import MAX_LISTENERS, Broadcaster
from api.extensions import EXTENSION
from api.resources import events as api_events
from bench.harness.services import free_port, wait_until
from bench.perf.sse import Listeners
from cli.migrate import prepare
from market.ledger.ledger import Ledger
from market.storage.database import disconnect
from settings import Settings
from tests.harness.broadcaster import end, following
from tests.harness.event_log import slots
from tests.harness.granian import granian

pytestmark = pytest.mark.system


@pytest.fixture
def feed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broadcaster]:
    monkeypatch.setattr(api_feed, "CHECK_SECONDS", 0.05)
    made: Broadcaster = app.extensions[EXTENSION].broadcaster
    yield made
    wait_until(lambda: made._listeners == 0 and not following(), "everybody to be gone")


def read(answer: TestResponse | requests.Response) -> list[tuple[int, str, dict[str, Any]]]:
    """The events of a stream that has ended: (id, event, data)."""
    found = []
    for block in answer.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[0] != ":")
        if "event" in fields:
            found.append((int(fields["id"]), fields["event"], orjson.loads(fields["data"])))
    return found


def ids(answer: TestResponse | requests.Response) -> list[int]:
    return [number for number, _, _ in read(answer)]


@pytest.mark.usefixtures("feed")
def test_each_update_is_an_event_in_the_ledger_s_form(client: FlaskClient, ledger: Ledger) -> None:
    end(ledger, "a")
    end(ledger, "b", "failed")
    ledger.enter_missed(slots(1))
    answer = client.get("/v1/events?last_event_id=0&limit=3&seconds=9")
    assert answer.text.startswith("retry: 3000\n\nid: 1\nevent: update\ndata: {")
    found = read(answer)
    assert [(number, event) for number, event, _ in found] == [
        *((1, "update"), (2, "update"), (3, "update"))
    ]
    for _, _, data in found:
        update = client.get(f"/v1/updates/{data['id']}").json
        assert update is not None
        assert data == {k: v for k, v in update.items() if k not in ("left_out", "ticks")}
    assert [data["state"] for _, _, data in found] == ["done", "failed", "missed"]


@pytest.mark.usefixtures("feed")
def test_its_headers_keep_it_from_being_kept_and_held_up(client: FlaskClient) -> None:
    answer = client.get("/v1/events?seconds=1", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert not {"ETag", "Content-Encoding", "Content-Length"} & set(answer.headers.keys())
    before = time.monotonic()
    assert answer.text.startswith("retry: 3000\n\n")
    assert time.monotonic() - before < 2


@pytest.mark.usefixtures("feed")
def test_a_stream_goes_on_where_the_last_one_ended(client: FlaskClient, ledger: Ledger) -> None:
    ledger.enter_missed(slots(4))
    before = time.monotonic()
    assert ids(client.get("/v1/events?last_event_id=2&limit=2&seconds=9")) == [3, 4]
    # The header is the newer one: EventSource keeps the address it began with.
    path, header = "/v1/events?last_event_id=0&limit=1&seconds=9", {"Last-Event-ID": "3"}
    assert ids(client.get(path, headers=header)) == [4]
    assert time.monotonic() - before < 5  # as many as were asked for end it


@pytest.mark.usefixtures("feed")
def test_without_an_id_the_stream_begins_with_the_next_end(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.enter_missed(slots(2))
    answer = client.get("/v1/events?limit=1&seconds=9")
    end(ledger, "next")
    [(number, _, data)] = read(answer)
    assert (number, data["id"]) == (3, "next")


@pytest.mark.usefixtures("feed")
def test_what_is_not_sent_is_said(
    client: FlaskClient, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_feed, "MAX_REPLAYED", 3)
    ledger.enter_missed(slots(9))
    (number, event, data), *rest = read(client.get("/v1/events?last_event_id=2&limit=3&seconds=9"))
    assert (number, event, data["ledger"]) == (6, "skipped", "/v1/updates")
    assert data["reason"] == "Only the newest 3 are sent, not 3 to 6"
    assert [number for number, _, _ in rest] == [7, 8, 9]
    # An id that is not from this ledger: the client learns where it is now.
    [(number, event, data)] = read(client.get("/v1/events?last_event_id=77&seconds=1"))
    assert (number, event) == (9, "skipped")
    assert data["reason"] == "There is no event 77 yet: the newest is 9"


@pytest.mark.usefixtures("feed")
def test_a_silent_stream_says_that_it_is_there(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (api_events.HEARTBEAT_SECONDS, api_events.GONE_SECONDS) == (15, 2)
    monkeypatch.setattr(api_events, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(api_events, "GONE_SECONDS", 0.02)
    # That is no update of those that were asked for.
    assert client.get("/v1/events?seconds=1&limit=1").text.count(": still here\n\n") in range(3, 11)


def test_one_listener_too_many_is_told_to_come_again(
    client: FlaskClient, feed: Broadcaster
) -> None:
    with ExitStack() as places:
        for _ in range(MAX_LISTENERS):
            places.enter_context(feed.place())
        answer = client.get("/v1/events")
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert answer.json is not None
        assert (
            answer.json["message"]
            == "200 clients are listening to this process already; try again in 5 s"
        )
        assert client.get("/health").status_code == 200
    assert client.get("/v1/events?seconds=1").status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_whoever_goes_leaves_no_place_taken(
    client: FlaskClient, feed: Broadcaster, method: str
) -> None:
    for _ in range(3):
        client.open("/v1/events", method=method).close()
    assert feed._listeners == 0


@pytest.mark.usefixtures("feed")
def test_a_number_that_is_none_is_a_422(client: FlaskClient) -> None:
    bad = ("9" * 900, "9" * 16, "-1", "1.5", "x", "", "%00", "%ff%fe", "٣", "1%0d%0aa:b", "1_0")
    for name in ("last_event_id", "seconds", "limit"):
        for value in bad:
            answer = client.get(f"/v1/events?{name}={value}")
            assert answer.status_code == 422, (name, value)
            assert answer.json is not None
            assert name in answer.json["message"]


@pytest.mark.usefixtures("feed")
def test_a_last_event_id_that_is_none_is_a_422(client: FlaskClient) -> None:
    for value in ("9" * 5000, "-1", "x", "\xff\xfe", "1\x00"):
        answer = client.get("/v1/events?seconds=1", headers={"Last-Event-ID": value})
        assert answer.status_code == 422, value
        assert answer.json is not None
        assert "Last-Event-ID" in answer.json["message"]


def test_without_the_database_it_is_a_503(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("market.storage.database.TIMEOUT_MS", 200)
    nowhere = SecretStr(f"mongodb://127.0.0.1:{free_port()}")
    app = create_app(settings.model_copy(update={"mongodb_uri": nowhere}))
    answer = app.test_client().get("/v1/events")
    disconnect()
    assert answer.status_code == 503
    assert answer.is_json
    wait_until(lambda: not following(), "the thread to end")


def test_it_is_documented_with_parameters_that_let_it_end(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    assert document is not None
    operation = document["paths"]["/v1/events"]["get"]
    parameters = {one["name"]: one for one in operation["parameters"]}
    assert set(parameters) == {"last_event_id", "Last-Event-ID", "seconds", "limit"}
    assert parameters["Last-Event-ID"]["in"] == "header"
    assert parameters["seconds"]["schema"]["example"] == 5
    content = operation["responses"]["200"]["content"]
    assert list(content) == ["text/event-stream"]
    assert "event: update" in content["text/event-stream"]["example"]
    assert {"422", "503"} <= set(operation["responses"])


def test_in_use(settings: Settings, ledger: Ledger, tmp_path: Path) -> None:
    """One server for all of it, since it takes seconds to start."""
    prepare(settings)
    with granian(settings, tmp_path) as (url, server), ExitStack() as stack:
        # Bytes that no client would send
        host, port = url.removeprefix("http://").split(":")
        for line in (b"Last-Event-ID: \xff\xfe", b"Last-Event-ID: a\x00b", b"Last-Event-ID:"):
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                connection.sendall(
                    b"GET /v1/events?seconds=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                    + line
                    + b"\r\n\r\n"
                )
                assert connection.recv(12)[9:10] == b"4"

        # 200 hear at once that an update ended; there is no place for more
        listeners = Listeners(url)
        stack.callback(listeners.close)
        assert listeners.open(MAX_LISTENERS + 2) == [200] * MAX_LISTENERS + [503] * 2
        end(ledger, "a")
        before = time.time()
        heard = listeners.hear(10)
        assert len(heard) == MAX_LISTENERS
        assert max(heard) - before < 3

        # Whoever goes makes room for others
        listeners.close()
        wait_until(lambda: listeners.open(1) == [200], "a free place", 5)

        # The server ends as fast as without listeners, and their streams end in order
        answer = requests.get(f"{url}/v1/events", stream=True, timeout=20)
        stack.callback(answer.close)
        before = time.time()
        server.terminate()
        server.wait(20)
        assert time.time() - before < 5
        assert answer.text.startswith("retry: 3000")
    log = (tmp_path / "log").read_text()
    assert "Killing worker" not in log
    assert "Traceback" not in log
