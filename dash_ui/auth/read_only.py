"""Read-only mode: the dashboard refuses every callback that changes something."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Flask, Response, abort, current_app

P = ParamSpec("P")
T = TypeVar("T")
SETTING = "KOINX_READ_ONLY"
MESSAGE = "This dashboard is read-only: DASH_READ_ONLY is set."


def make_read_only(server: Flask) -> None:
    """Put `server` into read-only mode."""
    server.config[SETTING] = True


def refusal() -> str | None:
    """Why this request's dashboard changes nothing; None if it is not read-only."""
    return MESSAGE if current_app.config.get(SETTING) else None


def changes_state(callback: Callable[P, T]) -> Callable[P, T]:
    """Marks a callback that changes something: a read-only dashboard answers it with 403."""

    @wraps(callback)
    def unless_read_only(*arguments: P.args, **named: P.kwargs) -> T:
        if message := refusal():
            abort(Response(message, 403, mimetype="text/plain"))
        return callback(*arguments, **named)

    return unless_read_only
