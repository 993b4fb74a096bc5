"""Configures a process's logging once, when the process starts."""

import logging
import sys
import threading
from types import TracebackType

from logs.formatters import formatter

WITH_HANDLERS = ("_granian", "granian.access")  # set up by the server before our app is loaded
log = logging.getLogger("process")


def set_up(process: str) -> None:
    """Makes every logger of this process write one line per event to standard error.

    The lines are JSON, unless standard error is a terminal. They include warnings and the errors
    that end the process or a thread. Known secrets are masked.
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
    sys.excepthook = _log_exception
    threading.excepthook = _log_thread_exception


def _log_exception(
    kind: type[BaseException], error: BaseException, where: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, where)
    else:
        log.critical("process ended by an error", exc_info=(kind, error, where))


def _log_thread_exception(hook: threading.ExceptHookArgs) -> None:
    if hook.exc_value is not None and not issubclass(hook.exc_type, SystemExit):
        error = (hook.exc_type, hook.exc_value, hook.exc_traceback)
        thread = hook.thread.name if hook.thread else None
        log.error("thread ended by an error", exc_info=error, extra={"of": thread})
