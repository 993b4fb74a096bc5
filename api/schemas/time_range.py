"""Which part of a coin's past is asked for, a page at a time."""

from datetime import datetime
from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, validate, validates_schema
from marshmallow.fields import Field, String

from api.pagination import CursorParam
from api.schemas.fields import TimestampParam


class TimeRangeQuery(Schema):
    """A stretch of time, and whether what was repaired belongs to it."""

    class Meta:
        """marshmallow's own place for fields whose names are no names in Python."""

        include: ClassVar[dict[str, Field[Any]]] = {
            "from": TimestampParam(
                "The earliest time, itself included", example="2026-01-01T00:00:00Z"
            ),
            "to": TimestampParam(
                "The end, exclusive: what has just this time is left out",
                example="2100-01-01T00:00:00Z",
            ),
        }

    include = String(
        load_default="recorded",
        validate=validate.OneOf(["recorded", "repaired"]),
        metadata={
            "description": "repaired: together with quotes that were repaired from history later; "
            "where a recorded one has the same time, it stands",
            "example": "recorded",
        },
    )

    @validates_schema
    def _in_order(self, query: dict[str, Any], **_: Any) -> None:
        start, end = query.get("from"), query.get("to")
        if start is not None and end is not None and start >= end:
            raise ValidationError(
                f"Must be before to, which is {end.isoformat()}", field_name="from"
            )


class HistoryPageQuery(TimeRangeQuery):
    """A stretch of time, newest first, from where the page before ended."""

    cursor = CursorParam()


def until(query: dict[str, Any]) -> datetime | None:
    """Where the page asked for ends: at `to`, or at the cursor if that is earlier."""
    cursor = query.get("cursor")
    ends = [query.get("to"), cursor.before if cursor else None]
    return min((end for end in ends if end is not None), default=None)
