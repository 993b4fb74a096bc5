"""Responses of the original KoinX API's endpoints."""

from marshmallow import Schema
from marshmallow.fields import Integer, String

from api.schemas.fields import IncludeParam, Number, TimestampParam, described

# `24hChange`, the original API's name, is not valid in Python.
Stats = Schema.from_dict(
    {
        "price": Number("Latest price, in the stored currency", 45000.0),
        "marketCap": Number("Market cap, in the stored currency", 8.5e11),
        "24hChange": Number("24-hour price change in percent", -1.25),
    },
    name="Stats",
)


class StatsQuery(Schema):
    """As of when."""

    as_of = TimestampParam(
        "Answer as at this time, from the quotes stored until then",
        example="2100-01-01T00:00:00Z",
    )


class DeviationQuery(StatsQuery):
    """As of when, and over which records."""

    include = IncludeParam(
        "with prices that were repaired from the source's history; the response says how many"
    )


class Deviation(Schema):
    """The original API's deviation; with include=repaired, also its evidence."""

    deviation = Number(
        "Population standard deviation of the last 100 recorded prices, in the stored currency; "
        "two decimals from 1 upwards, six significant digits below",
        4082.48,
    )
    records = Integer(metadata=described("Prices used, with include=repaired"))
    repaired = Integer(metadata=described("How many of them were repaired"))


class Message(Schema):
    """What was done."""

    message = String(metadata={"example": "Cryptocurrency stats updated successfully"})
