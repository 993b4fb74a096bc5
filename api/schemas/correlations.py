"""Correlations of coins."""

from marshmallow import Schema, validate
from marshmallow.fields import Integer, List, String

from api.schemas.fields import COIN, IS_COIN_ID, Number, Timestamp, described
from api.schemas.statistics import RecordWindowQuery
from market.analytics.correlation import LEAST_RETURNS

MIN_COINS, MAX_COINS = 2, 50
MAX_TOTAL_RECORDS = 50_000


class CorrelationQuery(RecordWindowQuery):
    """Which coins, over which records of each."""

    coin = List(
        String(validate=IS_COIN_ID),
        required=True,
        validate=validate.Length(MIN_COINS, MAX_COINS),
        metadata=described(
            f"{MIN_COINS} to {MAX_COINS} ids, each as its own parameter: "
            f"coin=bitcoin&coin=ethereum. At most {MAX_TOTAL_RECORDS} records in total",
            ["bitcoin", "ethereum"],
        ),
    )


class Pair(Schema):
    """The correlation of two coins."""

    a = String(metadata=COIN | {"description": "The id whose quotes were used"})
    b = String(metadata=described("The id of the other coin", "ethereum"))
    correlation = Number(
        "Pearson correlation of log returns, -1 to 1. Each price belongs to the nearest slot of "
        "the schedule; returns are between consecutive slots in which both coins have a price",
        0.83,
    )
    returns = Integer(metadata=described("Pairs of returns used", 99))
    reason = String(
        allow_none=True,
        metadata=described(
            f"Why there is no correlation: fewer than {LEAST_RETURNS} common returns, or a "
            "constant price"
        ),
    )
    oldest = Timestamp("The oldest slot in which both have a price")
    newest = Timestamp("The newest slot in which both have a price")
    source = String(
        allow_none=True,
        metadata=described("Of the newest records; both if they differ", "demo"),
    )
    as_of = Timestamp("The source's time of the newest record, of the coin whose is older")
