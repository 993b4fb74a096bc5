"""The Celery client where no worker is; tests/e2e/test_operating.py has one."""

import json

import pytest
import redis as redis_client
from kombu.exceptions import OperationalError

from bench.harness.services import free_port
from supervisor.celery_client import CeleryClient


def test_a_task_waits_in_its_queue_while_no_worker_answers(redis: str) -> None:
    client = CeleryClient(redis, 2)
    assert client.ping(timeout=0.1) == []
    name = client.send("some.task", "some-queue", expires=5)
    with redis_client.Redis.from_url(redis) as client:
        [message] = client.lrange("some-queue", 0, -1)
    headers = json.loads(message)["headers"]
    assert (headers["id"], headers["task"]) == (name, "some.task")
    assert headers["expires"] is not None


def test_a_redis_that_is_not_there_is_an_error() -> None:
    client = CeleryClient(f"redis://127.0.0.1:{free_port()}/0", 1)
    with pytest.raises(OperationalError):
        client.ping()
    with pytest.raises(OperationalError):
        client.send("some.task", "some-queue", 5)
