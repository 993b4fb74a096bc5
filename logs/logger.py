"""Loggers whose lines are an event with its fields: `log.info("claimed", fence=3)`."""

import logging
from typing import cast

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars
from structlog.stdlib import BoundLogger, filter_by_level, render_to_log_kwargs

# In a `with`: what all lines of this thread are about, other libraries' too.
about = bound_contextvars
# The same until `wipe`, for what ends elsewhere than it begins.
note = bind_contextvars
wipe = clear_contextvars


def get(name: str) -> BoundLogger:
    """A logger that hands on to the standard library's of that name.

    It needs no set-up: without one it is a plain logger, whose fields are the record's `extra`.
    """
    made = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[filter_by_level, render_to_log_kwargs],
        wrapper_class=BoundLogger,
        cache_logger_on_first_use=True,
    )
    return cast(BoundLogger, made)
