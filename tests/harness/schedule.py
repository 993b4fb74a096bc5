"""Tasks on a schedule of which no slot begins meanwhile."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from nats.aio.client import Client

from bridge.connection import Connection
from bridge.events import UpdateRequested
from bridge.streams import EVENTS
from market.schedule.slots import Schedule
from tasks.dependencies import Services
from tests.harness.worker import in_a_worker

# Slots so long that none begins while the tests run.
YEARLY = Schedule("0 0 1 1 *")


CURRENT = YEARLY.current(datetime.now(UTC))


@pytest.fixture
def on(environment: None, database: object, connection: Connection) -> Iterator[Services]:
    with in_a_worker() as made:
        made.schedule = YEARLY
        yield made


def events(connection: Connection) -> list[UpdateRequested]:
    """Every event in the stream."""

    async def work(client: Client) -> list[UpdateRequested]:
        js = client.jetstream()
        last = (await js.stream_info(EVENTS)).state.last_seq
        messages = [await js.get_msg(EVENTS, sequence) for sequence in range(1, last + 1)]
        return [UpdateRequested.decode(message.data or b"") for message in messages]

    return connection.run(work, 5)


def name(slots_ago: int) -> str:
    return YEARLY.name(YEARLY.earlier(CURRENT, slots_ago))


def call(task: Any, **arguments: object) -> Any:
    """What a task returns, run here as a worker runs it."""
    return task.apply(kwargs=arguments, throw=True).get()
