"""The ledger of updates."""

from marshmallow import Schema, validate
from marshmallow.fields import Dict, Integer, List, Nested, String

from api.schemas.fields import COIN, Moment


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
