"""Times as text."""

from datetime import UTC, datetime

import pytest

from api.exports.timestamps import in_text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 22, 8, 30, tzinfo=UTC), "2026-11-22T08:30:00.000Z"),
        (datetime(2026, 11, 22, 8, 30, 0, 118_000, UTC), "2026-11-22T08:30:00.118Z"),
        (datetime(2009, 1, 3, 18, 15, 5, 999_000, UTC), "2009-01-03T18:15:05.999Z"),
        (datetime(2026, 2, 28, 23, 59, 59, 1_000, UTC), "2026-02-28T23:59:59.001Z"),
    ],
)
def test_all_have_three_decimals(moment: datetime, text: str) -> None:
    assert in_text([moment, moment]) == [text, text]
