"""How far the returns of coins move together."""

from marshmallow import Schema, validate
from marshmallow.fields import Integer, List, String

from api.schemas.fields import COIN, Moment, Number
from api.schemas.record_window import RecordWindowQuery
from market.analytics.correlation import LEAST_RETURNS
from market.model.quotes import MAX_ID_LENGTH

LEAST_COINS, MOST_COINS = 2, 50
MOST_RECORDS_IN_ALL = 50_000


class CorrelationQuery(RecordWindowQuery):
    """Which coins, over which records of each."""

    coin = List(
        String(validate=validate.Length(1, MAX_ID_LENGTH)),
        required=True,
        validate=validate.Length(LEAST_COINS, MOST_COINS),
        metadata={
            "description": f"{LEAST_COINS} to {MOST_COINS} ids, each as a parameter of its own: "
            f"coin=bitcoin&coin=ethereum. At most {MOST_RECORDS_IN_ALL} records in all",
            "example": ["bitcoin", "ethereum"],
        },
    )


class Pair(Schema):
    """Two coins, a row of the table."""

    a = String(metadata=COIN | {"description": "The id whose quotes these are"})
    b = String(metadata={"description": "The same of the other coin", "example": "ethereum"})
    correlation = Number(
        "Pearson's correlation of log returns, -1 to 1. Each price belongs to the slot of the "
        "schedule that it is nearest to; returns are from each slot in which both coins have a "
        "price to the next",
        0.83,
    )
    returns = Integer(metadata={"description": "Pairs of returns it rests on", "example": 99})
    reason = String(
        allow_none=True,
        metadata={
            "description": f"Why there is no correlation: fewer than {LEAST_RETURNS} returns in "
            "common, or a price that stands still",
        },
    )
    oldest = Moment("The oldest slot in which both have a price")
    newest = Moment("The newest slot in which both have a price")
    source = String(
        allow_none=True,
        metadata={"description": "Of the newest records; two if they differ", "example": "demo"},
    )
    as_of = Moment("The source's own time of the newest record, of the coin whose is older")
