"""Which home a Redis works for: tasks and their queues have the same names in every home."""

import json
import sys

import redis

from settings.model import Settings
from settings.redis_tls import verifying

KEY = "koinx-database"  # holds the name of the home's database
QUEUES = ("updates", "maintenance")
UNACKED = "unacked"  # Celery's tasks that a worker has taken, of whichever queue
SECONDS = 3
TAKE_OVER = (
    "python -m cli.migrate --take-over (with Compose: docker compose run --rm prepare "
    "python -m cli.migrate --take-over)"
)


class OtherHome(Exception):
    """A server works for the home of another database; says which, and what to do."""


def claim(url: str, database: str, *, take_over: bool = False) -> None:
    """Take the Redis at `url` for the home of `database`, for as long as its data is kept.

    `take_over`: from whichever home has it, whose tasks that wait are dropped.
    Any number of hosts with the same database may. Raises OtherHome, or redis.RedisError.
    """
    seconds = {"socket_timeout": SECONDS, "socket_connect_timeout": SECONDS}
    with redis.Redis.from_url(verifying(url), **seconds) as server:
        if take_over and server.get(KEY) not in (None, database.encode()):
            _drop_tasks(server)  # first: what ends here is done again by the next try
        server.set(KEY, database, nx=not take_over)
        check(server.get(KEY), database)


def _drop_tasks(server: redis.Redis) -> None:
    server.delete(*QUEUES)
    # Another project may have the same Redis: its taken tasks are in the same hash.
    for tag, held in server.hgetall(UNACKED).items():
        if json.loads(held)[2] in QUEUES:
            server.hdel(UNACKED, tag)
            server.zrem(f"{UNACKED}_index", tag)


def claim_or_exit(settings: Settings) -> None:
    """Claim its Redis for a process's own start, which ends here if another home has it.

    A Redis that does not answer is claimed later, by the worker.
    """
    try:
        claim(settings.server("redis_url"), settings.database)
    except OtherHome as error:
        sys.exit(str(error))
    except redis.RedisError:
        pass


def check(owner: object, database: str) -> None:
    """Raise OtherHome if `owner` is what `claim` wrote for another database."""
    name = owner.decode(errors="replace") if isinstance(owner, bytes) else None
    if name not in (None, database):
        raise OtherHome(
            f"REDIS_URL names a Redis that works for {name}, and {database} would take its tasks: "
            "give one of them another database number (such as redis://…/1) or another Redis; if "
            f"{name} is no longer used there, run {TAKE_OVER}"
        )
