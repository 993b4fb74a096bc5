"""Celery's side of Redis, for those that have no task: workers are asked, a task is sent."""

from collections.abc import Sequence
from typing import Any

from celery import Celery

from settings.redis_tls import verifying


class Broker:
    """Talks to workers over the Redis at `url`; each step there takes `seconds` at most."""

    def __init__(self, url: str, seconds: float) -> None:
        self._app = Celery(broker=verifying(url), set_as_current=False)
        limits = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
        self._app.conf.update(
            broker_transport_options=limits | {"max_retries": 0},
            broker_connection_timeout=seconds,
            broker_connection_retry=False,
            task_ignore_result=True,
        )

    def ping(self, nodes: Sequence[str] | None = None, within: float = 1) -> list[Any]:
        """The first answer that comes `within` seconds, of these workers or of any; [] if none."""
        with self._app.connection_for_write() as connection:
            answers: list[Any] | None = self._app.control.ping(
                destination=nodes, timeout=within, limit=1, connection=connection
            )
        return answers or []

    def waiting(self, node: str, within: float = 1) -> int | None:
        """How many messages wait in the queues that a worker takes tasks from; None if it does not
        answer `within` seconds."""
        with self._app.connection_for_write() as connection:
            inspect = self._app.control.inspect(
                [node], timeout=within, limit=1, connection=connection
            )
            if not (answers := inspect.active_queues()):
                return None
            channel: Any = connection.default_channel
            return sum(int(channel.client.llen(queue["name"])) for queue in answers[node])

    def send(self, task: str, queue: str, expires: float) -> str:
        """Sends a task without arguments, and returns its id; nobody starts it after `expires`
        seconds."""
        with self._app.connection_for_write() as connection:
            sent = self._app.send_task(
                task, queue=queue, expires=expires, connection=connection, retry=False
            )
        return str(sent.id)
