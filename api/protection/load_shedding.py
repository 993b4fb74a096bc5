"""Refuses requests at once when more arrive than can be answered soon."""

import threading

from flask import Flask, g, request

from api.errors import refuse

# Of the process's 256 threads, some must stay free to refuse with. Measured with five times as
# many requests as threads, and MongoDB frozen: the last one waited 3.7 s, unbounded 18.5 s.
MAX_REQUESTS = 200
RETRY_AFTER_SECONDS = 1
ALWAYS_ANSWERED = ("system",)  # blueprints: health checks matter most under load


def shed_load(app: Flask, max_requests: int = MAX_REQUESTS) -> None:
    """Answers 503 to a request that comes while `max_requests` others are in progress.

    A stream is no longer in progress once it has begun.
    """
    free = threading.BoundedSemaphore(max_requests)

    def acquire() -> None:
        if request.blueprint in ALWAYS_ANSWERED:
            return
        if not free.acquire(blocking=False):
            refuse(
                503,
                f"{max_requests} requests are in progress already; "
                f"try again in {RETRY_AFTER_SECONDS} s",
                retry_after=RETRY_AFTER_SECONDS,
            )
        g.has_place = True

    def release(_: BaseException | None) -> None:
        if g.pop("has_place", False):
            free.release()

    app.before_request_funcs.setdefault(None, []).insert(0, acquire)
    app.teardown_request(release)
