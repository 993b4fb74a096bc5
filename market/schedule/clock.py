"""Clocks to decide by: the database's, on which all hosts agree, and one that only goes forward."""

import time
from datetime import UTC, datetime
from typing import Any

from pymongo.database import Database

# Linux' monotonic clock stands still while the machine is suspended, and a lease does not.
_FORWARD = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Seconds since some moment in the past; it never jumps, and goes on through a suspend."""
    return time.clock_gettime(_FORWARD)


def server_time(database: Database[dict[str, Any]]) -> datetime:
    """What time it is at MongoDB, in UTC to the millisecond; raises what MongoDB raises.

    A host whose own clock runs ahead would otherwise miss slots and delete quotes before their
    time.
    """
    now: datetime = database.client.admin.command("hello")["localTime"]
    return now.replace(tzinfo=UTC)  # a command's answer has no zone, whatever the client's codec
