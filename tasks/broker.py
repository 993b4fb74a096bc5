"""Kombu's Redis channel, but for what it does once its connection is gone."""

from typing import Any

import redis
from kombu.transport.redis import Channel, Transport


class LostChannel(Channel):
    """Says that the connection is lost, as any other failure of it.

    A channel that was closed, as after a restart of Redis, is still asked to give back or
    acknowledge the tasks that were in hand. Kombu 5.7 then meets an AttributeError, which nobody
    takes for a lost connection: the worker ends, and its end takes a minute.
    """

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise redis.ConnectionError("the channel was closed when its connection was lost")
        return super()._connparams(asynchronous=asynchronous)  # type: ignore[misc]


def outlive_lost_connections() -> None:
    """Has every connection to the broker use such channels."""
    Transport.Channel = LostChannel
