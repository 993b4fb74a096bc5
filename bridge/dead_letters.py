"""Stores unreadable messages with the reason, and lists them."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from nats.aio.client import Client
from nats.js.api import Header, RawStreamMsg
from nats.js.errors import NotFoundError

from bridge.connection import Connection
from bridge.events import DEAD
from bridge.streams import DEAD_LETTERS

HEAD_BYTES = 4096  # the whole message plus its header could exceed NATS's maximum payload
SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message: its `sequence` in its stream, its `size` in bytes, its first 4 kB as text."""

    reason: str
    sequence: int
    size: int
    at: datetime
    head: str


async def put(client: Client, data: bytes, *, sequence: int, at: datetime, reason: str) -> None:
    """Stores a message; the same sequence is stored once."""
    letter = {
        "reason": reason,
        "sequence": sequence,
        "size": len(data),
        "at": at.isoformat(),
        "head": data[:HEAD_BYTES].decode("utf-8", "replace"),
    }
    await client.jetstream().publish(
        DEAD,
        json.dumps(letter).encode(),
        timeout=2,
        stream=DEAD_LETTERS,
        headers={Header.MSG_ID: f"{sequence}@{at.isoformat()}"},
    )


def count(connection: Connection) -> int:
    """Returns the number of dead letters."""

    async def work(client: Client) -> int:
        info = await client.jetstream().stream_info(DEAD_LETTERS)
        return info.state.messages

    return connection.run(work, SECONDS)


def newest(connection: Connection, limit: int = 20) -> list[DeadLetter]:
    """Returns the newest dead letters, newest first."""

    async def work(client: Client) -> list[DeadLetter]:
        js = client.jetstream()
        state = (await js.stream_info(DEAD_LETTERS)).state
        letters: list[DeadLetter] = []
        for sequence in range(state.last_seq, max(state.first_seq, 1) - 1, -1):
            if len(letters) == limit:
                break
            try:
                message = await js.get_msg(DEAD_LETTERS, sequence)
            except NotFoundError:
                continue  # dropped meanwhile by the full stream
            letters.append(_letter(message))
        return letters

    return connection.run(work, SECONDS)


def _letter(message: RawStreamMsg) -> DeadLetter:
    data = message.data or b""
    try:
        fields = json.loads(data)
        return DeadLetter(**fields | {"at": datetime.fromisoformat(fields["at"])})
    except (ValueError, TypeError, KeyError, RecursionError):
        # Any NATS client can write here; its message must not hide the others.
        head = data[:HEAD_BYTES].decode("utf-8", "replace")
        at = message.time or datetime.now(UTC)
        return DeadLetter("not written by KoinX", message.seq or 0, len(data), at, head)
