"""What is asked for: times, windows and counts, whatever is sent in their place."""

from datetime import UTC, datetime, timedelta

import pytest
from marshmallow import Schema, ValidationError

from api.schemas.fields import DurationParam, IntegerParam, TimestampParam, shown


class Asked(Schema):
    """One field of each kind."""

    at = TimestampParam("A time")
    window = DurationParam("A window")
    count = IntegerParam("A count", least=1, most=10_000, example=100, default=100)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T08:30:00Z", datetime(2026, 11, 22, 8, 30, tzinfo=UTC)),
        ("2026-11-22T08:30:00+00:00", datetime(2026, 11, 22, 8, 30, tzinfo=UTC)),
        # As it arrives when the + in a query was not written as %2B.
        ("2026-11-22T08:30:00 00:00", datetime(2026, 11, 22, 8, 30, tzinfo=UTC)),
        ("2026-11-22T08:30:00.1239 0530", datetime(2026, 11, 22, 3, 0, 0, 123_000, UTC)),
        ("2026-11-22 08:30:00-05:00", datetime(2026, 11, 22, 13, 30, tzinfo=UTC)),
        ("2009-01-01T00:00:00Z", datetime(2009, 1, 1, tzinfo=UTC)),
        ("2199-12-31T23:59:59.9999Z", datetime(2199, 12, 31, 23, 59, 59, 999_000, UTC)),
    ],
)
def test_a_time_comes_out_as_utc_to_the_millisecond(text: str, moment: datetime) -> None:
    found = Asked().load({"at": text})["at"]
    assert found == moment
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T08:30:00",
        "2026-11-22 08:30",
        "2026-11-22",
        "1700000000",
        "2008-12-31T23:59:59Z",
        "2009-01-01T00:00:00+00:01",
        "2200-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "10000-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-22T08:30:00\n00:00",
        "NaN",
        "9" * 5000,
        "",
        "\x00",
    ],
)
def test_what_is_no_time_is_named_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Asked().load({"at": text})
    (message,) = refused.value.messages_dict["at"]
    assert message == (
        f"{shown(text)} is not an ISO-8601 time with a time zone, in the years 2009 to 2199, "
        "such as 2026-11-22T08:30:00Z"
    )
    assert len(message) < 200


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("1m", timedelta(minutes=1)),
        ("24h", timedelta(days=1)),
        ("30d", timedelta(days=30)),
        ("366d", timedelta(days=366)),
        ("527040m", timedelta(days=366)),
    ],
)
def test_a_window_is_a_number_with_a_unit(text: str, window: timedelta) -> None:
    assert Asked().load({"window": text})["window"] == window


@pytest.mark.parametrize(
    "text",
    [
        *("0h", "367d", "527041m", "999999d", "-1h", "1", "h", "1w", "1.5h", "1H", "01h"),
        *("24h\n", " 1h", "٣h", "nan", "9" * 5000 + "d", ""),
    ],
)
def test_what_is_no_window_is_named_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Asked().load({"window": text})
    assert refused.value.messages_dict["window"] == [
        f"{shown(text)} is not a window: use a whole number with m, h or d, from 1m to 366d, "
        "such as 24h"
    ]


def test_a_count_is_a_whole_number_between_its_bounds() -> None:
    assert Asked().load({}) == {"count": 100}
    assert Asked().load({"count": "1"}) == {"count": 1}
    assert Asked().load({"count": "10000"}) == {"count": 10_000}


@pytest.mark.parametrize(
    "text",
    ["0", "10001", "-1", "+5", "1_0", "1e3", "1.0", "٣", "5\n", "NaN", "9" * 4000, "9" * 5000, ""],
)
def test_what_is_no_count_is_named_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Asked().load({"count": text})
    assert refused.value.messages_dict["count"] == [
        f"{shown(text)} is not a whole number from 1 to 10000"
    ]


def test_a_value_is_shown_short() -> None:
    assert shown("24h") == "'24h'"
    assert shown("9" * 5000) == f"'{'9' * 36}..."
