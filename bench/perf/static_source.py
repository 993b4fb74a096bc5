"""A source whose pages are made before they are asked for.

    python -m bench.perf.static_source --coins 250

It answers `/coins/markets` as fast as a small server can, so that what is measured beside it is not
how long made-up prices take to be made up. `POST /next` makes the next pages of all coins, and
answers the last row of the last page, whose price is another one each time.
"""

import argparse
import itertools
import time
from typing import Any

from flask import Flask, Response, request

from simulator.market import Market
from simulator.rows import Query
from simulator.server import bind, encode
from simulator.timestamps import iso

PER_PAGE = 250
STEP = 0.0001  # by which the last row's price differs each time: 50 % in sum, and it were held


def create_app(coins: int) -> Flask:
    """The source of so many coins; it has no page before the first `POST /next`."""
    app = Flask("prepared", static_folder=None)
    market, numbers = Market(coins=coins), itertools.count(1)
    pages: dict[int, bytes] = {}
    size = min(coins, PER_PAGE)

    @app.get("/api/v3/coins/markets")
    def markets() -> Response:
        body = pages.get(int(request.args["page"]), b"[]")
        return Response(body, content_type="application/json; charset=utf-8")

    @app.post("/next")
    def following() -> dict[str, Any]:
        now = time.time_ns() // 1_000_000
        for page in range(1, -(-coins // size) + 1):
            query = Query(per_page=size, page=page, rehypothecated=True)
            rows = market.markets(query, now)
            if page * size >= coins:
                rows[-1]["current_price"] *= 1 + next(numbers) * STEP
                rows[-1]["last_updated"] = iso(now)
            pages[page] = encode(rows)
        return rows[-1]

    return app


def main() -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coins", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    bind(create_app(options.coins), port=options.port).serve_forever()


if __name__ == "__main__":
    main()
