"""The ledger of updates."""

import re
from typing import Any

from marshmallow import Schema, ValidationError, pre_dump, validate
from marshmallow.fields import Dict, Float, Integer, List, Nested, String

from api.schemas.fields import COIN, Moment, shown
from api.update_progress import HOPS, STAGES, progress, stopped_before, told
from market.model.documents import QUARANTINE_STATES, UPDATE_STATES, UPDATE_TRIGGERS

KEY = re.compile("[ -~]{1,255}")


class UpdateQuery(Schema):
    """Which updates."""

    state = String(
        validate=validate.OneOf(UPDATE_STATES),
        metadata={"description": "Only updates in this state", "example": "done"},
    )
    trigger = String(
        validate=validate.OneOf(UPDATE_TRIGGERS),
        metadata={"description": "Only updates that this started", "example": "schedule"},
    )


def _is_key(value: str) -> None:
    if not KEY.fullmatch(value):
        raise ValidationError(
            f"{shown(value)} is no key: 1 to 255 printable ASCII characters are allowed"
        )


class Wish(Schema):
    """What may come along when an update is asked for."""

    key = String(
        data_key="Idempotency-Key",
        load_default=None,
        validate=_is_key,
        metadata={
            "description": "The same key gives the same update, however often it is sent, for as "
            "long as the ledger keeps that update. Take a new one, such as a UUID, for each "
            "update that you want. Without a key each call asks for another update",
            "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
            "minLength": 1,
            "maxLength": 255,
            "pattern": f"^{KEY.pattern}$",
        },
    )


class Accepted(Schema):
    """An update that was asked for."""

    id = String(metadata={"example": "request-20261122T083000Z-5f2c81aa"})
    state = String(
        validate=validate.OneOf(UPDATE_STATES),
        metadata={
            "description": "received; to a key that was sent before: the present state",
            "example": "received",
        },
    )


class SkippedCoin(Schema):
    """A coin from which no quote came."""

    coin = String(metadata=COIN)
    reason = String(metadata={"example": "its price is null"})


class Tick(Schema):
    """A price that was not credible: held until the coin's next one releases or drops it."""

    coin = String(metadata=COIN)
    at = Moment("The source's own time of the price", allow_none=False)
    price = Float(metadata={"description": "In the collection's currency", "example": 950000.0})
    state = String(
        validate=validate.OneOf(QUARANTINE_STATES),
        metadata={"description": "What this update did with it", "example": "held"},
    )
    reason = String(
        metadata={
            "example": "950000 is 10 times 95000, the price 15 min before; its own moves make "
            "0.5 to 1.5 times credible"
        }
    )


class Update(Schema):
    """An update's entry in the ledger, made from the ledger's document with its `source`."""

    id = String(attribute="_id", metadata={"example": "2026-11-22T08:30Z"})
    trigger = String(validate=validate.OneOf(UPDATE_TRIGGERS))
    state = String(validate=validate.OneOf(UPDATE_STATES))
    stage = String(
        validate=validate.OneOf(STAGES),
        metadata={"description": "What happens to it now. postponed: until not_before"},
    )
    progress = Float(
        metadata={
            "description": "Roughly the share of its way that it has gone, 0 to 1",
            "example": 0.4,
        }
    )
    slot = Moment("The slot, of a scheduled update")
    received_at = Moment("When the ledger took it", allow_none=False)
    finished_at = Moment("When it ended")
    number = Integer(
        allow_none=True,
        metadata={
            "description": "Of its end, counted over all updates: the id of its event at "
            "/v1/events. null before it ended",
            "example": 17,
        },
    )
    not_before = Moment("When it is tried again, at the source's own wish")
    hops = Dict(
        keys=String(),
        values=Moment("When the hop was reached", allow_none=False),
        metadata={
            "description": "published, streamed, received, started, claimed, fetched, stored, "
            "merged, finished"
        },
    )
    stopped_before = String(
        allow_none=True,
        validate=validate.OneOf(HOPS),
        metadata={
            "description": "The hop that an open update is on its way to, and that a failed or "
            "missed one did not get to: error says why. null once it is done",
        },
    )
    counts = Dict(
        keys=String(),
        values=Integer(),
        metadata={
            "description": "asked, answered, stored, unchanged, left_out, held, released, "
            "dropped; while it runs those that are known so far"
        },
    )
    left_out = List(Nested(SkippedCoin))
    ticks = List(Nested(Tick))
    error = String(allow_none=True, metadata={"description": "Why, in plain words"})
    source = String(metadata={"example": "coingecko"})

    @pre_dump
    def _shown(self, update: dict[str, Any], **_: Any) -> dict[str, Any]:
        stage, share = progress(update)
        known = {"number": None, "counts": {}, "left_out": [], "ticks": [], **update}
        if update["finished_at"] is None:
            known["number"] = None  # of an end that was taken back
        counts = told(update).get("counts") or known["counts"]
        return known | {
            "stage": stage,
            "progress": share,
            "stopped_before": stopped_before(update),
            "counts": counts,
        }
