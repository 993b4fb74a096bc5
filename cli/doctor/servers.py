"""Checks that MongoDB, NATS and Redis answer, and fit KoinX."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import redis
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError
from nats.js.errors import NotFoundError
from pymongo import MongoClient
from pymongo.errors import ConfigurationError, InvalidURI, OperationFailure, PyMongoError

from bridge.connection import Connection, NotConnected
from bridge.streams import EVENTS
from cli.doctor.clock import compare
from cli.doctor.finding import Check, Finding, problem
from logs.redaction import plain, without_credentials
from settings import Settings
from settings.disk_space import Server
from settings.home_claim import HOME_KEY, KEY, SHOWN, TAKE_OVER, OtherHome, check
from supervisor.control import Overview
from supervisor.embedded import servers
from supervisor.embedded.mongod import mongod, why_unavailable

TIMEOUT = 2.0
NATS_TIMEOUT = 5.0  # to connect, and for two questions
OLDEST_MONGODB = (5, 3)  # the first with clustered collections
REFUSED, FORBIDDEN, ATLAS_REFUSED = 18, 13, 8000


def checks(
    settings: Settings, in_force: Settings, overview: Overview, *, runs: bool
) -> list[Check]:
    """Returns a check for each server: the user's own, and embedded ones that are running.

    `in_force` also has the addresses of the embedded ones.
    """
    ask: dict[Server, Callable[[Settings, str], list[Finding]]] = {
        "mongodb": _mongodb,
        "nats": lambda chosen, url: _nats(chosen, url, in_force.database, _home(in_force)),
        "redis": lambda chosen, url: _redis(chosen, url, in_force.database, _home(in_force)),
    }
    found: list[Check] = []
    for name, function in ask.items():
        own = name not in servers.embedded(settings)
        process = overview.get(name)
        secret = getattr(in_force, servers.EMBEDDED[name])
        if secret is not None and (process["pid"] if process else own):
            url = secret.get_secret_value()
            found.append(lambda f=function, u=url: f(settings, u))  # type: ignore[misc]
        elif runs:
            state = process["state"] if process else "not started"
            found.append(lambda n=name, s=state: [_stopped(n, s)])  # type: ignore[misc]
        else:
            found.append(lambda n=name: _program(n, settings))  # type: ignore[misc]
    return found


def shown(url: str) -> str:
    """Returns an address without the secrets that it may contain."""
    return without_credentials(url).partition("?")[0]


def _stopped(name: str, state: str) -> Finding:
    cure = f"./koinx start {name}" + ("; ./koinx logs " + name if state == "failed" else "")
    return problem(name, f"is {state}", cure)


def _program(name: Server, settings: Settings) -> list[Finding]:
    try:
        servers.spec(name, settings, 0, "")
    except servers.ServerMissingError as error:
        what, _, cure = str(error).rpartition(": ")
        return [problem(name, what, cure)]
    return [Finding(name, "idle", "embedded, not running: ./koinx up")]


def _mongodb(settings: Settings, url: str) -> list[Finding]:
    own = settings.mongodb_uri is not None
    ms = int(TIMEOUT * 1000)
    try:
        client: MongoClient[dict[str, Any]] = MongoClient(
            url,
            serverSelectionTimeoutMS=ms,
            connectTimeoutMS=ms,
            socketTimeoutMS=ms,
        )
    except (InvalidURI, ConfigurationError, ValueError) as error:
        return [
            problem(
                "mongodb",
                f"{shown(url)} is not a valid address: {plain(error)}",
                "correct MONGODB_URI",
            )
        ]
    try:
        with client:
            asked = datetime.now(UTC)
            hello = client.admin.command("hello")
            clock = compare("MongoDB", hello["localTime"].replace(tzinfo=UTC), asked)
            info = client.server_info()
            client[settings.database].command(
                "listCollections", nameOnly=True, authorizedCollections=True
            )
    except OperationFailure as error:
        return [_not_allowed(url, error, settings.database, own=own)]
    except PyMongoError as error:
        return [_silent("mongodb", url, error, own=own)]
    return _judged(hello, info, shown(url), own=own) or [
        Finding("mongodb", "ok", _described(hello, info, shown(url))),
        *_stand_in(own=own),
        clock,
    ]


def _stand_in(*, own: bool) -> list[Finding]:
    """Returns a note if SecantusDB replaces a mongod that does not run here."""
    if own or mongod():
        return []
    return [
        Finding(
            "mongodb", "note", f"SecantusDB is used instead, and is far slower. {why_unavailable()}"
        )
    ]


def _described(hello: dict[str, Any], info: dict[str, Any], where: str) -> str:
    replica_set = f", replica set {hello['setName']}" if "setName" in hello else ""
    return f"{info['version']} at {where}{replica_set}"


def _judged(hello: dict[str, Any], info: dict[str, Any], where: str, *, own: bool) -> list[Finding]:
    """Returns what is wrong with a MongoDB that answers."""
    version = tuple(info["versionArray"][:2])
    text = f"{info['version']} at {where}"
    if version < OLDEST_MONGODB:
        return [
            problem("mongodb", text, "install 6.0 or later: older ones lack clustered collections")
        ]
    if "setName" not in hello and hello.get("msg") != "isdbgrid" and own:
        return [
            problem(
                "mongodb",
                f"{text} is not a replica set",
                "start it with --replSet koinx, then run rs.initiate(): one member is enough",
            )
        ]
    if not hello.get("isWritablePrimary"):
        cure = "name all members, or replicaSet=NAME, in MONGODB_URI; ./koinx logs mongodb"
        return [problem("mongodb", f"{text} accepts no writes: it is not a primary", cure)]
    return []


def _not_allowed(url: str, error: OperationFailure, database: str, *, own: bool) -> Finding:
    if error.code in (REFUSED, ATLAS_REFUSED):
        text = "rejects the user or the password"
        cure = "correct them in MONGODB_URI" if own else "./koinx restart mongodb"
    elif error.code == FORBIDDEN:
        text, cure = (
            f"does not allow access to {database}",
            f"give the user readWrite on {database}",
        )
    else:
        text, cure = f"rejects a command (code {error.code})", "see the server's log"
    return problem("mongodb", f"{shown(url)} {text}", cure)


def _home(in_force: Settings) -> str | None:
    """The id that `market.storage.home` keeps in the database; None where it is not to be had."""
    uri, ms = in_force.mongodb_uri, int(TIMEOUT * 1000)
    if uri is None:
        return None
    with suppress(PyMongoError, ValueError):
        client: MongoClient[dict[str, Any]] = MongoClient(
            uri.get_secret_value(), timeoutMS=ms, serverSelectionTimeoutMS=ms
        )
        with client:
            found = client[in_force.database]["home"].find_one({"_id": "home"})
        return None if found is None else str(found["id"])
    return None


def _nats(settings: Settings, url: str, database: str, home: str | None = None) -> list[Finding]:
    own = settings.nats_url is not None
    connection = Connection(url, "koinx-doctor")
    try:
        return [
            connection.run(
                lambda client: _ask_jetstream(client, url, database, home, own=own), NATS_TIMEOUT
            )
        ]
    except (NotConnected, TimeoutError, ValueError) as error:
        if "authorization" in plain(error).lower():
            yours = "correct the user, the password or the token in NATS_URL"
            cure = yours if own else "./koinx restart nats"
            return [problem("nats", f"{shown(url)} rejects the login", cure)]
        return [_silent("nats", url, error, own=own)]
    finally:
        connection.close()


async def _ask_jetstream(
    client: Client, url: str, database: str, home: str | None, *, own: bool
) -> Finding:
    found = client.connected_server_version
    version = f"{found.major}.{found.minor}.{found.patch} at {shown(url)}"
    try:
        stream = client.jetstream(timeout=TIMEOUT)
        account = await stream.account_info()
        marks = await _marks(stream)
    except (JetStreamError, NatsError, TimeoutError):
        cure = (
            "start it with -js, or with jetstream {} in its configuration"
            if own
            else "./koinx restart nats; ./koinx logs nats"
        )
        return problem("nats", f"{version} offers no JetStream", cure)
    owner, its_home = marks.get(KEY), marks.get(HOME_KEY)
    if owner not in (None, database):
        return _others_nats(f"{version} works for {owner}, not for {database}", owner)
    if home and its_home and its_home != home:
        text = (
            f"{version} works for {database} in another MongoDB (home {its_home[:SHOWN]}), not for "
            f"{database} in this one (home {home[:SHOWN]})"
        )
        return _others_nats(text, "that home")
    return Finding("nats", "ok", f"{version}, JetStream with {account.streams} streams")


def _others_nats(text: str, owner: str | None) -> Finding:
    cure = (
        "give one of them another account or another NATS in NATS_URL; if "
        f"{owner} is no longer used there, run {TAKE_OVER}"
    )
    return problem("nats", text, cure)


async def _marks(stream: JetStreamContext) -> dict[str, str]:
    """Which home the stream of events works for, as `bridge.streams` marks it."""
    with suppress(NotFoundError):
        return (await stream.stream_info(EVENTS)).config.metadata or {}
    return {}


def _redis(settings: Settings, url: str, database: str, home: str | None = None) -> list[Finding]:
    try:
        with redis.Redis.from_url(
            url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT
        ) as client:
            check(client.get(KEY), database, client.get(HOME_KEY), home)
            info: dict[str, Any] = client.info()
            asked = datetime.now(UTC)
            seconds, _ = client.time()
            clock = compare("Redis", datetime.fromtimestamp(seconds, UTC), asked)
    except OtherHome as error:
        what, _, cure = str(error).partition(": ")
        return [problem("redis", what, cure)]
    except (redis.AuthenticationError, redis.exceptions.NoPermissionError):
        own = settings.redis_url is not None
        cure = "correct the password in REDIS_URL" if own else "./koinx restart redis"
        return [problem("redis", f"{shown(url)} rejects the login", cure)]
    except redis.RedisError as error:
        return [_silent("redis", url, error, own=settings.redis_url is not None)]
    version = info.get("valkey_version") or info["redis_version"]
    text = f"{version} at {shown(url)}"
    if info.get("maxmemory") and info.get("maxmemory_policy") != "noeviction":
        text += f" may discard tasks: its maxmemory-policy is {info['maxmemory_policy']}"
        return [problem("redis", text, "set maxmemory-policy to noeviction")]
    return [Finding("redis", "ok", text), clock]


def _silent(name: Server, url: str, error: Exception, *, own: bool) -> Finding:
    # Only the type: a message may contain an address with a password.
    text = f"{shown(url)} does not answer ({type(error.__cause__ or error).__name__})"
    setting = servers.EMBEDDED[name].upper()
    yours = f"start it, make it reachable from this machine, or correct {setting}"
    return problem(name, text, yours if own else f"./koinx restart {name}; ./koinx logs {name}")
