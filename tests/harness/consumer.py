"""A consumer of `crypto.update` whose messages a test handles."""

from collections.abc import Iterator
from contextlib import contextmanager

from nats.aio.client import Client

from bridge.connection import Connection
from bridge.consumer import Consumer, Delivery, Handler
from bridge.streams import CONSUMER, EVENTS


class Handled:
    """A handler that remembers what it was given."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []

    def __call__(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)

    @property
    def ids(self) -> list[str | None]:
        return [delivery.event.id for delivery in self.deliveries]


@contextmanager
def consuming(connection: Connection, handler: Handler) -> Iterator[Consumer]:
    consumer = Consumer(connection, handler)
    consumer.start()
    try:
        yield consumer
    finally:
        consumer.stop()


def left(connection: Connection) -> tuple[int, int]:
    """How many events are in the stream, and how many of them are out for acknowledgement."""

    async def work(client: Client) -> tuple[int, int]:
        js = client.jetstream()
        messages = (await js.stream_info(EVENTS)).state.messages
        return messages, (await js.consumer_info(EVENTS, CONSUMER)).num_ack_pending or 0

    return connection.run(work, 5)
