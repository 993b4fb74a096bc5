"""Talks to Celery workers over Redis without importing any task."""

from collections.abc import Sequence
from typing import Any

from celery import Celery

from settings.redis_tls import verifying


class CeleryClient:
    """A Celery client for the Redis at `url`; each step there takes at most `timeout` seconds."""

    def __init__(self, url: str, timeout: float) -> None:
        self._app = Celery(broker=verifying(url), set_as_current=False)
        limits = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
        self._app.conf.update(
            broker_transport_options=limits | {"max_retries": 0},
            broker_connection_timeout=timeout,
            broker_connection_retry=False,
            task_ignore_result=True,
        )

    def ping(self, nodes: Sequence[str] | None = None, timeout: float = 1) -> list[Any]:
        """Returns the first answer of these workers, or of any; [] if none answers in time."""
        with self._app.connection_for_write() as connection:
            answers: list[Any] | None = self._app.control.ping(
                destination=nodes, timeout=timeout, limit=1, connection=connection
            )
        return answers or []

    def queue_length(self, node: str, timeout: float = 1) -> int | None:
        """Counts the messages in a worker's queues; None if the worker does not answer in time."""
        with self._app.connection_for_write() as connection:
            inspect = self._app.control.inspect(
                [node], timeout=timeout, limit=1, connection=connection
            )
            if not (answers := inspect.active_queues()):
                return None
            channel: Any = connection.default_channel
            return sum(int(channel.client.llen(queue["name"])) for queue in answers[node])

    def send(self, task: str, queue: str, expires: float) -> str:
        """Sends a task without arguments, to be started within `expires` s; returns its id."""
        with self._app.connection_for_write() as connection:
            sent = self._app.send_task(
                task, queue=queue, expires=expires, connection=connection, retry=False
            )
        return str(sent.id)
