"""A coin's past as it is asked for: which requests, how many pages, what is expected when."""

import shlex
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import flask
import pytest

from api_client import coin_history
from api_client.client import ApiError, Client
from api_client.coin_history import MEASURES, Request, Statistics
from tests.harness.web_server import start, stop

NOW = datetime(2025, 11, 22, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
Rows = list[dict[str, Any]]


def statistics(**more: Any) -> Statistics:
    values: dict[str, Any] = {
        "coin": "bitcoin",
        "source": "coingecko",
        "count": 50,
        "repaired": 0,
        "expected": 96,
        "gaps": 46,
        "oldest": NOW - 48 * QUARTER,
        "newest": NOW,
        "age_seconds": 1.0,
        "measures": dict.fromkeys(MEASURES),
        "interval": None,
        "notes": {},
    }
    return Statistics(**values | more)


@pytest.fixture
def serve() -> Iterator[Callable[[Rows], tuple[Client, list[str]]]]:
    """An API with these quotes, newest first, and one candle; and what it was asked."""
    servers = []

    def up(quotes: Rows) -> tuple[Client, list[str]]:
        app, asked = flask.Flask("api"), list[str]()

        @app.get("/v1/coins/<coin>/<what>")
        def read(coin: str, what: str) -> flask.Response:
            asked.append(flask.request.full_path)
            if what == "candles":
                return flask.jsonify([CANDLE])
            end = flask.request.args.get("to", "9")
            return flask.jsonify([one for one in quotes if one["at"] < end][:1000])

        servers.append(start(app))
        return Client(f"http://127.0.0.1:{servers[-1].server_port}"), asked

    yield up
    for server in servers:
        stop(server)


CANDLE = {
    "start": NOW.isoformat(),
    **dict.fromkeys(("open", "high", "low", "close"), 1.5),
    "volume_24h": None,
    "count": 3,
    "repaired": 1,
    "as_of": NOW.isoformat(),
}


def quotes(count: int) -> Rows:
    row = {"price": 1.0, "volume_24h": None, "resolution": None}
    return [row | {"at": (NOW - n * QUARTER).isoformat()} for n in range(count)]


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 2500])
def test_every_quote_of_a_range_is_read_once_and_oldest_first(serve: Any, count: int) -> None:
    client, asked = serve(quotes(count))
    found = coin_history.line(client, "bitcoin", "all", "repaired", QUARTER)
    assert [one.at for one in found.points] == [NOW - n * QUARTER for n in reversed(range(count))]
    assert found.spacing == QUARTER
    assert len(asked) == count // 1000 + 1


def test_more_quotes_than_a_chart_needs_are_shown_by_candles(serve: Any) -> None:
    client, asked = serve(quotes(3001))
    found = coin_history.line(client, "bitcoin", "30d", "repaired", QUARTER)
    assert (found.interval, found.spacing) == ("4h", timedelta(hours=4))
    [close] = found.points
    assert (close.at, close.price, close.resolution) == (NOW, 1.5, 4 * 3600)
    assert "interval=4h" in asked[-1]


def test_candles_are_no_shorter_than_the_schedule(serve: Any) -> None:
    client, _ = serve([])
    for step, name in [(QUARTER, "1h"), (timedelta(hours=2), "4h"), (timedelta(days=7), "1d")]:
        assert coin_history.candles(client, "bitcoin", "24h", "recorded", step).interval == name


def test_what_is_no_quote_is_refused_in_plain_words(serve: Any) -> None:
    client, _ = serve([quotes(1)[0] | {"price": None}])
    with pytest.raises(ApiError, match="price: "):
        coin_history.line(client, "bitcoin", "24h", "recorded", QUARTER)


def test_how_often_a_record_is_expected() -> None:
    assert coin_history.spacing("24h", statistics()) == QUARTER
    assert coin_history.spacing("24h", statistics(expected=0)) is None
    assert coin_history.spacing("all", statistics(expected=49)) == QUARTER
    assert coin_history.spacing("all", statistics(expected=1)) is None
    assert coin_history.spacing("24h", statistics(count=10_000, expected=49)) == QUARTER


def test_without_a_spacing_nothing_is_called_a_gap() -> None:
    points = [coin_history.Point(NOW + n * QUARTER, 1.0, None, None) for n in (0, 1, 9)]
    assert coin_history.gaps(points, None) == []
    assert coin_history.gaps(points, QUARTER) == [(points[1], points[2])]


def test_a_request_for_a_shell_survives_odd_ids() -> None:
    request = Request(coin_history.coin_path("a 'b'/ü?"), {"from": "2025-11-22T12:00:00+00:00"})
    assert shlex.split(request.curl("http://127.0.0.1:3000")) == [
        "curl",
        "http://127.0.0.1:3000/v1/coins/a%20%27b%27%2F%C3%BC%3F?from=2025-11-22T12%3A00%3A00%2B00%3A00",
    ]
