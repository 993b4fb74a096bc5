"""Replaces what Kombu's Redis transport does once its connection is lost."""

from typing import Any

import redis
from celery.app.amqp import AMQP
from kombu import Connection
from kombu.transport.redis import Channel, Transport

RETRY_SECONDS = 1.0  # between two attempts to connect


class LostChannel(Channel):
    """Reports a lost connection as such.

    A channel that was closed, as after a restart of Redis, is still asked to return or acknowledge
    the current tasks. Kombu 5.7 then raises an AttributeError, which nobody takes for a lost
    connection: the worker ends, and its end takes a minute.
    """

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise redis.ConnectionError("the channel was closed when its connection was lost")
        return super()._connparams(asynchronous=asynchronous)  # type: ignore[misc]


class PromptConnection(Connection):
    """Reconnects each second, for as long as it takes.

    Kombu's own pauses grow by 2 s to 30 s, and Celery has no setting for them: a Redis that came
    back just after an attempt was found up to half a minute later.
    """

    def ensure_connection(self, *arguments: Any, **options: Any) -> Any:
        """Connects as Celery's worker and beat ask, which set no pauses."""
        pauses = {"interval_start": RETRY_SECONDS, "interval_step": 0}
        return super().ensure_connection(*arguments, **pauses | options)


def install() -> None:
    """Makes all of Celery use these connections and channels."""
    AMQP.Connection = PromptConnection
    Transport.Channel = LostChannel
