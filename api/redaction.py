"""Keeps passwords that stand in addresses out of the log."""

import logging
import re

CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


class _WithoutCredentials(logging.Filter):
    """Writes `mongodb://…@host` for `mongodb://user:password@host`, in tracebacks too."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Changes the record; it is always logged."""
        if record.exc_info:
            record.exc_text = _redacted(logging.Formatter().formatException(record.exc_info))
        record.msg, record.args = _redacted(record.getMessage()), ()
        return True


def _redacted(text: str) -> str:
    return CREDENTIALS.sub("…@", text)


WITHOUT_CREDENTIALS = _WithoutCredentials()
