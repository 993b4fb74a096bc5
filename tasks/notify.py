"""Calls a webhook when updates fail, when none succeeds, and when they succeed again."""

from datetime import UTC, datetime
from typing import Any

import requests
from celery.exceptions import SoftTimeLimitExceeded

import logs
from market.ledger.alerts import UpdateHealth
from market.sources.http import session
from tasks import worker_shutdown
from tasks.app import app
from tasks.dependencies import get_services

log = logs.get(__name__)

TIMEOUT = (3.0, 5.0)  # seconds to connect, to answer
TEXTS = {
    "failing": (
        "updates fail",
        "It is retried each minute of its slot, and in the next one. Should that not help, "
        "docs/troubleshooting.md says what the reason means.",
    ),
    "stale": (
        "no update succeeds any more",
        "Find the missing process with ./koinx status, then ./koinx logs worker; and check all "
        "parts with GET /ready.",
    ),
    "well": ("updates succeed again", "Nothing."),
}


@app.task(name="tasks.notify.tell", time_limit=28, soft_time_limit=20)
def tell() -> int:
    """Queues a change of the updates' health, and delivers those due; returns how many.

    Without WEBHOOK_URL nothing is checked, and nothing is reported later of what was before.
    """
    services = get_services()
    settings, alerts = services.settings, services.alerts
    if settings.webhook_url is None:
        return 0
    seen = services.health.check(datetime.now(UTC))
    if seen and alerts.add(seen, lambda health: message(health, settings.database)):
        log.info("update health changed", state=seen.state, update=seen.update)
    count = 0
    while not worker_shutdown.has_begun() and (alert := alerts.take()) is not None:
        if not _deliver(settings.webhook_url.get_secret_value(), alert):
            break
        alerts.mark_delivered(alert)
        count += 1
    return count


def message(seen: UpdateHealth, system: str) -> dict[str, Any]:
    """Returns what is sent; `text` has all of it, as Slack and similar services show it."""
    title, todo = TEXTS[seen.state]
    reason = f": {seen.error}" if seen.error else ""
    named = f" ({seen.update})" if seen.update else ""
    return {
        "text": f"{system}: {title} since {seen.since:%Y-%m-%d %H:%M:%S} UTC{named}{reason}. "
        f"To do: {todo}",
        "system": system,
        "state": seen.state,
        "since": seen.since.isoformat(),
        "update": seen.update,
        "error": seen.error,
        "last_success": seen.last_success.isoformat() if seen.last_success else None,
        "todo": todo,
    }


def _deliver(url: str, alert: dict[str, Any]) -> bool:
    """Sends an alert; returns whether any 2xx answered. The response's body is not read."""
    try:
        with (
            session(url) as client,
            client.post(
                url, json=alert, timeout=TIMEOUT, allow_redirects=False, stream=True
            ) as response,
        ):
            delivered = 200 <= response.status_code < 300
            reason = f"it answers {response.status_code}"
    except (requests.RequestException, SoftTimeLimitExceeded) as error:
        delivered, reason = False, type(error).__name__
    if delivered:
        log.info("alert delivered", id=alert["id"], state=alert["state"])
    else:
        log.warning("alert not delivered; retried later", id=alert["id"], reason=reason)
    return delivered
