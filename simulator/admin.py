"""The simulator's admin routes: setting faults, applying them, and listing the rows served."""

from __future__ import annotations

import hmac
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from threading import Lock
from typing import Any

from flask import Blueprint, Response, g, request

from simulator.faults import (
    Body,
    Cut,
    FaultError,
    FaultRegistry,
    RateLimited,
    RequestFault,
    ServerError,
    Slow,
    Trickle,
    read_faults,
)
from simulator.rows import Row
from simulator.server import encode

ADMIN_PATH = "/simulator"
KEY_HEADER = "X-API-Key"
JSON_TYPE = "application/json; charset=utf-8"
HTML_TYPE = "text/html; charset=UTF-8"

_LOG_LENGTH = 200_000
_RATE_LIMIT = (
    "You've exceeded the Rate Limit. Please visit https://www.coingecko.com/en/api/pricing to "
    "subscribe to our API plans for higher rate limits."
)
_REASONS = {
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway time-out",
}


def json_response(document: object, status: int = 200) -> Response:
    """Returns `document` as a JSON response."""
    return Response(encode(document), status=status, content_type=JSON_TYPE)


class ServedLog:
    """Records the last market rows that were served, each with a number.

    A row counts as served once it is sent, even if the client has given up waiting. A response
    that was cut does not count.
    """

    def __init__(self, length: int = _LOG_LENGTH) -> None:
        self._lock = Lock()
        self._rows: deque[tuple[str, Any, Any]] = deque(maxlen=length)
        self._next = 0

    def add(self, rows: Iterable[Row]) -> None:
        """Records these rows as served."""
        served = [(row["id"], row.get("current_price"), row.get("last_updated")) for row in rows]
        with self._lock:
            self._rows.extend(served)
            self._next += len(served)

    def since(self, number: int) -> dict[str, Any]:
        """Returns the rows from `number` on, the next number, and how many rows were dropped."""
        with self._lock:
            oldest = self._next - len(self._rows)
            first = min(max(number, oldest), self._next)
            rows = list(islice(self._rows, first - oldest, None))
            following = self._next
        return {
            "rows": [
                {"n": n, "id": coin, "price": price, "last_updated": at}
                for n, (coin, price, at) in enumerate(rows, first)
            ],
            "next": following,
            "lost": max(0, oldest - number),
        }


def admin_blueprint(
    registry: FaultRegistry, log: ServedLog, clock: Callable[[], int], key: str | None
) -> Blueprint:
    """Creates the routes below /simulator, and applies the faults to all other routes.

    `clock` returns milliseconds since 1970. If there is a `key`, these routes require it.
    """
    admin = Blueprint("simulator", __name__, url_prefix=ADMIN_PATH)

    @admin.get("/faults")
    def show() -> Response:
        return json_response(registry.document())

    @admin.post("/faults")
    def add() -> Response:
        try:
            faults = read_faults(request.get_data())
        except FaultError as error:
            return json_response({"error": str(error)}, 400)
        registry.add(faults, clock())
        return json_response(registry.document(), 201)

    @admin.delete("/faults")
    def clear() -> Response:
        registry.clear()
        return json_response([])

    @admin.get("/served")
    def served() -> Response:
        since = request.args.get("since", "0")
        if not (since.isdecimal() and len(since) <= 18):
            return json_response(
                {"error": f"since is {since[:40]!r}: a whole number is needed"}, 400
            )
        return json_response(log.since(int(since)))

    @admin.before_app_request
    def apply_request_fault() -> Response | None:
        g.rows = []
        g.fault = None
        if request.path.startswith(f"{ADMIN_PATH}/"):
            given = request.headers.get(KEY_HEADER, "")
            if key is None or hmac.compare_digest(given.encode(), key.encode()):
                return None
            return json_response(
                {"error": f"{ADMIN_PATH} requires the API key in {KEY_HEADER}"}, 401
            )
        g.fault = registry.next_fault(request.path)
        if isinstance(g.fault, Slow):
            time.sleep(g.fault.delay)
        return _fault_response(g.fault)

    @admin.after_app_request
    def apply_body_fault(response: Response) -> Response:
        return _faulty_body(response, g.get("fault"), g.get("rows") or [], log)

    return admin


def _fault_response(fault: RequestFault | None) -> Response | None:
    """Returns the response that replaces the market's; None lets the market answer."""
    if isinstance(fault, Body):
        return Response(fault.body, status=fault.status, content_type=fault.content_type)
    if isinstance(fault, ServerError):
        return _page(fault.status)
    if not isinstance(fault, RateLimited):
        return None
    if fault.form == "json":
        response = json_response({"status": {"error_code": 429, "error_message": _RATE_LIMIT}}, 429)
    elif fault.form == "html":
        response = _page(429)
    else:
        response = Response(
            "error code: 1015", status=429, content_type="text/plain; charset=UTF-8"
        )
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response


def _page(status: int) -> Response:
    title = f"api.coingecko.com | {status}: {_REASONS[status]}"
    page = (
        f'<!DOCTYPE html>\n<html lang="en-US">\n<head><title>{title}</title></head>\n'
        f"<body><h1>{_REASONS[status]}</h1><p>Error {status}</p></body>\n</html>\n"
    )
    return Response(page, status=status, content_type=HTML_TYPE)


def _faulty_body(
    response: Response, fault: RequestFault | None, rows: list[Row], log: ServedLog
) -> Response:
    """Trickles or cuts the response's body; records its rows if they can arrive."""
    if isinstance(fault, Trickle):
        body = response.get_data()
        response.response = _trickle(body, fault, rows, log)
        response.headers["Content-Length"] = str(len(body))
    elif isinstance(fault, Cut):
        body = response.get_data()
        response.response = [body[: int(len(body) * fault.keep)]]
        response.headers["Content-Length"] = str(len(body))
        response.headers["Connection"] = "close"
        response.automatically_set_content_length = False
    else:
        # Before the response is sent, so that a client that has read it finds its rows in the log.
        log.add(rows)
    return response


def _trickle(body: bytes, fault: Trickle, rows: list[Row], log: ServedLog) -> Iterator[bytes]:
    for start in range(0, len(body), fault.chunk):
        if start:
            time.sleep(fault.delay)
        if start + fault.chunk >= len(body):
            log.add(rows)
        yield body[start : start + fault.chunk]
