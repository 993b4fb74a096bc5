"""A dashboard that only shows: whatever would change something is refused."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Flask, Response, abort, current_app

P = ParamSpec("P")
T = TypeVar("T")
SETTING = "KOINX_READ_ONLY"
SAID = "This dashboard only shows: DASH_READ_ONLY is on."


def make_read_only(server: Flask) -> None:
    """From now on, `server` refuses the callbacks that change something."""
    server.config[SETTING] = True


def refusal() -> str | None:
    """Why the dashboard that this request came to changes nothing; None if it does."""
    return SAID if current_app.config.get(SETTING) else None


def changing(callback: Callable[P, T]) -> Callable[P, T]:
    """Marks a callback that changes something: a read-only dashboard answers it with 403."""

    @wraps(callback)
    def unless_read_only(*arguments: P.args, **named: P.kwargs) -> T:
        if said := refusal():
            abort(Response(said, 403, mimetype="text/plain"))
        return callback(*arguments, **named)

    return unless_read_only
