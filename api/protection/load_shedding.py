"""More requests at once than can be answered soon: those beyond are refused at once."""

import threading

from flask import Flask, g, request
from flask_smorest import abort

# In one process, of whose 256 threads some must be left to refuse with. Measured with five times
# as many requests as threads, and a frozen MongoDB: the last one had waited for 3.7 s, without this
# bound for 18.5 s.
PLACES = 200
RETRY_AFTER_SECONDS = 1
ALWAYS_ANSWERED = ("system",)  # blueprints: whether all is well is asked for just then


def shed_load(app: Flask, places: int = PLACES) -> None:
    """Answers 503 to a request that comes while `places` others are worked on.

    A stream is no longer worked on once it has begun.
    """
    free = threading.BoundedSemaphore(places)

    def take() -> None:
        if request.blueprint in ALWAYS_ANSWERED:
            return
        if not free.acquire(blocking=False):
            abort(
                503,
                message=f"{places} requests are worked on already: "
                f"try again in {RETRY_AFTER_SECONDS} s",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        g.has_place = True

    def give_back(_: BaseException | None) -> None:
        if g.pop("has_place", False):
            free.release()

    app.before_request_funcs.setdefault(None, []).insert(0, take)
    app.teardown_request(give_back)
