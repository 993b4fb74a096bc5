"""Defines the events on NATS: their subjects, types and encoding."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

REQUESTED = "crypto.update"  # JetStream stores it until an API process has entered it
FINISHED = "crypto.updated"  # plain NATS, for any subscriber
DEAD = "crypto.dead"  # unreadable messages, with the reason

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]{0,63}")
MAX_BYTES = 64 * 1024


class MalformedEvent(ValueError):
    """The message is not a valid event; the text is the reason."""


@dataclass(frozen=True, slots=True)
class UpdateRequested:
    """Requests an update. The `id` of a scheduled event is its slot's; None if it has none."""

    id: str | None = None
    timestamp: datetime | None = None

    def encode(self) -> bytes:
        """Encodes the event as JSON; the `trigger` of the original KoinX API comes first."""
        fields: dict[str, str] = {"trigger": "update"}
        if self.timestamp is not None:
            fields["timestamp"] = self.timestamp.astimezone(UTC).isoformat()
        if self.id is not None:
            fields["id"] = self.id
        return json.dumps(fields).encode()

    @classmethod
    def decode(cls, data: bytes) -> "UpdateRequested":
        """Decodes a message; raises MalformedEvent with what is wrong and what is allowed."""
        fields = _object(data)
        if fields.get("trigger") != "update":
            raise MalformedEvent(
                f'trigger is {_shown(fields.get("trigger"))}, only "update" is known'
            )
        name = fields.get("id")
        if name is not None and not (isinstance(name, str) and ID.fullmatch(name)):
            raise MalformedEvent(f"id is {_shown(name)}, it must match {ID.pattern}")
        return cls(name, _timestamp(fields.get("timestamp")))


@dataclass(frozen=True, slots=True)
class UpdateFinished:
    """Reports that an update ended as `done`, `failed` or `missed`, with `stored` new quotes.

    In state `received` that many quotes are readable, and the update continues.
    """

    id: str
    state: str
    stored: int

    def encode(self) -> bytes:
        """Encodes the event as JSON."""
        return json.dumps({"id": self.id, "state": self.state, "stored": self.stored}).encode()

    @classmethod
    def decode(cls, data: bytes) -> "UpdateFinished":
        """Decodes a message; raises MalformedEvent."""
        fields = _object(data)
        name, state, stored = fields.get("id"), fields.get("state"), fields.get("stored")
        if not (isinstance(name, str) and isinstance(state, str) and isinstance(stored, int)):
            raise MalformedEvent(f"not a finished update: {_shown(fields)}")
        return cls(name, state, stored)


def _object(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise MalformedEvent(f"{len(data)} bytes, an event has at most {MAX_BYTES}")
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedEvent(f"not valid JSON: {type(error).__name__}") from None
    if not isinstance(fields, dict):
        raise MalformedEvent(f"not a JSON object but {_shown(fields)}")
    return fields


def _timestamp(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        # JavaScript's Date.toISOString ends in Z; a time without a zone counts as UTC.
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise MalformedEvent(f"timestamp is {_shown(value)}, not an ISO-8601 time") from None
    return moment


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value)
    except RecursionError:  # the parser accepts deeper nesting than the encoder
        text = "nested too deeply to be shown"
    return text if len(text) <= 80 else text[:77] + "..."
