"""The database's clock, by which all hosts agree on what is over and what is old."""

from datetime import UTC, datetime
from typing import Any

from pymongo.database import Database


def server_time(database: Database[dict[str, Any]]) -> datetime:
    """What time it is at MongoDB, in UTC to the millisecond; raises what MongoDB raises.

    A host whose own clock runs ahead would otherwise miss slots and delete quotes before their
    time.
    """
    now: datetime = database.client.admin.command("hello")["localTime"]
    return now.replace(tzinfo=UTC)  # a command's answer has no zone, whatever the client's codec
