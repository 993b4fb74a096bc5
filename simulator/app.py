"""A market that speaks CoinGecko's API v3, and CoinPaprika's v1, for demos, tests and load.

    python -m simulator.app --port 8899

Its prices are made up, or a folder of recorded pages is replayed; it can be told to fail.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event
from types import FrameType

from flask import Flask, Response, request

import logs
from logs.redaction import plain
from simulator.admin import ServedLog, answer, control
from simulator.fault_registry import FaultBook
from simulator.faults import PREFIX, read_faults
from simulator.market import Market
from simulator.replay import Replay
from simulator.routes import Answers, Refused
from simulator.server import serving


def now_ms() -> int:
    """The present in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def create_simulator(
    market: Market | Replay,
    faults: FaultBook | None = None,
    clock: Callable[[], int] = now_ms,
    key: str | None = None,
) -> Flask:
    """A fresh app that answers as CoinGecko does, with and without `/api/v3` before the path.

    `faults` are set from the start; others come and go by `/simulator/faults`, which wants `key` if
    there is one. `clock` gives the present in milliseconds since 1970. Beyond what CoinGecko
    answers: a `per_page` over 250 is taken for 250, and numbers that are none for the default.
    """
    app = Flask("simulator", static_folder=None)
    book = faults if faults is not None else FaultBook()
    app.register_blueprint(control(book, ServedLog(), clock, key))

    answers = Answers(market, book, clock)
    for path, view in (
        ("/ping", answers.ping),
        ("/coins/markets", answers.coins_markets),
        ("/simple/price", answers.simple_price),
        ("/coins/list", answers.coins_list),
        ("/coins/<coin_id>/market_chart", answers.chart),
        ("/coins/<coin_id>/market_chart/range", answers.chart_range),
    ):
        app.add_url_rule(path, path, view)
        app.add_url_rule(PREFIX + path, PREFIX + path, view)
    for path, view in (("/v1/tickers", answers.tickers), ("/v1/coins", answers.coins)):
        app.add_url_rule(path, path, view)

    @app.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        return answer(error.document, error.status)

    @app.errorhandler(404)
    def no_such_path(_: Exception) -> Response:
        return answer({"error": f"Incorrect path {request.path}"}, 404)

    return app


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator.app", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same market")
    parser.add_argument("--coins", type=int, default=300)
    parser.add_argument("--cadence", type=float, default=1.0, help="seconds between two prices")
    parser.add_argument("--replay", type=Path, metavar="FOLDER", help="replay its recorded pages")
    parser.add_argument("--pattern", default="*markets*.json", metavar="GLOB")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="a JSON list of faults")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT. Returns 0, or 2 with a line that says what is wrong."""
    options = _options(argv)
    logs.set_up("market")
    stop = Event()

    def stopped(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stopped)
    try:
        market: Market | Replay
        if options.replay:
            market = Replay(options.replay, options.pattern)
        else:
            market = Market(options.seed, options.coins, options.cadence)
        faults = read_faults(options.faults.read_bytes()) if options.faults else []
        book = FaultBook(faults, now_ms())
        app = create_simulator(market, book, key=os.environ.get("API_KEY") or None)
        with serving(app, options.host, options.port) as url:
            with suppress(OSError):  # a log without room is no reason to end
                print(f"simulator listens on {url}", flush=True)
            stop.wait()
    except (OSError, ValueError) as error:
        print(f"simulator: {plain(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
