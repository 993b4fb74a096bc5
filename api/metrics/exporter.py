"""Collects all metrics when Prometheus scrapes them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.utils import floatToGoString

import logs
from api.extensions import Services
from api.metrics import storage
from api.resources.coins import freshness
from bridge.lag import backlog
from market.ledger import latency
from market.model.documents import UPDATE_STATES

log = logs.get(__name__)

CHECK_SECONDS = 3.0
HOPS_SECONDS = 1.0
# Bounds the coins with a time series of their own
MAX_NAMED = 100
STALEST = 20  # of the coins that COINS does not name
FRESHNESS = ("fresh", "late", "stale", "never")

Families = list[Metric]


def render_metrics(services: Services) -> bytes:
    """Returns all metrics as text, except those of a server that does not respond.

    `koinx_up` says which one. It takes about 4 s at most.
    """
    readers: dict[str, Callable[[Services], Families]] = {
        "mongodb": mongodb_metrics,
        "nats": nats_metrics,
        "redis": redis_metrics,
    }
    with ThreadPoolExecutor(len(readers)) as threads:
        found = dict(threads.map(lambda name: (name, _read(readers[name], services)), readers))
    up = GaugeMetricFamily(
        "koinx_up", "Whether it responds, or has free space: 1 or 0", labels=["dependency"]
    )
    for name, families in found.items():
        up.add_metric([name], families is not None)
    up.add_metric(["disk"], services.room.shortage() is None)
    registry = CollectorRegistry()
    known = [one for families in found.values() for one in families or ()]
    registry.register(_Collected([up, *request_metrics(services), *known]))
    return generate_latest(registry)


class _Collected:
    """Wraps collected families for a registry."""

    def __init__(self, families: Families) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _read(read: Callable[[Services], Families], services: Services) -> Families | None:
    try:
        return read(services)
    except Exception as error:
        log.warning("metrics skipped", of=read.__name__, reason=type(error).__name__)
        return None


def request_metrics(services: Services) -> Families:
    """Requests answered by all API processes of this home, and the event streams they hold open."""
    labels = ["rule", "method", "status"]
    total = CounterMetricFamily("koinx_requests", "Requests answered", labels=labels)
    times = HistogramMetricFamily(
        "koinx_request_seconds", "Time until a response began to be sent", labels=labels
    )
    answered, listeners = services.request_metrics.all()
    for what, found in sorted(answered.items()):
        total.add_metric(what, found.count)
        times.add_metric(what, _buckets(storage.BOUNDS, found.buckets), found.seconds)
    return [total, times, _gauge("koinx_listeners", "Open event streams", listeners)]


def mongodb_metrics(services: Services) -> Families:
    """The ledger, the quotes and their freshness."""
    now = datetime.now(UTC)
    updates = GaugeMetricFamily("koinx_updates", "Updates in the ledger", labels=["state"])
    for state in UPDATE_STATES:
        updates.add_metric([state], services.ledger.count(state=state))
    families = [
        updates,
        _gauge("koinx_quotes", "Quotes stored, without repaired ones", services.store.count()),
    ]
    success = services.ledger.last_success()
    families.append(
        _gauge(
            "koinx_last_success_age_seconds",
            "Seconds since an update succeeded; absent before the first",
            (now - success).total_seconds() if success else None,
        )
    )
    return [*families, *_freshness(services, now), *_hops(services)]


def _freshness(services: Services, now: datetime) -> Iterator[Metric]:
    ages = {coin: now - latest["at"] for coin, latest in services.store.latest().coins.items()}
    away, interval = services.store.away(), services.schedule.interval(now)
    pinned = services.settings.selection.ids
    collected = [coin for coin in dict.fromkeys([*pinned, *ages]) if coin not in away]
    coins = GaugeMetricFamily("koinx_coins", "Coins collected, by freshness", labels=["freshness"])
    states = [freshness(ages.get(coin), interval) for coin in collected]
    for state in FRESHNESS:
        coins.add_metric([state], states.count(state))
    yield coins
    age = GaugeMetricFamily(
        "koinx_quote_age_seconds",
        f"Age of the latest quote: of the coins named in COINS, and of the {STALEST} oldest others",
        labels=["coin"],
    )
    others = sorted(set(collected) & ages.keys() - set(pinned), key=lambda coin: -ages[coin])
    named = [coin for coin in pinned if coin in ages]
    for coin in [*named[:MAX_NAMED], *others[:STALEST]]:
        age.add_metric([coin], ages[coin].total_seconds())
    yield age


def _hops(services: Services) -> Iterator[Metric]:
    found = services.hop_times.read(HOPS_SECONDS)
    if found is None:
        return  # a long ledger, read for the first time: the next scrape continues
    times = HistogramMetricFamily(
        "koinx_hop_seconds", "Time of each hop of the updates that succeeded", labels=["hop"]
    )
    for hop, one in found.items():
        times.add_metric([hop], _buckets(latency.BOUNDS, one.buckets), one.seconds)
    yield times


def nats_metrics(services: Services) -> Families:
    """The events and dead letters in the streams."""
    waiting = services.nats.run(backlog, CHECK_SECONDS)
    lag = waiting.lag_seconds(datetime.now(UTC))
    return [
        _gauge("koinx_pending_events", "Events that no process has consumed yet", waiting.pending),
        _gauge("koinx_consumer_lag_seconds", "Age of the oldest pending event; 0 without any", lag),
        _gauge(
            "koinx_dead_letters",
            "Dead letters: messages that are not valid events",
            waiting.dead_letters,
        ),
    ]


def redis_metrics(services: Services) -> Families:
    """Calls to the source, where they are limited."""
    made = GaugeMetricFamily(
        "koinx_source_calls",
        "Calls to the source in the last minute, and in this month",
        labels=["window"],
    )
    left = GaugeMetricFamily(
        "koinx_source_calls_left", "Calls left in the budget", labels=["window"]
    )
    if services.calls is None:
        services.ping_redis()
    else:
        for window, (allowed, remaining) in services.calls.windows().items():
            made.add_metric([window], allowed - remaining)
            left.add_metric([window], remaining)
    return [made, left]


def _gauge(name: str, text: str, value: float | None) -> Metric:
    family = GaugeMetricFamily(name, text)
    if value is not None:
        family.add_metric([], value)
    return family


def _buckets(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, int]]:
    names = [*map(floatToGoString, bounds), "+Inf"]
    return list(zip(names, accumulate(counts), strict=True))
