"""Whether the system is well: this process, and what it depends on."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from flask import Response, jsonify, make_response
from flask.views import MethodView
from flask_smorest import Blueprint
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from api.extensions import Services, services
from api.metrics.exporter import exposition
from api.schemas import health as schemas
from bridge.lag import Backlog, backlog

blp = Blueprint("system", __name__, description="Whether the system is well")

CHECK_SECONDS = 3.0
TEXT = {"type": "string"}
METRICS_EXAMPLE = """# HELP koinx_up Whether it answers, or has room: 1 or 0
# TYPE koinx_up gauge
koinx_up{dependency="mongodb"} 1.0
"""


@blp.route("/health")
class Health(MethodView):
    """This process alone."""

    @blp.response(200, schemas.Health)
    def get(self) -> dict[str, Any]:
        """Answers at once, whatever else is down"""
        return {"status": "OK", "timestamp": datetime.now(UTC)}


@blp.route("/ready")
class Ready(MethodView):
    """Everything that an update needs."""

    @blp.response(200, schemas.Ready)
    @blp.alt_response(503, schema=schemas.Ready, description="Something is missing")
    def get(self) -> Response:
        """Each dependency, the age of the last success, and what waits"""
        on = services()
        checks: dict[str, Callable[[Services], Any]] = {
            "mongodb": lambda on: on.ledger.last_success(),
            "nats": _backlog,
            "redis": lambda on: on.ping_redis(),
        }
        with ThreadPoolExecutor(len(checks)) as threads:
            outcomes = threads.map(lambda check: _outcome(check, on), checks.values())
            found = dict(zip(checks, outcomes, strict=True))
        now = datetime.now(UTC)
        last_success, waiting = found["mongodb"][0], found["nats"][0] or Backlog()
        dependencies = {
            name: {"ready": error is None, "error": error} for name, (_, error) in found.items()
        } | {"disk": {"ready": on.room.shortage() is None, "error": on.room.report()}}
        body = {
            "ready": all(one["ready"] for one in dependencies.values()),
            "dependencies": dependencies,
            "last_success": last_success,
            "age_seconds": (now - last_success).total_seconds() if last_success else None,
            "next_slot": on.schedule.following(now),
            "pending_events": waiting.pending,
            "consumer_lag_seconds": waiting.lag_seconds(now),
            "dead_letters": waiting.dead_letters,
        }
        return make_response(jsonify(schemas.Ready().dump(body)), 200 if body["ready"] else 503)


@blp.route("/metrics")
class Metrics(MethodView):
    """What Prometheus reads."""

    @blp.response(200, TEXT, content_type="text/plain", example=METRICS_EXAMPLE)
    def get(self) -> Response:
        """Numbers on the system, for Prometheus

        Prometheus's text format. Requests are those of all API processes of this host together,
        killed ones included; the rest is read as it is asked for: updates by state, the times of
        their hops, freshness, calls to the source, what waits in the streams.

        It answers in some 4 s at the most, whatever is down: `koinx_up{dependency="mongodb"} 0`
        says what is, and what needs it is left out.
        """
        return Response(exposition(services()), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _outcome(check: Callable[[Services], Any], on: Services) -> tuple[Any, str | None]:
    try:
        return check(on), None
    except Exception as error:
        # Only the kind: an address in a message may carry a password.
        return None, f"does not answer ({type(error).__name__})"


def _backlog(on: Services) -> Backlog:
    return on.nats.run(backlog, CHECK_SECONDS)
