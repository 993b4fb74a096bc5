"""Updates: their entries in the ledger, and how far each one is."""

import re
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, pre_dump, validate
from marshmallow.fields import Dict, Float, Integer, List, Nested, String

from api.schemas.fields import COIN, Timestamp, described, shown
from market.model.documents import QUARANTINE_STATES, UPDATE_STATES, UPDATE_TRIGGERS

KEY = re.compile("[ -~]{1,255}")
STAGES = ("waiting", "postponed", "fetching", "storing", "ended")
HOPS = ("published", "streamed", "received", "started", "claimed", "fetched", "stored")
FETCHING = 0.8  # fetching the source's pages is 80 % of the progress; storing them is the rest


def progress(update: dict[str, Any]) -> tuple[str, float]:
    """Returns the stage of an update in the ledger, and its approximate progress, 0 to 1."""
    if update["state"] == "received":
        wait = update.get("not_before")
        return ("postponed" if wait and wait > datetime.now(UTC) else "waiting"), 0.0
    if update["state"] != "running":
        return "ended", 1.0
    run = current_run(update)
    if run.get("stage") == "storing":
        return "storing", FETCHING
    return "fetching", FETCHING * run.get("share", 0)


def stopped_before(update: dict[str, Any]) -> str | None:
    """Returns the hop that an open update comes to next, or that a failed one did not reach.

    None once it is done. The ledger also has the hops of earlier attempts, so those of an open
    update do not say how far it is.
    """
    if update["state"] == "done":
        return None
    stage, _ = progress(update)
    if stage != "ended":
        open_at = {"waiting": "started", "postponed": "fetched", "fetching": "fetched"}
        return open_at.get(stage, "stored")
    if update["state"] == "failed":
        # Quotes stored before the source failed are kept, so the hops go on without quotes.
        return "fetched"
    return next((hop for hop in HOPS if hop not in update["hops"]), None)


def current_run(update: dict[str, Any]) -> dict[str, Any]:
    """Returns what the current run has reported; nothing of an earlier one."""
    run: dict[str, Any] = update.get("run") or {}
    is_current = update["state"] == "running" and run.get("fence") == update["fence"]
    return run if is_current else {}


class UpdateQuery(Schema):
    """Which updates."""

    state = String(
        validate=validate.OneOf(UPDATE_STATES),
        metadata=described("Only updates in this state", "done"),
    )
    trigger = String(
        validate=validate.OneOf(UPDATE_TRIGGERS),
        metadata=described("Only updates with this trigger", "schedule"),
    )


def _is_key(value: str) -> None:
    if not KEY.fullmatch(value):
        raise ValidationError(
            f"{shown(value)} is not a valid key: use 1 to 255 printable ASCII characters"
        )


class IdempotencyHeader(Schema):
    """The header that makes a request for an update repeatable."""

    key = String(
        data_key="Idempotency-Key",
        load_default=None,
        validate=_is_key,
        metadata={
            "description": "The same key returns the same update, however often it is sent, for as "
            "long as the ledger keeps that update. Use a new key, such as a UUID, for each update. "
            "Without a key each call requests another update",
            "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
            "minLength": 1,
            "maxLength": 255,
            "pattern": f"^{KEY.pattern}$",
        },
    )


class Accepted(Schema):
    """A requested update."""

    id = String(metadata={"example": "request-20261122T083000Z-5f2c81aa"})
    state = String(
        validate=validate.OneOf(UPDATE_STATES),
        metadata=described("received; for a repeated key, the current state", "received"),
    )


class SkippedCoin(Schema):
    """A coin without a quote in this update."""

    coin = String(metadata=COIN)
    reason = String(metadata={"example": "its price is null"})


class Tick(Schema):
    """An outlier: held in quarantine until the coin's next price releases or drops it."""

    coin = String(metadata=COIN)
    at = Timestamp("The source's time of the price", allow_none=False)
    price = Float(metadata=described("In the stored currency", 950000.0))
    state = String(
        validate=validate.OneOf(QUARANTINE_STATES),
        metadata=described("What this update did with it", "held"),
    )
    reason = String(
        metadata={
            "example": "950000 is 10 times 95000, the price 15 min before; its own moves make "
            "0.5 to 1.5 times credible"
        }
    )


class Update(Schema):
    """An update, made from the ledger's document and its `source`."""

    id = String(attribute="_id", metadata={"example": "2026-11-22T08:30Z"})
    trigger = String(validate=validate.OneOf(UPDATE_TRIGGERS))
    state = String(validate=validate.OneOf(UPDATE_STATES))
    stage = String(
        validate=validate.OneOf(STAGES),
        metadata=described("What is happening now. postponed: waits until not_before"),
    )
    progress = Float(metadata=described("Approximate progress, 0 to 1", 0.4))
    slot = Timestamp("The slot of a scheduled update")
    received_at = Timestamp("When the ledger recorded it", allow_none=False)
    finished_at = Timestamp("When it finished")
    number = Integer(
        allow_none=True,
        metadata=described(
            "Counts the finished updates: the id of this one's event at /v1/events. null until it "
            "has finished",
            17,
        ),
    )
    not_before = Timestamp("When it is retried, as the source requested")
    hops = Dict(
        keys=String(),
        values=Timestamp("When the hop was reached", allow_none=False),
        metadata=described(
            "published, streamed, received, started, claimed, fetched, stored, merged, finished"
        ),
    )
    stopped_before = String(
        allow_none=True,
        validate=validate.OneOf(HOPS),
        metadata=described(
            "The hop that an open update comes to next, or that a failed or missed one did not "
            "reach: error says why. null once it is done"
        ),
    )
    counts = Dict(
        keys=String(),
        values=Integer(),
        metadata=described(
            "asked, answered, stored, unchanged, left_out, held, released, dropped; while it runs, "
            "those known so far"
        ),
    )
    left_out = List(Nested(SkippedCoin))
    ticks = List(Nested(Tick))
    error = String(allow_none=True, metadata=described("Why it failed or was missed"))
    source = String(metadata={"example": "coingecko"})

    @pre_dump
    def _complete(self, update: dict[str, Any], **_: Any) -> dict[str, Any]:
        stage, share = progress(update)
        known = {"number": None, "counts": {}, "left_out": [], "ticks": [], **update}
        if update["finished_at"] is None:
            known["number"] = None  # of a finish that was reopened
        counts = current_run(update).get("counts") or known["counts"]
        return known | {
            "stage": stage,
            "progress": share,
            "stopped_before": stopped_before(update),
            "counts": counts,
        }
