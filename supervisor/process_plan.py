"""Which processes there are, and how each is started with given settings."""

import hashlib
import socket
import sys
from collections.abc import Callable
from dataclasses import replace

from settings import Settings
from settings.open_files import connections
from supervisor.embedded import servers
from supervisor.health_checks import Probe
from supervisor.process_spec import Spec

NAMES = ("mongodb", "nats", "redis", "market", "api", "worker", "beat", "dashboard")
OTHER_LOGS = ("prepare", "supervisor")  # these have a log, but are none of the listed processes
SERVERS = ("mongodb", "nats", "redis", "market")
NEEDY = ("api", "worker", "beat")
API_KEY_FILE = "api_key"
# What a process does not read is kept from it, so that it is not restarted for that.
FOR_THE_WEB = ("API_", "DASH_", "LOCAL_")
FOR_THE_MARKET = ("SIMULATOR_",)
FOR_THE_BACKEND = ("MONGODB_", "NATS_", "REDIS_", "COINGECKO_")
# A page's files have megabytes, and glibc keeps what such took: in an area for each thread, and in
# larger pieces the more it has seen. So: few areas, and what is large goes back at once.
THRIFTY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "131072"}
FOR_THE_WORKER = ("WEBHOOK_",)


def names(settings: Settings) -> list[str]:
    """The processes that these settings call for, in the order in which they are shown."""
    ours = servers.embedded(settings)
    return [
        name
        for name in NAMES
        if (name in ours or name not in servers.EMBEDDED)
        and (name != "market" or settings.market != "live")
    ]


def needs(name: str, settings: Settings) -> list[str]:
    """The processes that must run so that this one can."""
    if name not in NEEDY:
        return []
    return [server for server in names(settings) if server in SERVERS]


def resolved(
    settings: Settings, port: Callable[[str], int], secret: Callable[[str], str]
) -> dict[str, str]:
    """The settings as environment, with the addresses of the embedded servers filled in.

    `secret` gives the kept one of a name.
    """
    environment = settings.environment()
    environment.setdefault("API_KEY", secret(API_KEY_FILE))
    for name in servers.embedded(settings):
        address = servers.url(name, port(name), secret(servers.password_file(name)))
        environment[servers.EMBEDDED[name].upper()] = address
    if settings.market != "live":
        environment["COINGECKO_API_URL"] = f"http://{servers.HOST}:{port('market')}/api/v3"
        environment["COINPAPRIKA_API_URL"] = f"http://{servers.HOST}:{port('market')}/v1"
        # A key is for CoinGecko alone.
        environment.pop("COINGECKO_API_KEY", None)
        environment.pop("COINGECKO_PLAN", None)
    return environment


def plan(
    settings: Settings, port: Callable[[str], int], secret: Callable[[str], str]
) -> dict[str, Spec]:
    """All specs by name; raises ServerMissingError when a server has no program here."""
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
    """Where this machine finds a server that listens on `host`."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"http://{host}:{port}"


def node_name(settings: Settings) -> str:
    """The worker's name among all that share its Redis: one for each home and host."""
    digest = hashlib.sha256(str(settings.koinx_home).encode()).hexdigest()[:8]
    return f"koinx-{digest}@{socket.gethostname()}"


def _environment(values: dict[str, str], *without: str) -> dict[str, str]:
    kept = {name: value for name, value in values.items() if not name.startswith(without or ("-",))}
    return kept | {"KOINX_ENV_FILE": "", "PYTHONUNBUFFERED": "1"}


def _python(*arguments: object) -> tuple[str, ...]:
    # `-m` rather than the programs in bin/: those carry the path at which they were installed.
    return (sys.executable, "-m", *map(str, arguments))


def _celery(*arguments: object) -> tuple[str, ...]:
    # Quiet: without room for its banner it would not start.
    return _python("celery", "-A", "tasks", "--quiet", *arguments)


def _market(settings: Settings, port: int, key: str) -> Spec:
    replay = settings.simulator_replay
    url = f"http://{servers.HOST}:{port}"
    return Spec(
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
        movable=True,
        stage=3,
    )


def _prepare(settings: Settings, environment: dict[str, str], needs: tuple[str, ...]) -> Spec:
    embedded = servers.embedded(settings)
    own = (f"--own={name}" for name in ("nats", "redis") if name in embedded)
    return Spec(
        name="prepare",
        command=_python("cli.migrate", *own),
        environment=_environment(environment, *FOR_THE_WEB, *FOR_THE_MARKET, *FOR_THE_WORKER),
        needs=needs,
        stuck_after=60,
        once=True,
    )


def _granian(name: str, address: tuple[str, int], app: str, *options: object) -> Spec:
    host, port = address
    url = local_url(host, port)
    return Spec(
        name=name,
        command=_python(
            *("granian", "--interface", "wsgi", "--host", host, "--port", port, *options),
            # Who opens connections and asks nothing holds a place for 5 s, of 4096 in a process.
            *("--http", 1, "--backpressure", connections(), "--http1-header-read-timeout", 5000),
            *("--http1-buffer-size", 65_536, "--log-config", "logs/granian.json"),
            *("--respawn-failed-workers", "--respawn-interval", 0.5, "--no-ws", app),
        ),
        probe=Probe("http", f"{url}/health"),
        url=url,
        address=address,
    )


def _api(settings: Settings, environment: dict[str, str], needs: tuple[str, ...]) -> Spec:
    # As many requests and as many listeners as a process takes, and threads left for /health.
    options = ("--workers", settings.api_workers, "--blocking-threads", 512)
    address = (settings.api_host, settings.api_port)
    return replace(
        _granian("api", address, "api.wsgi:app", *options, "--workers-kill-timeout", 10),
        environment=_environment(environment, "DASH_", *FOR_THE_MARKET, *FOR_THE_WORKER),
        needs=needs,
        stage=2,
        patience=15,
    )


def _worker(settings: Settings, environment: dict[str, str], needs: tuple[str, ...]) -> Spec:
    node = node_name(settings)
    return Spec(
        name="worker",
        command=_celery(
            *("worker", "-Q", "updates,maintenance"),
            *("--concurrency", 3, "--without-gossip", "--without-mingle"),
            *("-n", node.partition("@")[0] + "@%h", "-l", "INFO"),
        ),
        environment=_environment(environment, *FOR_THE_WEB, *FOR_THE_MARKET),
        probe=Probe(
            "worker",
            f"{node} {environment['REDIS_URL']} {settings.run_folder / 'worker.json'}",
            calm=5,
        ),
        needs=needs,
        stage=1,
        patience=35,
        stuck_after=30,
    )


def _beat(settings: Settings, environment: dict[str, str], needs: tuple[str, ...]) -> Spec:
    return Spec(
        name="beat",
        command=_celery("beat", "-l", "INFO"),
        environment=_environment(environment, *FOR_THE_WEB, *FOR_THE_MARKET, *FOR_THE_WORKER),
        probe=Probe("heartbeat", str(settings.run_folder / "beat.json"), calm=1),
        needs=needs,
        stuck_after=30,
    )


def _dashboard(settings: Settings, environment: dict[str, str]) -> Spec:
    options = ("--workers", 1, "--blocking-threads", 32, "--workers-kill-timeout", 5)
    address = (settings.dash_host, settings.dash_port)
    return replace(
        _granian("dashboard", address, "dash_ui.wsgi:server", *options),
        environment=_environment(environment, *FOR_THE_BACKEND, *FOR_THE_MARKET, *FOR_THE_WORKER)
        | THRIFTY,
    )
