"""Server-sent events: each update that ended."""

import math
import sys
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import orjson
from flask import Response, url_for
from flask.views import MethodView
from flask_smorest import Blueprint, abort

from api.errors import error_responses
from api.events.broadcaster import Broadcaster
from api.events.update_waiters import AtCapacity
from api.extensions import services
from api.metrics.middleware import RequestMetrics
from api.schemas import events as schemas

blp = Blueprint("events", __name__, description="Updates as they end, without asking again")

HEARTBEAT_SECONDS = 15.0
GONE_SECONDS = 2.0  # how soon it shows that a client has gone
RETRY_MILLISECONDS = 3000
RETRY_AFTER_SECONDS = 5
STILL_HERE = b": still here\n\n"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
EXAMPLE = """retry: 3000

id: 17
event: update
data: {"id":"2026-11-22T08:30Z","state":"done","number":17,"counts":{"stored":100}, …}

: still here

"""


@blp.route("/v1/events")
class Events(MethodView):
    """The stream."""

    @blp.arguments(schemas.EventsQuery, location="query")
    @blp.arguments(schemas.Since, location="headers")
    @blp.response(200, schemas.EVENT, content_type="text/event-stream", example=EXAMPLE)
    @error_responses(blp, 503)
    def get(self, query: dict[str, Any], since: dict[str, Any]) -> Response:
        """Each update as it ends: done, failed or missed

        A stream of server-sent events, for EventSource or `curl -N`.

        - `event: update`: `data` is JSON as at `/v1/updates/{id}`, without `left_out` and `ticks`,
          whose numbers are in `counts`. `id` is the update's `number`, which grows with each end.
          An update that failed and was tried again ends twice, as two events.
        - `event: skipped`: why not all since the last event id are sent (no more than the newest
          500 are), with the `ledger`'s address, where they can be read.
        - a comment when nothing happened for 15 s.

        Nothing is left out, and nothing comes twice on one connection. After a cut go on with the
        last `id` as Last-Event-ID. Without it the stream begins with the next end.
        """
        after = since["last_event_id"]
        events = _stream(
            services().broadcaster,
            services().request_metrics,
            after=query["last_event_id"] if after is None else after,
            seconds=query["seconds"],
            limit=query["limit"],
            ledger=url_for("updates.Updates"),
        )
        try:
            next(events)  # so that a refusal is an answer of its own
        except AtCapacity as error:
            abort(
                HTTPStatus.SERVICE_UNAVAILABLE,
                message=f"{error}; try again in {RETRY_AFTER_SECONDS} s",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        return Response(events, mimetype="text/event-stream", headers=HEADERS)


def _stream(
    feed: Broadcaster,
    requests: RequestMetrics,
    *,
    after: int | None,
    seconds: int | None,
    limit: int | None,
    ledger: str,
) -> Iterator[bytes]:
    """What goes over the wire; the first piece, once there is a place, is empty."""
    end = time.monotonic() + (seconds or math.inf)
    left = limit or sys.maxsize
    with feed.place(), requests.listening():
        number, reason = feed.start(after)
        yield b""
        yield b"retry: %d\n\n" % RETRY_MILLISECONDS
        if reason is not None:
            data = orjson.dumps({"reason": reason, "ledger": ledger})
            yield b"id: %d\nevent: skipped\ndata: %s\n\n" % (number, data)
        spoke = time.monotonic()
        while left and not feed.ended and (time_left := end - time.monotonic()) > 0:
            events = feed.after(number, min(time_left, GONE_SECONDS))
            texts = [event.text for event in events if event.text][:left]
            left -= len(texts)
            number = events[-1].number if events else number
            is_silent = not texts and time.monotonic() - spoke < HEARTBEAT_SECONDS
            if not is_silent:
                spoke = time.monotonic()
            # An empty piece sends nothing, but it ends all this if the client has gone.
            yield b"".join(texts) or (b"" if is_silent else STILL_HERE)
