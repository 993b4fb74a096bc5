"""Hops of an update, reached after so many seconds."""

from datetime import UTC, datetime, timedelta

BEGIN = datetime(2026, 11, 23, tzinfo=UTC)


def reached(**seconds: float) -> dict[str, datetime]:
    return {name: BEGIN + timedelta(seconds=after) for name, after in seconds.items()}
