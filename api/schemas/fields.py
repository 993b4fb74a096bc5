"""What fields of several resources are made of."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import ValidationError, missing
from marshmallow.fields import AwareDateTime, Field, Float, Integer

from market.model.quotes import timestamp

COIN = {"example": "bitcoin"}
EARLIEST = datetime(2009, 1, 1, tzinfo=UTC)  # bitcoin's first year: no coin has an older price
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=366)
SHOWN = 40


class Number(Float):
    """A finite number, as it is: null where there is none."""

    def __init__(self, description: str, example: float) -> None:
        metadata = {"description": description, "example": example}
        super().__init__(allow_none=True, required=True, metadata=metadata)


class Moment(AwareDateTime):
    """A time in UTC, ISO-8601."""

    def __init__(self, description: str, *, allow_none: bool = True) -> None:
        metadata = {"description": description, "example": "2026-11-22T08:30:00+00:00"}
        super().__init__(format="iso", allow_none=allow_none, metadata=metadata)


class TimestampParam(AwareDateTime):
    """A time that is asked for: ISO-8601 with its zone, years 2009 to 2199.

    It comes out as UTC, cut to the millisecond, which is what MongoDB keeps.
    """

    def __init__(self, description: str, *, example: str = "2026-11-22T08:30:00Z") -> None:
        text = f"{description}. ISO-8601 with its zone (Z or +01:00), years 2009 to 2199"
        super().__init__(format="iso", metadata={"description": text, "example": example})

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        moment = timestamp(_with_plus(value))
        if moment is None or not EARLIEST <= moment < LATEST:
            raise ValidationError(
                f"{shown(value)} is no time in ISO-8601 with its zone, in the years 2009 to 2199, "
                "such as 2026-11-22T08:30:00Z"
            )
        return moment


class DurationParam(Field[timedelta]):
    """A length of time that is asked for: a whole number with m (minutes), h (hours) or d (days).

    It comes out as a timedelta of 1m to 366d.
    """

    PATTERN = "[1-9][0-9]{0,5}[mhd]"

    def __init__(self, description: str, *, example: str = "24h") -> None:
        text = f"{description}. A whole number with m, h or d (minutes, hours, days): 1m to 366d"
        shape = {"type": "string", "pattern": f"^{self.PATTERN}$"}
        super().__init__(metadata={"description": text, "example": example, **shape})

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> timedelta:
        if isinstance(value, str) and re.fullmatch(self.PATTERN, value):
            window = int(value[:-1]) * UNITS[value[-1]]
            if SHORTEST <= window <= LONGEST:
                return window
        raise ValidationError(
            f"{shown(value)} is no window: a whole number with m, h or d, from 1m to 366d, "
            "such as 24h"
        )


class IntegerParam(Integer):
    """A whole number that is asked for, from `least` to `most`."""

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
        metadata = {"description": description, "example": example, **bounds}
        self._least, self._most = least, most
        super().__init__(load_default=default, data_key=data_key, metadata=metadata)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        # int() would take 1_000, +5 and other scripts' digits too.
        if isinstance(value, str) and re.fullmatch("[0-9]{1,15}", value):
            number = int(value)
            if self._least <= number <= self._most:
                return number
        raise ValidationError(
            f"{shown(value)} is no whole number from {self._least} to {self._most}"
        )


def shown(value: Any) -> str:
    """A value as an error names it: quoted, and short whatever was sent."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def _with_plus(value: Any) -> Any:
    # In a query a + means a space: 08:30:00+00:00, as answers write it, arrives as 08:30:00 00:00.
    if isinstance(value, str) and "T" in value:
        return re.sub(r" (?=[0-9]{2}:?[0-9]{2}$)", "+", value)
    return value
