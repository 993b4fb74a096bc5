"""Whether the three servers answer, and are such as the system needs."""

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
from cli.doctor.finding import Check, Finding, fault
from logs.redaction import plain, without_credentials
from settings import Settings
from settings.disk_space import Server
from settings.home_claim import HOME_KEY, KEY, SHOWN, TAKE_OVER, OtherHome, check
from supervisor.control import Overview
from supervisor.embedded import servers
from supervisor.embedded.mongod import mongod, why_unavailable

SECONDS = 2.0
NATS_SECONDS = 5.0  # to connect, and for two questions
OLDEST_MONGODB = (5, 3)  # the first with clustered collections
REFUSED, FORBIDDEN, ATLAS_REFUSED = 18, 13, 8000


def checks(
    settings: Settings, in_force: Settings, overview: Overview, *, runs: bool
) -> list[Check]:
    """One for each server: the embedded ones only where they run, the user's own in any case.

    `in_force` has the addresses of the embedded ones too.
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
    """An address without the secrets that may be in it."""
    return without_credentials(url).partition("?")[0]


def _stopped(name: str, state: str) -> Finding:
    cure = f"./koinx start {name}" + ("; ./koinx logs " + name if state == "failed" else "")
    return fault(name, f"is {state}", cure)


def _program(name: Server, settings: Settings) -> list[Finding]:
    try:
        servers.spec(name, settings, 0, "")
    except servers.ServerMissingError as error:
        problem, _, cure = str(error).rpartition(": ")
        return [fault(name, problem, cure)]
    return [Finding(name, "idle", "embedded, does not run: ./koinx up starts it")]


def _mongodb(settings: Settings, url: str) -> list[Finding]:
    own = settings.mongodb_uri is not None
    ms = int(SECONDS * 1000)
    try:
        client: MongoClient[dict[str, Any]] = MongoClient(
            url,
            serverSelectionTimeoutMS=ms,
            connectTimeoutMS=ms,
            socketTimeoutMS=ms,
        )
    except (InvalidURI, ConfigurationError, ValueError) as error:
        return [fault("mongodb", f"{shown(url)} is no address: {plain(error)}", "mend MONGODB_URI")]
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
    """A note where no mongod runs and SecantusDB stands in."""
    if own or mongod():
        return []
    return [Finding("mongodb", "note", f"SecantusDB stands in, far slower. {why_unavailable()}")]


def _described(hello: dict[str, Any], info: dict[str, Any], where: str) -> str:
    replica_set = f", replica set {hello['setName']}" if "setName" in hello else ""
    return f"{info['version']} at {where}{replica_set}"


def _judged(hello: dict[str, Any], info: dict[str, Any], where: str, *, own: bool) -> list[Finding]:
    """What is wrong with a MongoDB that answers; [] if nothing is."""
    version = tuple(info["versionArray"][:2])
    text = f"{info['version']} at {where}"
    if version < OLDEST_MONGODB:
        return [
            fault("mongodb", text, "install 6.0 or later: older ones lack clustered collections")
        ]
    if "setName" not in hello and hello.get("msg") != "isdbgrid" and own:
        return [
            fault(
                "mongodb",
                f"{text} is no replica set",
                "start it with --replSet koinx, then call rs.initiate() in mongosh; one is enough",
            )
        ]
    if not hello.get("isWritablePrimary"):
        cure = "name all members, or replicaSet=NAME, in MONGODB_URI; ./koinx logs mongodb"
        return [fault("mongodb", f"{text} takes no writes: it is no primary", cure)]
    return []


def _not_allowed(url: str, error: OperationFailure, database: str, *, own: bool) -> Finding:
    if error.code in (REFUSED, ATLAS_REFUSED):
        text = "refuses the user or the password"
        cure = "mend them in MONGODB_URI" if own else "./koinx restart mongodb"
    elif error.code == FORBIDDEN:
        text, cure = f"does not let us use {database}", f"give the user readWrite on {database}"
    else:
        text, cure = f"refuses a question (code {error.code})", "its own log says more"
    return fault("mongodb", f"{shown(url)} {text}", cure)


def _home(in_force: Settings) -> str | None:
    """The id that `market.storage.home` keeps in the database; None where it is not to be had."""
    uri, ms = in_force.mongodb_uri, int(SECONDS * 1000)
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
                lambda client: _ask_jetstream(client, url, database, home, own=own), NATS_SECONDS
            )
        ]
    except (NotConnected, TimeoutError, ValueError) as error:
        if "authorization" in plain(error).lower():
            yours = "mend the user, the password or the token in NATS_URL"
            cure = yours if own else "./koinx restart nats"
            return [fault("nats", f"{shown(url)} refuses us", cure)]
        return [_silent("nats", url, error, own=own)]
    finally:
        connection.close()


async def _ask_jetstream(
    client: Client, url: str, database: str, home: str | None, *, own: bool
) -> Finding:
    found = client.connected_server_version
    version = f"{found.major}.{found.minor}.{found.patch} at {shown(url)}"
    try:
        stream = client.jetstream(timeout=SECONDS)
        account = await stream.account_info()
        marks = await _marks(stream)
    except (JetStreamError, NatsError, TimeoutError):
        cure = (
            "start it with -js, or with jetstream {} in its configuration"
            if own
            else "./koinx restart nats; ./koinx logs nats"
        )
        return fault("nats", f"{version} has no JetStream for us", cure)
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
    return fault("nats", text, cure)


async def _marks(stream: JetStreamContext) -> dict[str, str]:
    """Which home the stream of events works for, as `bridge.streams` marks it."""
    with suppress(NotFoundError):
        return (await stream.stream_info(EVENTS)).config.metadata or {}
    return {}


def _redis(settings: Settings, url: str, database: str, home: str | None = None) -> list[Finding]:
    try:
        with redis.Redis.from_url(
            url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS
        ) as client:
            check(client.get(KEY), database, client.get(HOME_KEY), home)
            info: dict[str, Any] = client.info()
            asked = datetime.now(UTC)
            seconds, _ = client.time()
            clock = compare("Redis", datetime.fromtimestamp(seconds, UTC), asked)
    except OtherHome as error:
        problem, _, cure = str(error).partition(": ")
        return [fault("redis", problem, cure)]
    except (redis.AuthenticationError, redis.exceptions.NoPermissionError):
        own = settings.redis_url is not None
        cure = "mend the password in REDIS_URL" if own else "./koinx restart redis"
        return [fault("redis", f"{shown(url)} refuses us", cure)]
    except redis.RedisError as error:
        return [_silent("redis", url, error, own=settings.redis_url is not None)]
    version = info.get("valkey_version") or info["redis_version"]
    text = f"{version} at {shown(url)}"
    if info.get("maxmemory") and info.get("maxmemory_policy") != "noeviction":
        text += f" may throw tasks away: its maxmemory-policy is {info['maxmemory_policy']}"
        return [fault("redis", text, "set maxmemory-policy to noeviction")]
    return [Finding("redis", "ok", text), clock]


def _silent(name: Server, url: str, error: Exception, *, own: bool) -> Finding:
    # Only the kind: an address in a message may carry a password.
    text = f"{shown(url)} does not answer ({type(error.__cause__ or error).__name__})"
    setting = servers.EMBEDDED[name].upper()
    yours = f"start it, let this machine reach it, or mend {setting}"
    return fault(name, text, yours if own else f"./koinx restart {name}; ./koinx logs {name}")
