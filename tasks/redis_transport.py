"""Kombu's Redis connection, but for what it does once that is gone."""

from typing import Any

import redis
from celery.app.amqp import AMQP
from kombu import Connection
from kombu.transport.redis import Channel, Transport

AGAIN_SECONDS = 1.0  # between two tries to connect


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


class PromptConnection(Connection):
    """Tries to connect again each second, for as long as it takes.

    Kombu's own pauses grow by 2 s to 30 s, and Celery has no setting for them: a Redis that came
    back just after a try was found up to half a minute later.
    """

    def ensure_connection(self, *arguments: Any, **options: Any) -> Any:
        """As Celery's worker and beat call it, which name no pauses."""
        pauses = {"interval_start": AGAIN_SECONDS, "interval_step": 0}
        return super().ensure_connection(*arguments, **pauses | options)


def outlive_lost_connections() -> None:
    """Has all of Celery use such connections and channels."""
    AMQP.Connection = PromptConnection
    Transport.Channel = LostChannel
