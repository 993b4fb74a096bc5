"""What goes in and what comes out, with units and examples."""

from marshmallow import Schema, validate
from marshmallow.fields import (
    AwareDateTime,
    Boolean,
    Dict,
    Float,
    Integer,
    List,
    Nested,
    String,
)

COIN = {"example": "bitcoin"}
SORTS = ("rank", "name", "price", "market_cap", "change_24h")


class Number(Float):
    """A finite number, as it is: null where there is none."""

    def __init__(self, description: str, example: float) -> None:
        metadata = {"description": description, "example": example}
        super().__init__(allow_none=True, required=True, metadata=metadata)


class Moment(AwareDateTime):
    """A time in UTC, ISO-8601."""

    def __init__(self, description: str, *, allow_none: bool = True) -> None:
        metadata = {"description": description, "example": "2026-11-22T08:30:00+00:00"}
        super().__init__(format="iso", allow_none=allow_none, metadata=metadata)


# The seed's name for the change is no name in Python.
Stats = Schema.from_dict(
    {
        "price": Number("Latest price, in the collection's currency", 45000.0),
        "marketCap": Number("Market cap, in the collection's currency", 8.5e11),
        "24hChange": Number("Change of the price within 24 hours, percent", -1.25),
    },
    name="Stats",
)


class Deviation(Schema):
    """The seed's deviation."""

    deviation = Number(
        "Population standard deviation of the newest 100 recorded prices, in the currency; "
        "two decimals from 1 upwards, six significant digits below",
        4082.48,
    )


class Error(Schema):
    """Any error."""

    code = Integer(required=True, metadata={"example": 400})
    status = String(required=True, metadata={"example": "Bad Request"})
    message = String(required=True, metadata={"example": "Coin parameter is required"})
    errors = Dict(required=True)


class SeedError(Error):
    """An error of the seed's endpoints."""

    error = String(required=True, metadata={"example": "Coin parameter is required"})


class Message(Schema):
    """What was done."""

    message = String(metadata={"example": "Cryptocurrency stats updated successfully"})


class Health(Schema):
    """The process answers; nothing is said of what it depends on."""

    status = String(metadata={"example": "OK"})
    timestamp = Moment("Now")


class Dependency(Schema):
    """One server that the API depends on."""

    ready = Boolean()
    error = String(allow_none=True)


class Ready(Schema):
    """Whether everything that an update needs is there."""

    ready = Boolean()
    dependencies = Dict(keys=String(), values=Nested(Dependency))
    last_success = Moment("When the newest successful update ended")
    age_seconds = Number("Seconds since then", 12.5)
    next_slot = Moment("When the next update is due", allow_none=False)
    pending_events = Integer(
        allow_none=True, metadata={"description": "Events that no process has taken yet"}
    )
    dead_letters = Integer(
        allow_none=True, metadata={"description": "Messages set aside because they are no events"}
    )


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


class Accepted(Schema):
    """An update that was asked for."""

    id = String(metadata={"example": "request-20261122T083000Z-5f2c81aa"})
    state = String(metadata={"example": "received"})


class LeftOut(Schema):
    """A coin from which no quote came."""

    coin = String(metadata=COIN)
    reason = String(metadata={"example": "its price is null"})


class Update(Schema):
    """An update's entry in the ledger."""

    id = String(metadata={"example": "2026-11-22T08:30Z"})
    trigger = String(validate=validate.OneOf(["schedule", "request", "event"]))
    state = String(validate=validate.OneOf(["received", "running", "done", "failed", "missed"]))
    slot = Moment("The slot, of a scheduled update")
    received_at = Moment("When the ledger took it", allow_none=False)
    finished_at = Moment("When it ended")
    not_before = Moment("When it is tried again, at the source's own wish")
    hops = Dict(
        keys=String(),
        values=Moment("When the hop was reached", allow_none=False),
        metadata={
            "description": "published, streamed, received, started, claimed, fetched, stored, "
            "merged, finished"
        },
    )
    counts = Dict(
        keys=String(),
        values=Integer(),
        metadata={"description": "asked, answered, stored, unchanged, left_out"},
    )
    left_out = List(Nested(LeftOut))
    error = String(allow_none=True, metadata={"description": "Why, in plain words"})
    source = String(metadata={"example": "coingecko"})
