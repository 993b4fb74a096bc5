"""Reliability: mongod is killed, or freezes: what was acknowledged survives, and nothing hangs."""

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pymongo.database import Database
from pymongo.errors import PyMongoError

from bench.harness.services import free_port, freeze, keep, quote, server, wait_until
from market.ledger.ledger import Ledger
from market.storage.database import TIMEOUT_MS, Document, connect, disconnect, prepare
from market.storage.quote_store import QuoteStore

NOW = datetime.now(UTC).replace(microsecond=0)
WRITERS = 4
ACKED = 200
SLACK = 1.0  # seconds that a test machine may add
READS = ("/stats?coin=bitcoin", "/deviation?coin=bitcoin", "/v1/coins", "/v1/updates", "/ready")
Server = tuple[str, "subprocess.Popen[bytes]"]


def keep_writing(
    database: Database[Document], writer: int, acked: list[str], ended: threading.Event
) -> None:
    """Enters updates, each with two quotes; notes those of which all was acknowledged."""
    ledger, store = Ledger(database), QuoteStore(database)
    for number in count():
        if ended.is_set():
            return
        name, at = f"{writer}-{number}", NOW + timedelta(seconds=number)
        quotes = [quote(f"coin {writer} {which}", 1.0, at) for which in "ab"]
        with suppress(PyMongoError):
            ledger.receive(name, trigger="event", slot=None, hops={})
            store.record(quotes, source=name, recorded_at=NOW)
            acked.append(name)


@pytest.mark.row("mongodb-killed")
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    acked: list[str] = []
    ended, port = threading.Event(), free_port()
    with ThreadPoolExecutor(WRITERS) as threads, ExitStack() as ending:
        ending.callback(disconnect)
        ending.callback(threads.shutdown)
        ending.callback(ended.set)
        # Given a mongod that is killed while it is written to
        with server("mongodb", tmp_path, port) as (url, process):
            database = connect(url, "koinx_demo_usd")
            prepare(database)
            for writer in range(WRITERS):
                threads.submit(keep_writing, database, writer, acked, ended)
            wait_until(lambda: len(acked) >= ACKED, "writes to be acknowledged")
            process.send_signal(signal.SIGKILL)
        # When it is started again
        with server("mongodb", tmp_path, port):
            before = len(acked)
            wait_until(lambda: len(acked) > before, "the writers to go on")
            ended.set()
            threads.shutdown()
            # Then all of it is there, once
            assert Ledger(database).known(acked) == set(acked)
            quotes = database["quotes"].find({"source": {"$in": acked}})
            assert sorted(one["source"] for one in quotes) == sorted(acked * 2)
            ending.close()  # before its server is gone, which the client would wait for


@pytest.fixture
def own_mongodb(tmp_path: Path) -> Iterator[Server]:
    with server("mongodb", tmp_path / "mongodb") as made:
        yield made


@pytest.fixture
def mongodb(own_mongodb: Server) -> str:
    return own_mongodb[0]


@pytest.mark.row("mongodb-frozen")
def test_while_it_is_frozen_each_answer_is_an_error_in_time(
    own_mongodb: Server, client: FlaskClient, store: QuoteStore
) -> None:
    _, process = own_mongodb

    def ask(path: str) -> tuple[int, float]:
        begun = time.monotonic()
        return client.application.test_client().get(path).status_code, time.monotonic() - begun

    # Given an API whose mongod answers
    keep(store, quote("bitcoin", 1.0))
    assert ask(READS[0])[0] == 200
    with ExitStack() as thawed, ThreadPoolExecutor(len(READS)) as threads:
        # When it freezes
        freeze(process)
        thawed.callback(process.send_signal, signal.SIGCONT)
        answers = threads.map(ask, READS)
        # Then each answer that needs it is an error in 3 s, and the others are not held up
        assert ask("/health")[1] < SLACK
        for path, (status, seconds) in zip(READS, answers, strict=True):
            assert status == 503, path
            assert seconds < TIMEOUT_MS / 1000 + SLACK, path
    wait_until(lambda: ask(READS[0])[0] == 200, "an answer once it goes on")
