"""Gap repairs."""

from marshmallow import Schema, ValidationError, validate
from marshmallow.fields import Dict, Integer, List, String

from api.schemas.fields import (
    COIN,
    IS_COIN_ID,
    Number,
    Timestamp,
    TimestampParam,
    described,
    shown,
)
from market.gap_repair.queue import STATES
from market.model.quotes import MAX_ID_LENGTH

MAX_COINS = 250


class RepairQuery(Schema):
    """Which repairs."""

    coin = String(validate=IS_COIN_ID, metadata=described("Only of this coin", "bitcoin"))
    state = String(
        validate=validate.OneOf(STATES), metadata=described("Only in this state", "done")
    )


def _is_coin(value: str) -> None:
    if not 0 < len(value) <= MAX_ID_LENGTH or not value.isprintable():
        raise ValidationError(f"{shown(value)} is not a coin's id")


RepairRequest = Schema.from_dict(
    {
        "coins": List(
            String(validate=_is_coin),
            required=True,
            validate=validate.Length(1, MAX_COINS),
            metadata=described("Collected coins, 1 to 250", ["bitcoin"]),
        ),
        "from": TimestampParam(
            "The first slot; default: as far back as 100 records need",
            example="2026-11-20T00:00:00Z",
        ),
        "to": TimestampParam(
            "The end, exclusive; default: the current slot", example="2026-11-21T00:00:00Z"
        ),
    },
    name="RepairRequest",
)


class RepairsAccepted(Schema):
    """The repairs that a request queued."""

    repairs = Integer(
        metadata=described("New repairs; one that is queued already does not count", 1)
    )
    start = Timestamp("The first slot", allow_none=False)
    end = Timestamp("The end, exclusive", allow_none=False)


class Repair(Schema):
    """A gap of one coin, start <= slot < end, and what the source had for it."""

    coin = String(metadata=COIN)
    start = Timestamp("The first slot", allow_none=False)
    end = Timestamp("The end, exclusive", allow_none=False)
    state = String(validate=validate.OneOf(STATES))
    wanted_at = Timestamp("When the gap was found, or its repair requested", allow_none=False)
    finished_at = Timestamp("When it finished")
    not_before = Timestamp("When it is retried")
    tries = Integer(metadata=described("Attempts that did not finish", 0))
    empty = Integer(allow_none=True, metadata=described("Slots without a quote", 12))
    mended = Dict(
        keys=String(),
        values=Integer(),
        metadata=described(
            "How many of them were filled, by the seconds between points of the history that "
            "filled them: 300, 3600 or 86400",
            {"300": 12},
        ),
    )
    missing = Integer(
        allow_none=True,
        metadata=described("Slots that stay empty because the source has no point for them", 0),
    )
    error = String(allow_none=True, metadata=described("Why it failed or waits"))
    source = String(metadata={"example": "coingecko"})


class RepairProgress(Schema):
    """The progress of all repairs."""

    waiting = Integer(metadata={"example": 0})
    running = Integer(metadata={"example": 0})
    done = Integer(metadata={"example": 103})
    failed = Integer(metadata={"example": 0})
    progress = Number("Share of repairs that finished, 0 to 1; null without any", 1.0)
    paused_since = Timestamp("When an operator paused them; null while they run")
