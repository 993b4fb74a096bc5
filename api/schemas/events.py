"""The stream of updates that ended."""

from typing import Any

from marshmallow import Schema

from api.schemas.fields import IntegerParam
from api.schemas.updates import Update

MAX_NUMBER = 10**15 - 1
SINCE = (
    "The id of the last event that you have: what ended since comes first. 0: from the beginning"
)


def _event(name: str, data: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "string", "contentMediaType": "application/json", "contentSchema": data}
    number = {"type": "string", "pattern": "^[0-9]{1,15}$"}
    return {
        "type": "object",
        "properties": {"id": number, "event": {"const": name}, "data": text},
        "required": ["id", "event", "data"],
    }


# Each event of the stream, as clients read it.
EVENT = {
    "oneOf": [
        _event("update", {"$ref": "#/components/schemas/Update"}),
        _event(
            "skipped",
            {
                "type": "object",
                "properties": {"reason": {"type": "string"}, "ledger": {"type": "string"}},
                "required": ["reason", "ledger"],
            },
        ),
    ]
}


class Since(Schema):
    """How a client that was cut off goes on, as the standard has it."""

    last_event_id = IntegerParam(
        f"{SINCE}. EventSource sends it by itself",
        least=0,
        most=MAX_NUMBER,
        example=0,
        default=None,
        data_key="Last-Event-ID",
    )


class EventsQuery(Schema):
    """From where on, and for how long."""

    last_event_id = IntegerParam(
        f"{SINCE}. For clients that can set no header, which goes before this",
        least=0,
        most=MAX_NUMBER,
        example=0,
        default=None,
    )
    seconds = IntegerParam(
        "End after so many seconds. Without it the stream goes on for as long as you listen",
        least=1,
        most=3600,
        example=5,
        default=None,
    )
    limit = IntegerParam("End after so many updates", least=1, most=1000, example=10, default=None)


class EndedUpdate(Update):
    """An update as its event has it: without its lists, which may have hundreds of items."""

    class Meta:
        """marshmallow's own place for it."""

        exclude = ("left_out", "ticks")
