"""What Prometheus is told, gathered as it asks."""

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
# The coins with a series of their own: their number is bounded.
NAMED = 100
STALEST = 20  # of those that COINS does not name
FRESHNESS = ("fresh", "late", "stale", "never")

Families = list[Metric]


def exposition(on: Services) -> bytes:
    """All metrics as text. What needs a server that does not answer is left out.

    `koinx_up` says so. It takes some 4 s at the most.
    """
    readers: dict[str, Callable[[Services], Families]] = {
        "mongodb": of_mongodb,
        "nats": of_nats,
        "redis": of_redis,
    }
    with ThreadPoolExecutor(len(readers)) as threads:
        found = dict(threads.map(lambda name: (name, _read(readers[name], on)), readers))
    up = GaugeMetricFamily(
        "koinx_up", "Whether it answers, or has room: 1 or 0", labels=["dependency"]
    )
    for name, families in found.items():
        up.add_metric([name], families is not None)
    up.add_metric(["disk"], on.room.shortage() is None)
    registry = CollectorRegistry()
    known = [one for families in found.values() for one in families or ()]
    registry.register(_Gathered([up, *of_requests(on), *known]))
    return generate_latest(registry)


class _Gathered:
    """Families that are there already, as a registry wants them."""

    def __init__(self, families: Families) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _read(read: Callable[[Services], Families], on: Services) -> Families | None:
    try:
        return read(on)
    except Exception as error:
        log.warning("metrics are left out", of=read.__name__, reason=type(error).__name__)
        return None


def of_requests(on: Services) -> Families:
    """What all API processes of this home answered, and the streams that they hold open."""
    labels = ["rule", "method", "status"]
    total = CounterMetricFamily(
        "koinx_requests", "RequestMetrics that were answered", labels=labels
    )
    times = HistogramMetricFamily(
        "koinx_request_seconds", "Time until an answer began to go out", labels=labels
    )
    answered, listeners = on.request_metrics.all()
    for what, found in sorted(answered.items()):
        total.add_metric(what, found.count)
        times.add_metric(what, _buckets(storage.BOUNDS, found.buckets), found.seconds)
    return [total, times, _gauge("koinx_listeners", "Streams that are open", listeners)]


def of_mongodb(on: Services) -> Families:
    """The ledger, the quotes and their freshness."""
    now = datetime.now(UTC)
    updates = GaugeMetricFamily("koinx_updates", "Updates in the ledger", labels=["state"])
    for state in UPDATE_STATES:
        updates.add_metric([state], on.ledger.count(state=state))
    families = [
        updates,
        _gauge("koinx_quotes", "Quotes stored, repaired ones not among them", on.store.count()),
    ]
    success = on.ledger.last_success()
    families.append(
        _gauge(
            "koinx_last_success_age_seconds",
            "Seconds since an update ended well; absent before the first",
            (now - success).total_seconds() if success else None,
        )
    )
    return [*families, *_freshness(on, now), *_hops(on)]


def _freshness(on: Services, now: datetime) -> Iterator[Metric]:
    ages = {coin: now - latest["at"] for coin, latest in on.store.latest().coins.items()}
    away, interval = on.store.away(), on.schedule.interval(now)
    pinned = on.settings.selection.ids
    collected = [coin for coin in dict.fromkeys([*pinned, *ages]) if coin not in away]
    coins = GaugeMetricFamily("koinx_coins", "Coins collected, by freshness", labels=["freshness"])
    words = [freshness(ages.get(coin), interval) for coin in collected]
    for word in FRESHNESS:
        coins.add_metric([word], words.count(word))
    yield coins
    age = GaugeMetricFamily(
        "koinx_quote_age_seconds",
        f"Age of the latest quote: of the coins named in COINS, and of the {STALEST} oldest others",
        labels=["coin"],
    )
    others = sorted(set(collected) & ages.keys() - set(pinned), key=lambda coin: -ages[coin])
    named = [coin for coin in pinned if coin in ages]
    for coin in [*named[:NAMED], *others[:STALEST]]:
        age.add_metric([coin], ages[coin].total_seconds())
    yield age


def _hops(on: Services) -> Iterator[Metric]:
    found = on.hop_times.read(HOPS_SECONDS)
    if found is None:
        return  # a long ledger, read for the first time: the next scrape goes on
    times = HistogramMetricFamily(
        "koinx_hop_seconds", "Time of each hop of the updates that ended well", labels=["hop"]
    )
    for hop, one in found.items():
        times.add_metric([hop], _buckets(latency.BOUNDS, one.buckets), one.seconds)
    yield times


def of_nats(on: Services) -> Families:
    """What waits in the streams."""
    waiting = on.nats.run(backlog, CHECK_SECONDS)
    lag = waiting.lag_seconds(datetime.now(UTC))
    return [
        _gauge("koinx_pending_events", "Events that no process has taken yet", waiting.pending),
        _gauge("koinx_consumer_lag_seconds", "Age of the oldest of them; 0 when none waits", lag),
        _gauge("koinx_dead_letters", "Messages set aside, as no events", waiting.dead_letters),
    ]


def of_redis(on: Services) -> Families:
    """The calls to the source, where they are limited."""
    made = GaugeMetricFamily(
        "koinx_source_calls",
        "Calls to the source within a minute, and in this month",
        labels=["window"],
    )
    left = GaugeMetricFamily(
        "koinx_source_calls_left", "Calls left of those allowed", labels=["window"]
    )
    if on.calls is None:
        on.ping_redis()
    else:
        for window, (allowed, remaining) in on.calls.windows().items():
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
