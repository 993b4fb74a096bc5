"""Claims a Redis for one home: tasks and queues have the same names in every home."""

import json
import sys

import redis

from settings.model import Settings
from settings.redis_tls import verifying

KEY = "koinx-database"  # holds the name of the home's database
HOME_KEY = "koinx-home"  # and the id that is kept in it: another MongoDB may have the same name
QUEUES = ("updates", "maintenance")
UNACKED = "unacked"  # Celery's tasks that a worker has taken, of whichever queue
SECONDS = 3
SHOWN = 8  # characters of an id
TAKE_OVER = (
    "python -m cli.migrate --take-over (with Compose: docker compose run --rm prepare "
    "python -m cli.migrate --take-over)"
)


class OtherHome(Exception):
    """A server works for the home of another database; the text says which, and what to do."""


def claim(
    url: str,
    database: str,
    home: str | None = None,
    *,
    take_over: bool = False,
    own: bool = False,
) -> None:
    """Claims the Redis at `url` for the home of `database`, for as long as its data is kept.

    `home` is the id kept in the database; without one, or where Redis has none from before, the
    names alone are compared. `take_over`: from whichever home has it, whose tasks that wait are
    dropped. `own`: it is this home's alone, so that it follows it into a new database of the name.
    Any number of hosts with the same database may. Raises OtherHome, or redis.RedisError.
    """
    seconds = {"socket_timeout": SECONDS, "socket_connect_timeout": SECONDS}
    with redis.Redis.from_url(verifying(url), **seconds) as server:
        if take_over:
            try:
                check(server.get(KEY), database, server.get(HOME_KEY), home)
            except OtherHome:
                _drop_tasks(server)  # first: what ends here is done again by the next try
                server.delete(HOME_KEY)
        server.set(KEY, database, nx=not take_over)
        check(server.get(KEY), database)
        if home is not None:
            server.set(HOME_KEY, home, nx=not (take_over or own))
            check(None, database, server.get(HOME_KEY), home)


def _drop_tasks(server: redis.Redis) -> None:
    server.delete(*QUEUES)
    # Another project may have the same Redis: its taken tasks are in the same hash.
    for tag, held in server.hgetall(UNACKED).items():
        if json.loads(held)[2] in QUEUES:
            server.hdel(UNACKED, tag)
            server.zrem(f"{UNACKED}_index", tag)


def claim_or_exit(settings: Settings, home: str | None) -> None:
    """Claims the Redis at a process's start; exits if another home has it.

    `home` is the id stored in the database, None if unknown. The worker claims a Redis that does
    not answer now once it does.
    """
    try:
        claim(settings.server("redis_url"), settings.database, home)
    except OtherHome as error:
        sys.exit(str(error))
    except redis.RedisError:
        pass


def check(owner: object, database: str, its_home: object = None, home: str | None = None) -> None:
    """Raises OtherHome if `claim` wrote `owner` or `its_home` for another database."""
    name, other = _text(owner), _text(its_home)
    if name not in (None, database):
        works_for, loser, user = name, database, name
    elif home and other not in (None, home):
        works_for = f"{database} in another MongoDB (home {other[:SHOWN]})"
        loser, user = f"{database} in this one (home {home[:SHOWN]})", "that home"
    else:
        return
    raise OtherHome(
        f"REDIS_URL names a Redis that works for {works_for}, and {loser} would take its tasks: "
        "give one of them another database number (such as redis://…/1) or another Redis; if "
        f"{user} is no longer used there, run {TAKE_OVER}"
    )


def _text(value: object) -> str | None:
    return value.decode(errors="replace") if isinstance(value, bytes) else None
