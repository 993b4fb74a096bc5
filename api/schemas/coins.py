"""A coin with its latest quote."""

from typing import Any

from marshmallow import Schema, validate
from marshmallow.fields import Float, Integer, List, Nested, String

from api.schemas.fields import COIN, Moment, Number
from market.model.coin_changes import RECORDED_FIELDS
from market.model.documents import COIN_STATES

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


class Prices(List[float]):
    """Numbers, written as they are: item by item a page of 250 sparklines takes 10 ms longer."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return value


class Sparkline(Schema):
    """A week of prices at even steps, the last of which is the present one."""

    start = Moment("Where the first step begins; steps are counted from 1970, UTC")
    step_seconds = Integer(metadata={"description": "From a step to the next", "example": 14400})
    prices = Prices(
        Float(allow_none=True),
        metadata={
            "description": "The last recorded price of each step, in the collection's currency: "
            "the closes of the 4-hour candles. null: none was recorded within it",
            "example": [44100.0, None, 44950.0],
        },
    )


class Coin(Schema):
    """A coin with its latest quote, and what is known about how old that is."""

    id = String(metadata=COIN)
    symbol = String(allow_none=True, metadata={"example": "btc"})
    name = String(allow_none=True, metadata={"example": "Bitcoin"})
    rank = Integer(allow_none=True, metadata={"description": "By market cap", "example": 1})
    state = String(
        validate=validate.OneOf(COIN_STATES),
        metadata={
            "description": "left: no longer among the top N; missing: asked for by its id, and "
            "the source does not know it; retired: its successor stands for it"
        },
    )
    successor = String(
        allow_none=True, metadata={"description": "The id that stands for a retired one"}
    )
    price = Number("Latest price, in the collection's currency", 45000.0)
    market_cap = Number("Market cap, in the collection's currency", 8.5e11)
    change_24h = Number("Change of the price within 24 hours, percent", -1.25)
    volume_24h = Number("Volume within 24 hours, in the collection's currency", 2.1e10)
    deviation = Number("Population standard deviation of the newest 100 recorded prices", 4082.48)
    deviation_count = Integer(metadata={"description": "Records it rests on", "example": 100})
    sparkline = Nested(Sparkline)
    as_of = Moment("The source's own time of the quote")
    recorded_at = Moment("When the quote was recorded here")
    age_seconds = Number("Seconds since as_of", 42.0)
    freshness = String(
        validate=validate.OneOf(["fresh", "late", "stale", "never"]),
        metadata={"description": "fresh: up to 2 slots old; late: up to 8; stale: beyond"},
    )
    source = String(allow_none=True, metadata={"example": "coingecko"})


class CoinChange(Schema):
    """A change of what a coin is."""

    at = Moment("When it was seen", allow_none=False)
    what = String(validate=validate.OneOf(RECORDED_FIELDS), metadata={"example": "state"})
    old = String(allow_none=True, metadata={"example": "active"})
    new = String(allow_none=True, metadata={"example": "left"})


class CoinWithRecord(Coin):
    """A coin with what became of it since it is collected."""

    changes = List(
        Nested(CoinChange),
        metadata={"description": "Its name, symbol and state as they changed, oldest first"},
    )
