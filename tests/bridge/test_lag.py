"""What waits in the streams, as JetStream counts it."""

from datetime import UTC, datetime, timedelta

from bridge.connection import Connection
from bridge.events import UpdateRequested
from bridge.lag import Backlog, backlog
from bridge.publisher import publish

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


def test_what_nobody_has_taken_is_counted_from_the_oldest_on(connection: Connection) -> None:
    assert connection.run(backlog, 5) == Backlog(0, None, 0)
    # When
    before = datetime.now(UTC)
    for number in range(3):
        publish(connection, UpdateRequested(f"u{number}", before))
    # Then
    waiting = connection.run(backlog, 5)
    assert waiting.pending == 3
    assert waiting.oldest is not None
    assert timedelta(0) <= waiting.oldest - before < timedelta(seconds=5)


def test_the_lag_is_the_age_of_the_oldest() -> None:
    assert Backlog(2, NOW - timedelta(seconds=90), 0).lag_seconds(NOW) == 90
    assert Backlog(2, NOW + timedelta(seconds=1), 0).lag_seconds(NOW) == 0  # clocks differ
    assert Backlog(0, None, 0).lag_seconds(NOW) == 0
    assert Backlog().lag_seconds(NOW) is None
