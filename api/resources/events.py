"""GET /v1/events: finished updates as server-sent events."""

import math
import sys
import time
from collections.abc import Iterator
from typing import Any

import orjson
from flask import Response, url_for
from flask_smorest import Blueprint

from api.errors import error_responses, refuse
from api.events.broadcaster import Broadcaster
from api.events.update_waiters import AtCapacity
from api.extensions import current_services
from api.metrics.middleware import RequestMetrics
from api.schemas import events as schemas

blp = Blueprint("events", __name__, description="A stream of finished updates")

HEARTBEAT_SECONDS = 15.0
GONE_SECONDS = 2.0  # how soon a client's disconnect is noticed
RETRY_MILLISECONDS = 3000
RETRY_AFTER_SECONDS = 5
HEARTBEAT = b": still here\n\n"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
EXAMPLE = """retry: 3000

id: 17
event: update
data: {"id":"2026-11-22T08:30Z","state":"done","number":17,"counts":{"stored":100}, …}

: still here

"""


@blp.get("/v1/events")
@blp.arguments(schemas.EventsQuery, location="query")
@blp.arguments(schemas.LastEventHeader, location="headers")
@blp.response(200, schemas.EVENT, content_type="text/event-stream", example=EXAMPLE)
@error_responses(blp, 503)
def events(query: dict[str, Any], header: dict[str, Any]) -> Response:
    """Each update when it finishes: done, failed or missed

    A stream of server-sent events, for EventSource or `curl -N`.

    - `event: update`: `data` is JSON as at `/v1/updates/{id}`, without `left_out` and `ticks`,
      whose numbers are in `counts`. `id` is the update's `number`, which grows with each finish.
      An update that failed and succeeded when retried emits two events.
    - `event: skipped`: why not every event since the last event id is sent (at most the newest
      500 are), with the `ledger`'s address, where they can be read.
    - a comment after 15 s without events.

    No event is omitted or repeated on one connection. After a disconnect, continue with the last
    `id` as Last-Event-ID. Without it, the stream begins with the next update that finishes.
    """
    after = header["last_event_id"]
    services = current_services()
    stream = _stream(
        services.broadcaster,
        services.request_metrics,
        after=query["last_event_id"] if after is None else after,
        seconds=query["seconds"],
        limit=query["limit"],
        ledger=url_for("updates.updates"),
    )
    try:
        next(stream)  # so that a refusal is a response of its own
    except AtCapacity as error:
        message = f"{error}; try again in {RETRY_AFTER_SECONDS} s"
        refuse(503, message, retry_after=RETRY_AFTER_SECONDS)
    return Response(stream, mimetype="text/event-stream", headers=HEADERS)


def _stream(
    broadcaster: Broadcaster,
    metrics: RequestMetrics,
    *,
    after: int | None,
    seconds: int | None,
    limit: int | None,
    ledger: str,
) -> Iterator[bytes]:
    """Yields what goes over the wire; the first piece, once there is a place, is empty."""
    end = time.monotonic() + (seconds or math.inf)
    left = limit or sys.maxsize
    with broadcaster.place(), metrics.listening():
        number, reason = broadcaster.start(after)
        yield b""
        yield b"retry: %d\n\n" % RETRY_MILLISECONDS
        if reason is not None:
            data = orjson.dumps({"reason": reason, "ledger": ledger})
            yield b"id: %d\nevent: skipped\ndata: %s\n\n" % (number, data)
        last_sent = time.monotonic()
        while left and not broadcaster.ended and (time_left := end - time.monotonic()) > 0:
            found = broadcaster.after(number, min(time_left, GONE_SECONDS))
            texts = [event.text for event in found if event.text][:left]
            left -= len(texts)
            number = found[-1].number if found else number
            is_silent = not texts and time.monotonic() - last_sent < HEARTBEAT_SECONDS
            if not is_silent:
                last_sent = time.monotonic()
            # An empty piece sends nothing, but ends the generator if the client has gone.
            yield b"".join(texts) or (b"" if is_silent else HEARTBEAT)
