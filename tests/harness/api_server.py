"""The API served over HTTP with its consumer, its updates carried out in this process."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from api.events.update_consumer import UpdateConsumer
from api.extensions import EXTENSION, Services
from bench.harness.services import wait_until
from cli.migrate import prepare
from tasks.ingest import ingest
from tests.harness.worker import in_a_worker


class Handler(WSGIRequestHandler):
    """As werkzeug's, with connections that stay open for streams, and no line for each request."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def consuming(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The app with its share of the consumer, and a worker's part done by its threads."""
    on: Services = app.extensions[EXTENSION]
    prepare(on.settings)
    inbox = UpdateConsumer(on)
    with in_a_worker(), ThreadPoolExecutor(2) as worker:
        carry_out: Callable[[str], object] = lambda name: worker.submit(ingest.apply, (name,))  # noqa: E731
        monkeypatch.setattr("api.events.update_consumer._start", carry_out)
        inbox.start()
        try:
            yield app
        finally:
            on.broadcaster.end()
            inbox.stop()


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """Its address while it is served, each request in a thread of its own."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def update_twice(url: str) -> None:
    """Two updates, one after the other."""
    for _ in range(2):
        answer = requests.post(f"{url}/trigger-update", timeout=10)
        assert answer.ok, answer.text
    wait_until(lambda: requests.get(f"{url}/stats?coin=bitcoin", timeout=5).ok, "quotes")
