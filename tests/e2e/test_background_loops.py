"""What runs in the background outlives an error that nobody thought of, and says so in the log."""

import ast
import asyncio
import os
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from pymongo.collection import Collection
from pymongo.database import Database

from api.cache import invalidation
from api.cache.invalidation import UpdateWatcher
from api.cache.response_cache import ResponseCache
from api.events import broadcaster, shutdown
from api.events.broadcaster import Broadcaster
from api.protection import slow_clients
from bench.harness.services import wait_until
from bridge import consumer, subscriber
from bridge.connection import Connection
from bridge.events import UpdateFinished, UpdateRequested
from bridge.publisher import publish, publish_update_finished
from bridge.subscriber import subscribe
from market.ledger import lease
from market.ledger.event_log import EventLog
from market.ledger.lease import Lease
from market.ledger.ledger import Ledger
from market.schedule.slots import Schedule
from market.storage import migrations, restore_lock
from market.storage.database import Document
from tests.harness.consumer import Handled, consuming
from tests.harness.ledger_entries import closed
from tests.harness.packages import modules

ROOT = Path(__file__).parents[2]
UNEXPECTED = (KeyError("unexpected"), RuntimeError("unexpected"), AssertionError("unexpected"))
# As nats-py cancels its own futures when it loses the connection.
CANCELLED = asyncio.CancelledError("unexpected")


def fail_once(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, error: BaseException
) -> threading.Event:
    """The next call of a method raises; what comes back is set once it has."""
    right, failed = getattr(owner, name), threading.Event()

    def method(*arguments: Any, **named: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise error
        return right(*arguments, **named)

    monkeypatch.setattr(owner, name, method)
    return failed


def tell(connection: Connection, number: int) -> bool:
    publish_update_finished(connection, UpdateFinished("u", "done", number))
    return False


@pytest.mark.row("background")
@pytest.mark.parametrize("error", [*UNEXPECTED, CANCELLED], ids=repr)
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (JetStreamContext.PullSubscription, "fetch"),
        (JetStreamContext, "pull_subscribe_bind"),
        (Connection, "client"),
    ],
)
def test_the_consumer(
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    owner: Any,
    name: str,
    error: BaseException,
) -> None:
    monkeypatch.setattr(consumer, "PAUSE_SECONDS", 0.01)
    handled = Handled()
    publish(connection, UpdateRequested("a"))
    failed = fail_once(monkeypatch, owner, name, error)
    with consuming(connection, handled):
        assert failed.wait(10)
        wait_until(lambda: handled.ids == ["a"], "the event")
    assert caplog.text.count("consumer failed, retrying") == 1


@pytest.mark.row("background")
@pytest.mark.parametrize("at", ["nak", "metadata"])
def test_the_consumer_s_part_for_one_event(
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    at: str,
) -> None:
    handled = Handled()
    if at == "nak":
        fail_once(monkeypatch, Msg, "nak", UNEXPECTED[0])
        fail_once(monkeypatch, Handled, "__call__", UNEXPECTED[1])
    else:
        fail_once(monkeypatch, Msg.Metadata, "_from_reply", UNEXPECTED[0])
    for name in "ab":
        publish(connection, UpdateRequested(name))
    with consuming(connection, handled):
        wait_until(lambda: "b" in handled.ids, "the next event", 4)
        wait_until(lambda: "a" in handled.ids, "the first event, which comes again")
    assert "event failed" in caplog.text


@pytest.mark.row("background")
@pytest.mark.parametrize("error", [*UNEXPECTED, CANCELLED], ids=repr)
def test_the_listener_s_subscription(
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: BaseException,
) -> None:
    monkeypatch.setattr(subscriber, "PAUSE_SECONDS", 0.01)
    heard: list[UpdateFinished] = []
    failed = fail_once(monkeypatch, Client, "subscribe", error)
    subscribe(connection, heard.append)
    assert failed.wait(10)
    wait_until(lambda: tell(connection, 1) or heard, "news")
    assert "not subscribed, retrying" in caplog.text


@pytest.mark.row("background")
def test_the_listener_s_handler(connection: Connection, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[UpdateFinished] = []

    def handler(news: UpdateFinished) -> None:
        heard.append(news)
        if len(heard) == 1:
            raise UNEXPECTED[0]

    subscribe(connection, handler)
    wait_until(lambda: tell(connection, 1) or len(heard) > 1, "more news")
    assert "event handler failed" in caplog.text


@pytest.mark.row("background")
def test_the_loop_of_nats(connection: Connection, caplog: pytest.LogCaptureFixture) -> None:
    async def leave(_: Client) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        connection.run(leave, 5)
    sequence = publish(connection, UpdateRequested("a"))
    assert sequence == 1
    assert "event loop interrupted and resumed" in caplog.text


@pytest.mark.row("background")
def test_what_is_to_run_for_ever_never_ends_unheard(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    async def end() -> None:
        raise UNEXPECTED[0]

    running = connection.keep_running(end(), "a test")
    assert running.exception(5) is UNEXPECTED[0]
    wait_until(lambda: "background task failed" in caplog.text, "a line in the log")


@pytest.mark.row("background")
@pytest.mark.parametrize("error", UNEXPECTED, ids=repr)
def test_the_lookout(
    database: Database[Document],
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    monkeypatch.setattr(invalidation, "CHECK_SECONDS", 0.01)
    cache = ResponseCache()
    failed = fail_once(monkeypatch, EventLog, "newest", error)
    UpdateWatcher(EventLog(database), ledger, Schedule("*/15 * * * *"), cache).start()
    assert failed.wait(10)
    closed(ledger, "update", "done")
    wait_until(lambda: cache.generation, "a drop")
    assert "ledger check failed" in caplog.text


@pytest.mark.row("background")
def test_the_feed(
    database: Database[Document],
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(broadcaster, "CHECK_SECONDS", 0.01)
    made = Broadcaster(EventLog(database), "simulator")
    failed = fail_once(monkeypatch, EventLog, "newest", UNEXPECTED[0])
    with made.place():
        assert failed.wait(10)
        wait_until(lambda: made._last is not None, "the feed")
        closed(ledger, "update", "done")
        assert len(made.after(0, 10)) == 1
    made.end()
    assert "event read failed" in caplog.text


@pytest.mark.row("background")
def test_the_pace(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(slow_clients, "CHECK_SECONDS", 0.01)
    failed = fail_once(monkeypatch, slow_clients.ProgressMonitor, "close_stalled", UNEXPECTED[0])
    looked, look = threading.Event(), slow_clients.ProgressMonitor.close_stalled

    def noted(*arguments: Any) -> int:
        count = look(*arguments)
        looked.set()
        return count

    monkeypatch.setattr(slow_clients.ProgressMonitor, "close_stalled", noted)
    slow_clients.watch_slow_clients()
    assert failed.wait(10)
    assert looked.wait(10)
    assert "connection check failed" in caplog.text


@pytest.mark.row("background")
def test_the_end_of_a_process(caplog: pytest.LogCaptureFixture) -> None:
    known = signal.getsignal(signal.SIGTERM)
    told: list[int] = []

    def handler() -> None:
        told.append(1)
        if len(told) == 1:
            raise UNEXPECTED[0]

    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        shutdown.on_shutdown(handler)
        for times in (1, 2):
            signal.raise_signal(signal.SIGTERM)
            wait_until(lambda: len(told) == times, "the handler")  # noqa: B023
    finally:
        writer = signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, known)
        os.close(writer)
    assert "shutdown handler failed" in caplog.text


@pytest.mark.row("background")
@pytest.mark.parametrize("error", UNEXPECTED, ids=repr)
def test_a_lease(
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.01)
    ledger.receive("a", trigger="event", slot=None, hops={})
    claim = ledger.claim("a", "worker", datetime.now(UTC))
    assert claim is not None
    failed = fail_once(monkeypatch, Ledger, "renew", error)
    with Lease(ledger, claim) as held:
        assert failed.wait(10)
        before = held._renewed
        wait_until(lambda: held._renewed > before, "a renewal")
    assert "lease not renewed" in caplog.text


@pytest.mark.row("background")
@pytest.mark.parametrize("error", UNEXPECTED, ids=repr)
def test_the_lease_of_a_restore(
    database: Database[Document],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    monkeypatch.setattr(restore_lock, "RENEW_SECONDS", 0.01)
    with restore_lock.restore_lock(database, "a file") as held:
        failed = fail_once(monkeypatch, Collection, "update_one", error)
        assert failed.wait(10)
        before = held._held_until
        wait_until(lambda: held._held_until > before, "a renewal")
    assert "restore lease not renewed" in caplog.text


@pytest.mark.row("background")
def test_the_lease_on_the_schema(
    database: Database[Document],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(migrations, "RENEW_SECONDS", 0.01)
    database[migrations.SCHEMA].delete_many({})
    database[migrations.SCHEMA].insert_one({"_id": migrations.SCHEMA, "version": 1})

    def until() -> Any:
        found = database[migrations.SCHEMA].find_one()
        return found and found["until"]

    with migrations._lease(database[migrations.SCHEMA], 1):
        failed = fail_once(monkeypatch, Collection, "update_one", UNEXPECTED[0])
        assert failed.wait(10)
        before = until()
        wait_until(lambda: until() > before, "a renewal")
    assert "schema lease not renewed" in caplog.text


# Each place that begins something in the background, by its file, and what is tried of it here.
# A thread whose caller waits for what it returns has its error told by the caller.
BEGUN: dict[str, Callable[..., object] | str] = {
    "api/events/shutdown.py": test_the_end_of_a_process,
    "api/events/broadcaster.py": test_the_feed,
    "api/cache/invalidation.py": test_the_lookout,
    "api/metrics/exporter.py": "its results are read",
    "api/protection/slow_clients.py": test_the_pace,
    "api/resources/health.py": "its results are read",
    "bridge/connection.py": test_the_loop_of_nats,
    "bridge/consumer.py": test_the_consumer,
    "bridge/subscriber.py": test_the_listener_s_subscription,
    "bridge/publisher.py": "a hint that may be lost",
    "market/ingest/run_update.py": "its results are read",
    "market/sources/fetch.py": "its results are read",
    "market/sources/http.py": "its results are read",
    "market/ledger/lease.py": test_a_lease,
    "market/storage/restore_lock.py": test_the_lease_of_a_restore,
    "market/storage/migrations.py": test_the_lease_on_the_schema,
}
BEGINS = {"Thread", "Timer", "ThreadPoolExecutor", "run_coroutine_threadsafe", "create_task"}


def test_nothing_else_runs_in_the_background() -> None:
    found = {
        str(file.relative_to(ROOT))
        for file in modules()
        if file.relative_to(ROOT).parts[0] in ("api", "bridge", "market", "tasks")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and (
            getattr(node.func, "attr", getattr(node.func, "id", None)) in BEGINS
            or ast.unparse(node.func) in ("connection.keep_running", "connection.start")
        )
    }
    assert found == set(BEGUN)
