"""Whether the system is well."""

from marshmallow import Schema
from marshmallow.fields import Boolean, Dict, Integer, Nested, String

from api.schemas.fields import Moment, Number


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
    consumer_lag_seconds = Number(
        "Seconds since the oldest of them was published; 0 when none waits", 0.0
    )
    dead_letters = Integer(
        allow_none=True, metadata={"description": "Messages set aside because they are no events"}
    )
