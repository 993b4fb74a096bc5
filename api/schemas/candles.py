"""A coin's candles."""

from marshmallow import Schema, validate
from marshmallow.fields import Integer, String

from api.schemas.fields import COIN, IntegerParam, Moment, Number
from api.schemas.time_range import HistoryPageQuery
from market.model.candle import INTERVALS

MOST = 500


class CandleQuery(HistoryPageQuery):
    """Which candles, by the time at which they start."""

    interval = String(
        load_default="1h",
        validate=validate.OneOf(list(INTERVALS)),
        metadata={"description": "From one candle's start to the next", "example": "1h"},
    )
    limit = IntegerParam(
        f"How many intervals a page covers, 1 to {MOST}, from its newest candle on; fewer candles "
        "where quotes are missing",
        least=1,
        most=MOST,
        example=100,
        default=100,
    )


class Candle(Schema):
    """The prices of one interval. One without any quote has no candle; the newest may still grow.

    Prices are in the collection's currency.
    """

    coin = String(metadata=COIN | {"description": "The id whose candle it is"})
    start = Moment("Where the interval begins, counted from 1970 in UTC", allow_none=False)
    open = Number("The first price", 44800.0)
    high = Number("The highest price", 45100.0)
    low = Number("The lowest price", 44750.0)
    close = Number("The last price", 45000.0)
    volume_24h = Number(
        "The source's rolling total of 24 hours at the close, in the collection's currency; it "
        "is no sum over the interval",
        2.1e10,
    )
    count = Integer(metadata={"description": "Quotes in it", "example": 4})
    repaired = Integer(
        metadata={"description": "Those of them that were repaired from history", "example": 0}
    )
    source = String(metadata={"description": "Of the close", "example": "coingecko"})
    as_of = Moment("The source's own time of the close", allow_none=False)
