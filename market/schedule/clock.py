"""Clocks that decisions rest on: MongoDB's, which all hosts share, and one that never jumps."""

import time
from datetime import UTC, datetime
from typing import Any

from pymongo.database import Database

# On Linux the monotonic clock stands still while the machine is suspended; a lease does not.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Returns seconds since a fixed moment; never jumps, and keeps counting through a suspend."""
    return time.clock_gettime(_CLOCK)


def server_time(database: Database[dict[str, Any]]) -> datetime:
    """Returns MongoDB's time in UTC, to the millisecond; raises what MongoDB raises.

    A host whose own clock runs ahead would otherwise miss slots and delete quotes too early.
    """
    now: datetime = database.client.admin.command("hello")["localTime"]
    return now.replace(tzinfo=UTC)  # a command's reply has no zone, whatever the client's codec
