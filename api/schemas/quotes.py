"""Stored quotes of a coin."""

from marshmallow import Schema
from marshmallow.fields import Integer, String

from api.pagination import PageQuery
from api.schemas.fields import COIN, IntegerParam, Number, Timestamp, TimestampParam, described

MAX_QUOTES = 1000


class QuoteQuery(PageQuery):
    """Which quotes, by the source's time."""

    limit = IntegerParam(
        f"Quotes per page, 1 to {MAX_QUOTES}", least=1, most=MAX_QUOTES, example=100, default=100
    )
    as_of = TimestampParam(
        "Answer as at this time: only quotes recorded until then. A future time means now",
        example="2100-01-01T00:00:00Z",
    )


class Quote(Schema):
    """One quote as it was stored; null where the source gave no number."""

    coin = String(metadata=COIN | {"description": "The id whose quote this is"})
    at = Timestamp("The source's time of the quote", allow_none=False)
    price = Number("In the stored currency", 45000.0)
    market_cap = Number("Market cap, in the stored currency", 8.5e11)
    change_24h = Number("24-hour price change in percent", -1.25)
    volume_24h = Number("24-hour volume, in the stored currency", 2.1e10)
    source = String(metadata={"example": "coingecko"})
    recorded_at = Timestamp("When KoinX recorded it", allow_none=False)
    resolution = Integer(
        allow_none=True,
        metadata=described(
            "For a repaired quote, the seconds between points of the history it was repaired "
            "from; null for a recorded one",
            300,
        ),
    )
    as_of = Timestamp("The time of the numbers, the same as `at`", allow_none=False)
