"""A coin's stored quotes."""

from marshmallow import Schema
from marshmallow.fields import Integer, String

from api.schemas.fields import COIN, IntegerParam, Moment, Number, TimestampParam
from api.schemas.time_range import HistoryPageQuery

MOST = 1000


class QuoteQuery(HistoryPageQuery):
    """Which quotes, by the source's own time."""

    limit = IntegerParam(
        f"At most so many quotes on a page, 1 to {MOST}",
        least=1,
        most=MOST,
        example=100,
        default=100,
    )
    as_of = TimestampParam(
        "What would have been answered then: only quotes that were recorded until that time. A "
        "time still to come means now",
        example="2100-01-01T00:00:00Z",
    )


class Quote(Schema):
    """One quote, as it was stored; null where the source gave no number."""

    coin = String(metadata=COIN | {"description": "The id whose quote it is"})
    at = Moment("The source's own time of the quote", allow_none=False)
    price = Number("In the collection's currency", 45000.0)
    market_cap = Number("Market cap, in the collection's currency", 8.5e11)
    change_24h = Number("Change of the price within 24 hours, percent", -1.25)
    volume_24h = Number("Volume within 24 hours, in the collection's currency", 2.1e10)
    source = String(metadata={"example": "coingecko"})
    recorded_at = Moment("When it was recorded here", allow_none=False)
    resolution = Integer(
        allow_none=True,
        metadata={
            "description": "Of a repaired quote, seconds between the points of the history that "
            "it was repaired from; null for a recorded one",
            "example": 300,
        },
    )
    as_of = Moment("The time that the numbers are of, the same as `at`", allow_none=False)
