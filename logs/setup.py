"""Puts a process's logging in order, once, as it starts."""

import logging
import sys
import threading
from types import TracebackType

from logs.formatters import formatter

WITH_HANDLERS = ("_granian", "granian.access")  # set up by the server before our app is loaded
log = logging.getLogger("process")


def set_up(process: str) -> None:
    """Has every logger of this process write a line an event to standard error.

    JSON, unless that is a terminal. Warnings, and errors that end the process or a thread, are
    such lines too. Known secrets are masked in all of them.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(process, plain=sys.stderr.isatty()))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for name in WITH_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    logging.captureWarnings(capture=True)
    sys.excepthook = _ended
    threading.excepthook = _thread_ended


def _ended(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, where)
    else:
        log.critical("ended by an error", exc_info=(kind, error, where))


def _thread_ended(what: threading.ExceptHookArgs) -> None:
    if what.exc_value is not None and not issubclass(what.exc_type, SystemExit):
        error = (what.exc_type, what.exc_value, what.exc_traceback)
        thread = what.thread.name if what.thread else None
        log.error("a thread ended by an error", exc_info=error, extra={"of": thread})
