"""Plans the processes: which ones given settings need, and how each is started."""

import hashlib
import socket
import sys
from collections.abc import Callable
from dataclasses import replace

from settings import Settings
from settings.open_files import connections
from supervisor.embedded import servers
from supervisor.health_checks import Probe
from supervisor.process_spec import ProcessSpec

NAMES = ("mongodb", "nats", "redis", "market", "api", "worker", "beat", "dashboard")
OTHER_LOGS = ("prepare", "supervisor")  # they have a log, but `status` does not list them
SERVERS = ("mongodb", "nats", "redis", "market")
NEEDY = ("api", "worker", "beat")
API_KEY_FILE = "api_key"
# Prefixes of settings. A process does not get those that it does not read, so that a change of them
# does not restart it.
WEB = ("API_", "DASH_", "LOCAL_")
SIMULATOR = ("SIMULATOR_",)
BACKEND = ("MONGODB_", "NATS_", "REDIS_", "COINGECKO_")
WORKER = ("WEBHOOK_",)
# A page's files take megabytes, and glibc keeps freed memory: in one arena per thread, and in
# larger blocks the more it has seen. So: few arenas, and large blocks go back at once.
SAVE_MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "131072"}


def names(settings: Settings) -> list[str]:
    """Returns the processes that these settings need, in the order in which `status` shows them."""
    embedded = servers.embedded(settings)
    return [
        name
        for name in NAMES
        if (name in embedded or name not in servers.EMBEDDED)
        and (name != "market" or settings.market != "live")
    ]


def needs(name: str, settings: Settings) -> list[str]:
    """Returns the processes that this one needs in order to run."""
    if name not in NEEDY:
        return []
    return [server for server in names(settings) if server in SERVERS]


def resolved(
    settings: Settings, port: Callable[[str], int], secret: Callable[[str], str]
) -> dict[str, str]:
    """Returns the settings as environment variables, with the embedded servers' addresses.

    `port` and `secret` return the stored ones of a name.
    """
    environment = settings.environment()
    environment.setdefault("API_KEY", secret(API_KEY_FILE))
    for name in servers.embedded(settings):
        address = servers.url(name, port(name), secret(servers.password_file(name)))
        environment[servers.EMBEDDED[name].upper()] = address
    if settings.market != "live":
        environment["COINGECKO_API_URL"] = f"http://{servers.HOST}:{port('market')}/api/v3"
        environment["COINPAPRIKA_API_URL"] = f"http://{servers.HOST}:{port('market')}/v1"
        # The key is only for CoinGecko itself.
        environment.pop("COINGECKO_API_KEY", None)
        environment.pop("COINGECKO_PLAN", None)
    return environment


def plan(
    settings: Settings, port: Callable[[str], int], secret: Callable[[str], str]
) -> dict[str, ProcessSpec]:
    """Returns all specs by name; raises ServerMissingError if a server's program is missing."""
    environment = resolved(settings, port, secret)
    wanted = names(settings)
    specs = [
        servers.spec(name, settings, port(name), secret(servers.password_file(name)))
        for name in servers.embedded(settings)
    ]
    if "market" in wanted:
        specs.append(_market(settings, port("market"), environment["API_KEY"]))
    first = tuple(name for name in SERVERS if name in wanted)
    specs += [
        _prepare(settings, environment, first),
        _api(settings, environment, (*first, "prepare")),
        _worker(settings, environment, (*first, "prepare")),
        _beat(settings, environment, (*first, "prepare")),
        _dashboard(settings, environment),
    ]
    return {spec.name: spec for spec in specs}


def local_url(host: str, port: int) -> str:
    """Returns the URL at which this machine reaches a server that listens on `host`."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"http://{host}:{port}"


def node_name(settings: Settings) -> str:
    """Returns the worker's node name, which is unique per home and host on a shared Redis."""
    digest = hashlib.sha256(str(settings.koinx_home).encode()).hexdigest()[:8]
    return f"koinx-{digest}@{socket.gethostname()}"


def _environment(values: dict[str, str], *without: str) -> dict[str, str]:
    kept = {name: value for name, value in values.items() if not name.startswith(without or ("-",))}
    return kept | {"KOINX_ENV_FILE": "", "PYTHONUNBUFFERED": "1"}


def _python(*arguments: object) -> tuple[str, ...]:
    # `-m` rather than the scripts in bin/: those contain the path at which they were installed.
    return (sys.executable, "-m", *map(str, arguments))


def _celery(*arguments: object) -> tuple[str, ...]:
    # Quiet: on a full disk it could not write its banner, and would not start.
    return _python("celery", "-A", "tasks", "--quiet", *arguments)


def _market(settings: Settings, port: int, key: str) -> ProcessSpec:
    replay = settings.simulator_replay
    url = f"http://{servers.HOST}:{port}"
    return ProcessSpec(
        name="market",
        command=_python(
            *("simulator", "--port", port, "--seed", settings.simulator_seed),
            *("--coins", settings.simulator_coins),
            *(("--replay", replay) if replay and settings.market == "replay" else ()),
        ),
        environment=_environment({"API_KEY": key}),
        probe=Probe("http", f"{url}/ping"),
        url=url,
        address=(servers.HOST, port),
        port_is_movable=True,
        stage=3,
    )


def _prepare(
    settings: Settings, environment: dict[str, str], needs: tuple[str, ...]
) -> ProcessSpec:
    embedded = servers.embedded(settings)
    own = (f"--own={name}" for name in ("nats", "redis") if name in embedded)
    return ProcessSpec(
        name="prepare",
        command=_python("cli.migrate", *own),
        environment=_environment(environment, *WEB, *SIMULATOR, *WORKER),
        needs=needs,
        stuck_after=60,
        oneshot=True,
    )


def _granian(name: str, address: tuple[str, int], app: str, *options: object) -> ProcessSpec:
    host, port = address
    url = local_url(host, port)
    return ProcessSpec(
        name=name,
        command=_python(
            *("granian", "--interface", "wsgi", "--host", host, "--port", port, *options),
            # A client that opens a connection and sends nothing holds one of 4096 slots for 5 s.
            *("--http", 1, "--backpressure", connections(), "--http1-header-read-timeout", 5000),
            *("--http1-buffer-size", 65_536, "--log-config", "logs/granian.json"),
            *("--respawn-failed-workers", "--respawn-interval", 0.5, "--no-ws", app),
        ),
        probe=Probe("http", f"{url}/health"),
        url=url,
        address=address,
    )


def _api(settings: Settings, environment: dict[str, str], needs: tuple[str, ...]) -> ProcessSpec:
    # Enough threads for all requests and listeners of a process, and some left for /health.
    options = ("--workers", settings.api_workers, "--blocking-threads", 512)
    address = (settings.api_host, settings.api_port)
    return replace(
        _granian("api", address, "api.wsgi:app", *options, "--workers-kill-timeout", 10),
        environment=_environment(environment, "DASH_", *SIMULATOR, *WORKER),
        needs=needs,
        stage=2,
        stop_timeout=15,
    )


def _worker(settings: Settings, environment: dict[str, str], needs: tuple[str, ...]) -> ProcessSpec:
    node = node_name(settings)
    return ProcessSpec(
        name="worker",
        command=_celery(
            *("worker", "-Q", "updates,maintenance"),
            *("--concurrency", 3, "--without-gossip", "--without-mingle"),
            *("-n", node.partition("@")[0] + "@%h", "-l", "INFO"),
        ),
        environment=_environment(environment, *WEB, *SIMULATOR),
        probe=Probe(
            "worker",
            f"{node} {environment['REDIS_URL']} {settings.run_folder / 'worker.json'}",
            interval=5,
        ),
        needs=needs,
        stage=1,
        stop_timeout=35,
        stuck_after=30,
    )


def _beat(settings: Settings, environment: dict[str, str], needs: tuple[str, ...]) -> ProcessSpec:
    return ProcessSpec(
        name="beat",
        command=_celery("beat", "-l", "INFO"),
        environment=_environment(environment, *WEB, *SIMULATOR, *WORKER),
        probe=Probe("heartbeat", str(settings.run_folder / "beat.json"), interval=1),
        needs=needs,
        stuck_after=30,
    )


def _dashboard(settings: Settings, environment: dict[str, str]) -> ProcessSpec:
    options = ("--workers", 1, "--blocking-threads", 32, "--workers-kill-timeout", 5)
    address = (settings.dash_host, settings.dash_port)
    return replace(
        _granian("dashboard", address, "dash_ui.wsgi:server", *options),
        environment=_environment(environment, *BACKEND, *SIMULATOR, *WORKER) | SAVE_MEMORY,
    )
