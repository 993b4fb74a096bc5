"""More requests at once than can be answered soon."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from flask import Flask

from api.protection.load_shedding import shed_load
from bench.harness.services import wait_until

PLACES = 2


@pytest.fixture
def go_on() -> threading.Event:
    return threading.Event()


@pytest.fixture
def bounded(app: Flask, go_on: threading.Event) -> Flask:
    """An API with two places, and a view that takes long."""
    inside = threading.Semaphore(0)
    app.extensions["inside"] = inside

    @app.get("/long")
    def long() -> str:
        inside.release()
        assert go_on.wait(10)
        return "at last"

    @app.get("/broken")
    def broken() -> str:
        raise LookupError

    @app.get("/stream")
    def stream() -> Iterator[str]:
        yield "one"
        assert go_on.wait(10)
        yield "two"

    shed_load(app, PLACES)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


def status(app: Flask, path: str) -> int:
    return app.test_client().get(path).status_code


@pytest.mark.row("overload")
def test_one_too_many_is_refused_at_once_and_a_place_is_free_again(
    bounded: Flask, go_on: threading.Event
) -> None:
    with ThreadPoolExecutor(PLACES) as threads, ExitStack() as ending:
        ending.callback(go_on.set)
        # Given as many requests as there are places
        held = [threads.submit(status, bounded, "/long") for _ in range(PLACES)]
        for _ in held:
            assert bounded.extensions["inside"].acquire(timeout=10)
        # When one more comes, then it is refused
        begun = time.monotonic()
        answer = bounded.test_client().get("/stats?coin=bitcoin")
        assert time.monotonic() - begun < 5
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.json is not None
        assert answer.json["error"] == "2 requests are in progress already; try again in 1 s"
        # ... but whether all is well is told
        assert status(bounded, "/health") == 200
        go_on.set()
        assert [one.result() for one in held] == [200] * PLACES
    wait_until(lambda: status(bounded, "/v1/coins") == 200, "a place")


def test_what_fails_and_what_streams_gives_its_place_back(
    bounded: Flask, go_on: threading.Event
) -> None:
    for _ in range(2 * PLACES):
        assert status(bounded, "/broken") == 500
        assert status(bounded, "/nowhere") == 404
    streams = [bounded.test_client().get("/stream", buffered=False) for _ in range(PLACES + 1)]
    assert [one.status_code for one in streams] == [200] * len(streams)
    go_on.set()
    assert {one.text for one in streams} == {"onetwo"}
