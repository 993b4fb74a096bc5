"""Loggers that record an event with fields: `log.info("update claimed", fence=3)`."""

import logging
from typing import cast

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars
from structlog.stdlib import BoundLogger, filter_by_level, render_to_log_kwargs

# Used in a `with`: adds fields to all lines of this thread, those of libraries included.
about = bound_contextvars
# The same until `wipe`, for work that ends elsewhere than it begins.
note = bind_contextvars
wipe = clear_contextvars


def get(name: str) -> BoundLogger:
    """Returns a structured logger on top of the standard library's logger of that name.

    It needs no set-up: without it, the fields arrive as the record's `extra`.
    """
    logger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[filter_by_level, render_to_log_kwargs],
        wrapper_class=BoundLogger,
        cache_logger_on_first_use=True,
    )
    return cast(BoundLogger, logger)
