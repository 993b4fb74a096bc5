"""Which records a number is asked over."""

from marshmallow import Schema, validate
from marshmallow.fields import String

from api.schemas.fields import DurationParam, IntegerParam, TimestampParam

MOST_RECORDS = 10_000


class RecordWindowQuery(Schema):
    """A coin's newest records, or those of a window, as they are known now or were known then."""

    records = IntegerParam(
        f"Over how many of the newest records, 1 to {MOST_RECORDS}; 100 unless a window is given. "
        "With a window, the newest of it",
        least=1,
        most=MOST_RECORDS,
        example=100,
    )
    window = DurationParam(
        "Over the records of the last so many minutes, hours or days; "
        f"at most {MOST_RECORDS} records",
        example="24h",
    )
    include = String(
        load_default="recorded",
        validate=validate.OneOf(["recorded", "repaired"]),
        metadata={
            "description": "repaired: with those records that were repaired from history later, "
            "for slots in which none was recorded",
            "example": "recorded",
        },
    )
    as_of = TimestampParam(
        "What would have been answered then: from the records that were stored until that time, "
        "windows ending there. A time still to come means now",
        example="2100-01-01T00:00:00Z",
    )
