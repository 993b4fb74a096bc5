"""GET /health, /ready and /metrics."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from flask import Response, jsonify, make_response
from flask_smorest import Blueprint
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from api.extensions import Services, current_services
from api.metrics.exporter import render_metrics
from api.schemas import health as schemas
from bridge.lag import Backlog, backlog

blp = Blueprint("system", __name__, description="Health checks")

CHECK_SECONDS = 3.0
METRICS_EXAMPLE = """# HELP koinx_up Whether it responds, or has free space: 1 or 0
# TYPE koinx_up gauge
koinx_up{dependency="mongodb"} 1.0
"""


@blp.get("/health")
@blp.response(200, schemas.Health)
def health() -> dict[str, Any]:
    """Liveness: answers at once, whatever else is down"""
    return {"status": "OK", "timestamp": datetime.now(UTC)}


@blp.get("/ready")
@blp.response(200, schemas.Ready)
@blp.alt_response(503, schema=schemas.Ready, description="A dependency is not ready")
def ready() -> Response:
    """Readiness of each dependency, age of the last success, pending events"""
    services = current_services()
    checks: dict[str, Callable[[Services], Any]] = {
        "mongodb": lambda services: services.ledger.last_success(),
        "nats": lambda services: services.nats.run(backlog, CHECK_SECONDS),
        "redis": lambda services: services.ping_redis(),
    }
    with ThreadPoolExecutor(len(checks)) as threads:
        outcomes = threads.map(lambda check: _outcome(check, services), checks.values())
        found = dict(zip(checks, outcomes, strict=True))
    now = datetime.now(UTC)
    last_success, pending = found["mongodb"][0], found["nats"][0] or Backlog()
    dependencies = {
        name: {"ready": error is None, "error": error} for name, (_, error) in found.items()
    } | {"disk": {"ready": services.room.shortage() is None, "error": services.room.report()}}
    body = {
        "ready": all(one["ready"] for one in dependencies.values()),
        "dependencies": dependencies,
        "last_success": last_success,
        "age_seconds": (now - last_success).total_seconds() if last_success else None,
        "next_slot": services.schedule.following(now),
        "pending_events": pending.pending,
        "consumer_lag_seconds": pending.lag_seconds(now),
        "dead_letters": pending.dead_letters,
    }
    return make_response(jsonify(schemas.Ready().dump(body)), 200 if body["ready"] else 503)


@blp.get("/metrics")
@blp.response(200, {"type": "string"}, content_type="text/plain", example=METRICS_EXAMPLE)
def metrics() -> Response:
    """Metrics for Prometheus

    In Prometheus's text format. Requests are those of all API processes of this host together,
    killed ones included. Everything else is read at each scrape: updates by state, the times of
    their hops, freshness, calls to the source, pending events.

    The response takes about 4 s at most, whatever is down: `koinx_up{dependency="mongodb"} 0`
    says what is, and the metrics that need it are omitted.
    """
    return Response(render_metrics(current_services()), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _outcome(check: Callable[[Services], Any], services: Services) -> tuple[Any, str | None]:
    try:
        return check(services), None
    except Exception as error:
        # Only the type: an address in the message may contain a password.
        return None, f"does not answer ({type(error).__name__})"
