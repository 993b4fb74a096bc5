"""Somebody is told, by a real call."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tasks import notify
from tasks.dependencies import Services
from tests.harness.alerts import be_patient
from tests.harness.update_health import end
from tests.harness.worker import in_a_worker


class Hook(HTTPServer):
    """Listens as a chat does, and answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Call)
        self.status = 200
        self.told: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/services/T0/secret"


class Call(BaseHTTPRequestHandler):
    """One call."""

    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/services/T0/secret"
        self.server.told.append(json.loads(body))
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def on(
    environment: None, database: object, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Services]:
    monkeypatch.setenv("WEBHOOK_URL", hook.url)
    with in_a_worker() as made:
        yield made


def test_a_failure_and_the_recovery_are_told_once_each(on: Services, hook: Hook) -> None:
    # Given a first start, with nothing yet
    assert notify.tell() == 0
    end(on.ledger, "good", "done")
    assert notify.tell() == 0
    # When, then
    since = end(on.ledger, "bad", "failed", "CoinGecko limits the calls (429)")
    assert (notify.tell(), notify.tell()) == (1, 0)
    [failing] = hook.told
    assert failing["state"] == "failing"
    assert failing["since"] == since.isoformat()
    assert failing["update"] == "bad"
    assert failing["last_success"] is not None
    assert failing["text"].startswith(
        f"koinx_demo_usd: updates fail since {since:%Y-%m-%d %H:%M:%S} UTC (bad): "
        "CoinGecko limits the calls (429). To do: "
    )
    # When it is tried again, and once it is done
    assert on.ledger.reopen("bad", failed=True)
    assert notify.tell() == 0
    end(on.ledger, "bad", "done")
    assert (notify.tell(), notify.tell()) == (1, 0)
    assert [one["state"] for one in hook.told] == ["failing", "well"]
    assert len({one["id"] for one in hook.told}) == 2


@pytest.mark.parametrize("status", [500, 302, 404])
def test_a_hook_that_does_not_take_it_is_called_again(
    on: Services, hook: Hook, status: int
) -> None:
    end(on.ledger, "bad", "failed", "no internet connection")
    hook.status = status
    assert (notify.tell(), notify.tell()) == (0, 0)
    assert len(hook.told) == 1, "not at once"
    hook.status = 204
    be_patient(on.ledger._updates.database)
    assert (notify.tell(), notify.tell()) == (1, 0)
    assert hook.told[0] == hook.told[1]


def test_a_hook_that_is_down_stops_nothing(
    on: Services, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    end(on.ledger, "bad", "failed")
    hook.server_close()
    assert notify.tell() == 0
    assert "alert not delivered; retried later" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.usefixtures("environment")
def test_without_an_address_nothing_is_looked_at(database: Any) -> None:
    with in_a_worker() as on:
        end(on.ledger, "bad", "failed")
        assert notify.tell() == 0
    assert database["notices"].count_documents({}) == 0
