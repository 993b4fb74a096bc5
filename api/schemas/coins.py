"""Coins with their latest quotes."""

from typing import Any

from marshmallow import Schema, validate
from marshmallow.fields import Float, Integer, List, Nested, String

from api.schemas.fields import COIN, Number, Timestamp, described
from market.model.coin_changes import RECORDED_FIELDS
from market.model.documents import COIN_STATES

SORTS = ("rank", "name", "price", "market_cap", "change_24h")


class CoinQuery(Schema):
    """Which coins, in which order."""

    sort = String(
        load_default="rank",
        validate=validate.OneOf([*SORTS, *(f"-{name}" for name in SORTS)]),
        metadata=described("A leading - reverses the order", "rank"),
    )
    search = String(
        load_default="",
        validate=validate.Length(max=64),
        metadata=described("Part of an id, a name or a symbol", "bit"),
    )


class Prices(List[float]):
    """Numbers serialized as they are: item by item, 250 sparklines take 10 ms longer."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return value


class Sparkline(Schema):
    """A week of prices at even steps, the last of which is the current one."""

    start = Timestamp("Start of the first step; steps are counted from 1970, UTC")
    step_seconds = Integer(metadata=described("Length of a step", 14400))
    prices = Prices(
        Float(allow_none=True),
        metadata=described(
            "The last recorded price of each step, in the stored currency: the closes of the "
            "4-hour candles. null: no quote was recorded in it",
            [44100.0, None, 44950.0],
        ),
    )


class Coin(Schema):
    """A coin with its latest quote and how old that is."""

    id = String(metadata=COIN)
    symbol = String(allow_none=True, metadata={"example": "btc"})
    name = String(allow_none=True, metadata={"example": "Bitcoin"})
    rank = Integer(allow_none=True, metadata=described("By market cap", 1))
    state = String(
        validate=validate.OneOf(COIN_STATES),
        metadata=described(
            "left: no longer among the top N; missing: requested by its id, but the source does "
            "not know it; retired: replaced by its successor"
        ),
    )
    successor = String(allow_none=True, metadata=described("The id that replaced a retired one"))
    price = Number("Latest price, in the stored currency", 45000.0)
    market_cap = Number("Market cap, in the stored currency", 8.5e11)
    change_24h = Number("24-hour price change in percent", -1.25)
    volume_24h = Number("24-hour volume, in the stored currency", 2.1e10)
    deviation = Number("Population standard deviation of the last 100 recorded prices", 4082.48)
    deviation_count = Integer(metadata=described("Prices used for the deviation", 100))
    sparkline = Nested(Sparkline)
    as_of = Timestamp("The source's time of the quote")
    recorded_at = Timestamp("When KoinX recorded the quote")
    age_seconds = Number("Seconds since as_of", 42.0)
    freshness = String(
        validate=validate.OneOf(["fresh", "late", "stale", "never"]),
        metadata=described("fresh: up to 2 slots old; late: up to 8; stale: older"),
    )
    source = String(allow_none=True, metadata={"example": "coingecko"})


class CoinChange(Schema):
    """A change of a coin's name, symbol or state."""

    at = Timestamp("When KoinX noticed it", allow_none=False)
    what = String(validate=validate.OneOf(RECORDED_FIELDS), metadata={"example": "state"})
    old = String(allow_none=True, metadata={"example": "active"})
    new = String(allow_none=True, metadata={"example": "left"})


class CoinWithRecord(Coin):
    """A coin with its changes since KoinX collects it."""

    changes = List(
        Nested(CoinChange),
        metadata=described("Changes of its name, symbol and state, oldest first"),
    )
