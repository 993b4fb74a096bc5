"""The stream of finished updates."""

from typing import Any

from marshmallow import Schema

from api.schemas.fields import IntegerParam
from api.schemas.updates import Update

MAX_NUMBER = 10**15 - 1
LAST_EVENT_ID = (
    "The id of the last event you have: the stream begins with the next. 0: from the beginning"
)


def _event(name: str, data: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "string", "contentMediaType": "application/json", "contentSchema": data}
    number = {"type": "string", "pattern": "^[0-9]{1,15}$"}
    return {
        "type": "object",
        "properties": {"id": number, "event": {"const": name}, "data": text},
        "required": ["id", "event", "data"],
    }


# Each event of the stream, as clients read it
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


class LastEventHeader(Schema):
    """Where a client continues after a disconnect, as in the standard."""

    last_event_id = IntegerParam(
        f"{LAST_EVENT_ID}. EventSource sends it itself",
        least=0,
        most=MAX_NUMBER,
        example=0,
        default=None,
        data_key="Last-Event-ID",
    )


class EventsQuery(Schema):
    """Where to begin, and when to end."""

    last_event_id = IntegerParam(
        f"{LAST_EVENT_ID}. For clients that cannot set the header, which takes precedence",
        least=0,
        most=MAX_NUMBER,
        example=0,
        default=None,
    )
    seconds = IntegerParam(
        "End after this many seconds; by default the stream does not end",
        least=1,
        most=3600,
        example=5,
        default=None,
    )
    limit = IntegerParam(
        "End after this many updates", least=1, most=1000, example=10, default=None
    )


class EndedUpdate(Update):
    """A finished update in its event: without its lists, which may have hundreds of items."""

    class Meta:
        """marshmallow's place for it."""

        exclude = ("left_out", "ticks")
