"""Candles of a coin."""

from marshmallow import Schema, validate
from marshmallow.fields import Integer, String

from api.pagination import PageQuery
from api.schemas.fields import COIN, IntegerParam, Number, Timestamp, described
from market.model.candle import INTERVALS

MAX_CANDLES = 500


class CandleQuery(PageQuery):
    """Which candles, by their start time."""

    interval = String(
        load_default="1h",
        validate=validate.OneOf(list(INTERVALS)),
        metadata=described("The length of a candle", "1h"),
    )
    limit = IntegerParam(
        f"Intervals per page, 1 to {MAX_CANDLES}, from its newest candle on; fewer candles where "
        "quotes are missing",
        least=1,
        most=MAX_CANDLES,
        example=100,
        default=100,
    )


class Candle(Schema):
    """The prices of one interval, in the stored currency.

    An interval without quotes has no candle; the newest candle may still change.
    """

    coin = String(metadata=COIN | {"description": "The id whose candle this is"})
    start = Timestamp("Start of the interval, counted from 1970 in UTC", allow_none=False)
    open = Number("The first price", 44800.0)
    high = Number("The highest price", 45100.0)
    low = Number("The lowest price", 44750.0)
    close = Number("The last price", 45000.0)
    volume_24h = Number(
        "The source's rolling 24-hour total at the close, in the stored currency; not a sum over "
        "the interval",
        2.1e10,
    )
    count = Integer(metadata=described("Quotes in the interval", 4))
    repaired = Integer(metadata=described("How many of them were repaired from history", 0))
    source = String(metadata=described("Source of the close", "coingecko"))
    as_of = Timestamp("The source's time of the close", allow_none=False)
