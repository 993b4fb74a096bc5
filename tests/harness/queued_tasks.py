"""The tasks that wait in Redis."""

import json

import redis as redis_client


def tasks(redis: str) -> list[str]:
    """The ids of the updates whose tasks wait in Redis."""
    with redis_client.Redis.from_url(redis) as client:
        waiting = [json.loads(message) for message in client.lrange("updates", 0, -1)]
    assert {one["headers"]["task"] for one in waiting} <= {"tasks.ingest.ingest"}
    assert all(one["headers"]["ignore_result"] for one in waiting)  # a result opens a connection
    return [one["headers"]["argsrepr"].strip("(),'") for one in reversed(waiting)]
