"""The events on NATS: their subjects, their types, and how they are encoded."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

REQUESTED = "crypto.update"  # kept by JetStream until one API process has entered it
FINISHED = "crypto.updated"  # plain NATS: news for whoever listens
DEAD = "crypto.dead"  # what could not be read, with its reason

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]{0,63}")
MAX_BYTES = 64 * 1024


class MalformedEvent(ValueError):
    """A message that is no event of ours; the text is its reason."""


@dataclass(frozen=True, slots=True)
class UpdateRequested:
    """Quotes are to be fetched. A scheduled event's `id` is its slot's; None: none came along."""

    id: str | None = None
    timestamp: datetime | None = None

    def encode(self) -> bytes:
        """The event as JSON; the seed's `trigger` first."""
        fields: dict[str, str] = {"trigger": "update"}
        if self.timestamp is not None:
            fields["timestamp"] = self.timestamp.astimezone(UTC).isoformat()
        if self.id is not None:
            fields["id"] = self.id
        return json.dumps(fields).encode()

    @classmethod
    def decode(cls, data: bytes) -> "UpdateRequested":
        """Reads a message; raises MalformedEvent with what is wrong and what is allowed."""
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
    """An update ended, as `done`, `failed` or `missed`, with `stored` new quotes.

    `received`: so many can be read, and the update has not ended yet.
    """

    id: str
    state: str
    stored: int

    def encode(self) -> bytes:
        """The event as JSON."""
        return json.dumps({"id": self.id, "state": self.state, "stored": self.stored}).encode()

    @classmethod
    def decode(cls, data: bytes) -> "UpdateFinished":
        """Reads a message; raises MalformedEvent."""
        fields = _object(data)
        name, state, stored = fields.get("id"), fields.get("state"), fields.get("stored")
        if not (isinstance(name, str) and isinstance(state, str) and isinstance(stored, int)):
            raise MalformedEvent(f"no finished update: {_shown(fields)}")
        return cls(name, state, stored)


def _object(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise MalformedEvent(f"{len(data)} bytes, an event has at most {MAX_BYTES}")
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedEvent(f"no JSON: {type(error).__name__}") from None
    if not isinstance(fields, dict):
        raise MalformedEvent(f"no JSON object but {_shown(fields)}")
    return fields


def _timestamp(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        # The seed's Date.toISOString ends in Z; a time without a zone is taken as UTC.
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise MalformedEvent(f"timestamp is {_shown(value)}, no ISO-8601 time") from None
    return moment


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value)
    except RecursionError:  # the reader went as deep as it could, the writer cannot
        text = "nested too deeply to be shown"
    return text if len(text) <= 80 else text[:77] + "..."
