"""Fields and queries that the schemas of several resources share."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, missing, validate, validates_schema
from marshmallow.fields import AwareDateTime, Field, Float, Integer, String

from market.model.quotes import MAX_ID_LENGTH, timestamp

COIN = {"example": "bitcoin"}
IS_COIN_ID = validate.Length(1, MAX_ID_LENGTH)
EARLIEST = datetime(2009, 1, 1, tzinfo=UTC)  # bitcoin's first year: no coin has an older price
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=366)
MAX_SHOWN = 40


def described(description: str, example: Any = missing) -> dict[str, Any]:
    """Returns a field's metadata."""
    return {"description": description} | ({} if example is missing else {"example": example})


class Number(Float):
    """A finite number; null where there is none."""

    def __init__(self, description: str, example: float) -> None:
        super().__init__(allow_none=True, required=True, metadata=described(description, example))


class Timestamp(AwareDateTime):
    """A time in UTC, ISO-8601."""

    def __init__(self, description: str, *, allow_none: bool = True) -> None:
        metadata = described(description, "2026-11-22T08:30:00+00:00")
        super().__init__(format="iso", allow_none=allow_none, metadata=metadata)


class TimestampParam(AwareDateTime):
    """A time in a query: ISO-8601 with a time zone, years 2009 to 2199.

    It becomes UTC, truncated to the millisecond, which is MongoDB's precision.
    """

    def __init__(self, description: str, *, example: str = "2026-11-22T08:30:00Z") -> None:
        text = f"{description}. ISO-8601 with a time zone (Z or +01:00), years 2009 to 2199"
        super().__init__(format="iso", metadata=described(text, example))

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        moment = timestamp(_with_plus(value))
        if moment is None or not EARLIEST <= moment < LATEST:
            raise ValidationError(
                f"{shown(value)} is not an ISO-8601 time with a time zone, in the years 2009 to "
                "2199, such as 2026-11-22T08:30:00Z"
            )
        return moment


class DurationParam(Field[timedelta]):
    """A duration in a query: a whole number with m (minutes), h (hours) or d (days).

    It becomes a timedelta of 1m to 366d.
    """

    PATTERN = "[1-9][0-9]{0,5}[mhd]"

    def __init__(self, description: str, *, example: str = "24h") -> None:
        text = f"{description}. A whole number with m, h or d (minutes, hours, days): 1m to 366d"
        shape = {"type": "string", "pattern": f"^{self.PATTERN}$"}
        super().__init__(metadata=described(text, example) | shape)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> timedelta:
        if isinstance(value, str) and re.fullmatch(self.PATTERN, value):
            window = int(value[:-1]) * UNITS[value[-1]]
            if SHORTEST <= window <= LONGEST:
                return window
        raise ValidationError(
            f"{shown(value)} is not a window: use a whole number with m, h or d, from 1m to 366d, "
            "such as 24h"
        )


class IntegerParam(Integer):
    """A whole number in a query, from `least` to `most`."""

    def __init__(
        self,
        description: str,
        *,
        least: int,
        most: int,
        example: int,
        default: Any = missing,
        data_key: str | None = None,
    ) -> None:
        bounds = {"minimum": least, "maximum": most}
        self._least, self._most = least, most
        metadata = described(description, example) | bounds
        super().__init__(load_default=default, data_key=data_key, metadata=metadata)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        # int() would also take 1_000, +5 and other scripts' digits.
        if isinstance(value, str) and re.fullmatch("[0-9]{1,15}", value):
            number = int(value)
            if self._least <= number <= self._most:
                return number
        raise ValidationError(
            f"{shown(value)} is not a whole number from {self._least} to {self._most}"
        )


class IncludeParam(String):
    """Whether repaired quotes are included."""

    def __init__(self, repaired: str) -> None:
        super().__init__(
            load_default="recorded",
            validate=validate.OneOf(["recorded", "repaired"]),
            metadata=described(f"repaired: {repaired}", "recorded"),
        )


class TimeRangeQuery(Schema):
    """A time range, and whether it includes repaired quotes."""

    class Meta:
        """marshmallow's place for fields whose names are not valid in Python."""

        include: ClassVar[dict[str, Field[Any]]] = {
            "from": TimestampParam("The start, inclusive", example="2026-01-01T00:00:00Z"),
            "to": TimestampParam("The end, exclusive", example="2100-01-01T00:00:00Z"),
        }

    include = IncludeParam(
        "together with quotes that were repaired from history later; where a recorded one has the "
        "same time, it wins"
    )

    @validates_schema
    def _in_order(self, query: dict[str, Any], **_: Any) -> None:
        start, end = query.get("from"), query.get("to")
        if start is not None and end is not None and start >= end:
            raise ValidationError(
                f"Must be before to, which is {end.isoformat()}", field_name="from"
            )


def shown(value: Any) -> str:
    """Formats a value for an error: quoted, and short whatever was sent."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def _with_plus(value: Any) -> Any:
    # In a query a + means a space: 08:30:00+00:00, as responses have it, arrives as
    # 08:30:00 00:00.
    if isinstance(value, str) and "T" in value:
        return re.sub(r" (?=[0-9]{2}:?[0-9]{2}$)", "+", value)
    return value
