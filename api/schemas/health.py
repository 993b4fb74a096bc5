"""Health and readiness."""

from marshmallow import Schema
from marshmallow.fields import Boolean, Dict, Integer, Nested, String

from api.schemas.fields import Number, Timestamp, described


class Health(Schema):
    """The process responds; its dependencies are not checked."""

    status = String(metadata={"example": "OK"})
    timestamp = Timestamp("Now")


class Dependency(Schema):
    """One server that the API depends on."""

    ready = Boolean()
    error = String(allow_none=True)


class Ready(Schema):
    """Whether everything that an update needs is available."""

    ready = Boolean()
    dependencies = Dict(keys=String(), values=Nested(Dependency))
    last_success = Timestamp("When the last successful update finished")
    age_seconds = Number("Seconds since then", 12.5)
    next_slot = Timestamp("When the next update is due", allow_none=False)
    pending_events = Integer(
        allow_none=True, metadata=described("Events that no process has consumed yet")
    )
    consumer_lag_seconds = Number(
        "Seconds since the oldest pending event was published; 0 without any", 0.0
    )
    dead_letters = Integer(
        allow_none=True, metadata=described("Messages set aside because they are not valid events")
    )
