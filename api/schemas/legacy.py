"""What the seed's endpoints answer."""

from marshmallow import Schema, validate
from marshmallow.fields import Integer, String

from api.schemas.fields import Number, TimestampParam

# The seed's name for the change is no name in Python.
Stats = Schema.from_dict(
    {
        "price": Number("Latest price, in the collection's currency", 45000.0),
        "marketCap": Number("Market cap, in the collection's currency", 8.5e11),
        "24hChange": Number("Change of the price within 24 hours, percent", -1.25),
    },
    name="Stats",
)


class StatsQuery(Schema):
    """As of when."""

    as_of = TimestampParam(
        "What would have been answered then, from the quotes that were stored until that time",
        example="2100-01-01T00:00:00Z",
    )


class DeviationQuery(StatsQuery):
    """As of when, and over which records."""

    include = String(
        load_default="recorded",
        validate=validate.OneOf(["recorded", "repaired"]),
        metadata={
            "description": "repaired: with the prices that were repaired from the source's "
            "history; the answer says how many",
            "example": "recorded",
        },
    )


class Deviation(Schema):
    """The seed's deviation; with include=repaired also what it rests on."""

    deviation = Number(
        "Population standard deviation of the newest 100 recorded prices, in the currency; "
        "two decimals from 1 upwards, six significant digits below",
        4082.48,
    )
    records = Integer(metadata={"description": "Prices used, with include=repaired"})
    repaired = Integer(metadata={"description": "How many of them were repaired"})


class Message(Schema):
    """What was done."""

    message = String(metadata={"example": "Cryptocurrency stats updated successfully"})
