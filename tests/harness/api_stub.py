"""A stand-in for the API: it answers as the API does, with what a test puts into it."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import flask
from werkzeug.serving import BaseWSGIServer

from tests.harness import page_data
from tests.harness.page_data import AS_OF
from tests.harness.web_server import start, stop


def a_coin(name: str, rank: int | None = 1, **more: Any) -> dict[str, Any]:
    """A coin of the pages' tests as the API answers it."""
    known = asdict(page_data.coin(name, rank=rank))
    del known["week"]
    coin = {
        key: one.isoformat() if isinstance(one, datetime) else one for key, one in known.items()
    }
    return {**coin, "sparkline": {"prices": [60_000.0, None, 64_000.0, 63_000.0]}, **more}


def never(name: str, rank: int | None = None) -> dict[str, Any]:
    absent = "price market_cap change_24h volume_24h deviation as_of recorded_at age_seconds source"
    nothing = dict.fromkeys(absent.split())
    return a_coin(name, rank, deviation_count=0, freshness="never", **nothing)


def an_update(stored: int = 98, **more: Any) -> dict[str, Any]:
    counts = {"asked": 100, "answered": 100, "stored": stored, "unchanged": 100 - stored}
    update = {
        "id": "u1",
        "trigger": "schedule",
        "state": "done",
        "stage": "ended",
        "progress": 1.0,
        "hops": {},
        "slot": None,
        "received_at": AS_OF.isoformat(),
        "finished_at": (AS_OF + timedelta(seconds=3)).isoformat(),
        "counts": {**counts, "left_out": 0},
        "error": None,
    }
    return {**update, **more}


PEPE = a_coin(
    "Pepe", 2, price=0.00000123, change_24h=-4.56, market_cap=4.56e9, deviation=9.84e-8
) | {"freshness": "late", "age_seconds": 1_500.0}


@dataclass
class Api:
    """Answers as the API does, with what a test puts into it."""

    coins: list[dict[str, Any]] = field(
        default_factory=lambda: [a_coin("Bitcoin"), PEPE, never("Newcoin")]
    )
    updates: list[dict[str, Any]] = field(default_factory=lambda: [an_update()])
    refreshed: tuple[dict[str, str], int] = ({"message": "ok"}, 200)
    on_refresh: Callable[[], None] = lambda: None
    server: BaseWSGIServer | None = None
    port: int = 0

    def up(self) -> None:
        app = flask.Flask("api")

        @app.get("/v1/coins")
        def coins() -> flask.Response:
            answer = flask.jsonify(self.coins)
            pages = {"total": len(self.coins), "total_pages": 1, "page": 1}
            answer.headers["X-Pagination"] = json.dumps(pages)
            return answer

        @app.get("/v1/updates")
        def updates() -> flask.Response:
            return flask.jsonify(self.updates)

        @app.post("/trigger-update")
        def trigger() -> tuple[dict[str, str], int]:
            self.on_refresh()
            return self.refreshed

        self.server = start(app, self.port)
        self.port = self.server.server_port

    def down(self) -> None:
        if self.server is not None:
            stop(self.server)
            self.server = None
