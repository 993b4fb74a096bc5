"""A coin with its latest quote."""

from marshmallow import Schema, validate
from marshmallow.fields import Integer, String

from api.schemas.fields import COIN, Moment, Number

SORTS = ("rank", "name", "price", "market_cap", "change_24h")


class CoinQuery(Schema):
    """Which coins, in which order."""

    sort = String(
        load_default="rank",
        validate=validate.OneOf([*SORTS, *(f"-{name}" for name in SORTS)]),
        metadata={"description": "A leading - turns the order round", "example": "rank"},
    )
    search = String(
        load_default="",
        validate=validate.Length(max=64),
        metadata={"description": "A part of an id, a name or a symbol", "example": "bit"},
    )


class Coin(Schema):
    """A coin with its latest quote, and what is known about how old that is."""

    id = String(metadata=COIN)
    symbol = String(allow_none=True, metadata={"example": "btc"})
    name = String(allow_none=True, metadata={"example": "Bitcoin"})
    rank = Integer(allow_none=True, metadata={"description": "By market cap", "example": 1})
    state = String(validate=validate.OneOf(["active", "missing", "retired"]))
    successor = String(
        allow_none=True, metadata={"description": "The id that stands for a retired one"}
    )
    price = Number("Latest price, in the collection's currency", 45000.0)
    market_cap = Number("Market cap, in the collection's currency", 8.5e11)
    change_24h = Number("Change of the price within 24 hours, percent", -1.25)
    volume_24h = Number("Volume within 24 hours, in the collection's currency", 2.1e10)
    deviation = Number("Population standard deviation of the newest 100 recorded prices", 4082.48)
    deviation_count = Integer(metadata={"description": "Records it rests on", "example": 100})
    as_of = Moment("The source's own time of the quote")
    recorded_at = Moment("When the quote was recorded here")
    age_seconds = Number("Seconds since as_of", 42.0)
    freshness = String(
        validate=validate.OneOf(["fresh", "late", "stale", "never"]),
        metadata={"description": "fresh: up to 2 slots old; late: up to 8; stale: beyond"},
    )
    source = String(allow_none=True, metadata={"example": "coingecko"})
