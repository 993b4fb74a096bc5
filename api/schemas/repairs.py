"""What is mended of the coins' history."""

from marshmallow import Schema, ValidationError, validate
from marshmallow.fields import Dict, Integer, List, String

from api.schemas.fields import COIN, Moment, Number, TimestampParam, shown
from market.gap_repair.queue import STATES
from market.model.quotes import MAX_ID_LENGTH

MOST_COINS = 250


class RepairQuery(Schema):
    """Which repairs."""

    coin = String(
        validate=validate.Length(1, MAX_ID_LENGTH),
        metadata={"description": "Only of this coin", "example": "bitcoin"},
    )
    state = String(
        validate=validate.OneOf(STATES),
        metadata={"description": "Only in this state", "example": "done"},
    )


def _is_coin(value: str) -> None:
    if not 0 < len(value) <= MAX_ID_LENGTH or not value.isprintable():
        raise ValidationError(f"{shown(value)} is no coin's id")


RepairRequest = Schema.from_dict(
    {
        "coins": List(
            String(validate=_is_coin),
            required=True,
            validate=validate.Length(1, MOST_COINS),
            metadata={"description": "Coins that are collected, 1 to 250", "example": ["bitcoin"]},
        ),
        "from": TimestampParam(
            "From this slot on; left out: as far back as 100 records need",
            example="2026-11-20T00:00:00Z",
        ),
        "to": TimestampParam(
            "Up to this slot, which is not among them; left out: the current one",
            example="2026-11-21T00:00:00Z",
        ),
    },
    name="RepairRequest",
)


class RepairsAccepted(Schema):
    """What was asked for."""

    repairs = Integer(metadata={"description": "New ones; the same is entered once", "example": 1})
    start = Moment("The first slot", allow_none=False)
    end = Moment("The slot after the last", allow_none=False)


class Repair(Schema):
    """A stretch start <= slot < end of one coin, and what the source had of it."""

    coin = String(metadata=COIN)
    start = Moment("The first slot", allow_none=False)
    end = Moment("The slot after the last", allow_none=False)
    state = String(validate=validate.OneOf(STATES))
    wanted_at = Moment("When it was found missing, or asked for", allow_none=False)
    finished_at = Moment("When it ended")
    not_before = Moment("When it is tried again")
    tries = Integer(metadata={"description": "Tries that came to no end", "example": 0})
    empty = Integer(
        allow_none=True, metadata={"description": "Slots without a quote", "example": 12}
    )
    mended = Dict(
        keys=String(),
        values=Integer(),
        metadata={
            "description": "How many of them are filled, by the seconds between the points that "
            "they were filled from: 300, 3600 or 86400",
            "example": {"300": 12},
        },
    )
    missing = Integer(
        allow_none=True,
        metadata={
            "description": "Slots that stay empty: the source has no point for them",
            "example": 0,
        },
    )
    error = String(allow_none=True, metadata={"description": "Why it failed, or waits"})
    source = String(metadata={"example": "coingecko"})


class RepairProgress(Schema):
    """How far all repairs are."""

    waiting = Integer(metadata={"example": 0})
    running = Integer(metadata={"example": 0})
    done = Integer(metadata={"example": 103})
    failed = Integer(metadata={"example": 0})
    progress = Number("Share of them that ended, 0 to 1; null where there is none", 1.0)
    paused_since = Moment("When they were paused by an operator; null while they go on")
