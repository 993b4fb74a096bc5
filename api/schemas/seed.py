"""What the seed's endpoints answer."""

from marshmallow import Schema
from marshmallow.fields import String

from api.schemas.fields import Number

# The seed's name for the change is no name in Python.
Stats = Schema.from_dict(
    {
        "price": Number("Latest price, in the collection's currency", 45000.0),
        "marketCap": Number("Market cap, in the collection's currency", 8.5e11),
        "24hChange": Number("Change of the price within 24 hours, percent", -1.25),
    },
    name="Stats",
)


class Deviation(Schema):
    """The seed's deviation."""

    deviation = Number(
        "Population standard deviation of the newest 100 recorded prices, in the currency; "
        "two decimals from 1 upwards, six significant digits below",
        4082.48,
    )


class Message(Schema):
    """What was done."""

    message = String(metadata={"example": "Cryptocurrency stats updated successfully"})
