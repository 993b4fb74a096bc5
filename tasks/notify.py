"""Tells an address on the web when updates fail, when none ends well, and when they do again."""

from datetime import UTC, datetime
from typing import Any

import requests
from celery.exceptions import SoftTimeLimitExceeded

import logs
from market.ledger.health import Condition
from market.sources.http_session import session
from tasks import worker_shutdown
from tasks.app import app
from tasks.dependencies import services

log = logs.get(__name__)

SECONDS = (3.0, 5.0)  # to connect, to answer
WORDS = {
    "failing": (
        "updates fail",
        "It is tried again each minute of its slot, and in the next one. Should that not help, "
        "docs/troubleshooting.md says what the reason means.",
    ),
    "stale": (
        "no update ends well any more",
        "See which process is missing: ./koinx status, then ./koinx logs worker; and "
        "whether all is well: GET /ready.",
    ),
    "well": ("updates end well again", "Nothing."),
}


@app.task(name="tasks.notify.tell", time_limit=28, soft_time_limit=20)
def tell() -> int:
    """Enters a change of the updates' condition, and tells those that wait; the number told.

    Without WEBHOOK_URL nothing is looked at, and nobody is told later of what was before.
    """
    on = services()
    if on.settings.webhook_url is None:
        return 0
    system = on.settings.database
    seen = on.conditions.now(datetime.now(UTC))
    if seen and on.notices.enter(seen, lambda condition: message(condition, system)):
        log.info("the condition changed", state=seen.state, update=seen.update)
    count = 0
    while not worker_shutdown.has_begun() and (waiting := on.notices.take()) is not None:
        if not _call(on.settings.webhook_url.get_secret_value(), waiting):
            break
        on.notices.told(waiting)
        count += 1
    return count


def message(seen: Condition, system: str) -> dict[str, Any]:
    """What is told; `text` has all of it, as Slack and its like show it."""
    what, todo = WORDS[seen.state]
    reason = f": {seen.error}" if seen.error else ""
    named = f" ({seen.update})" if seen.update else ""
    return {
        "text": f"{system}: {what} since {seen.since:%Y-%m-%d %H:%M:%S} UTC{named}{reason}. "
        f"To do: {todo}",
        "system": system,
        "state": seen.state,
        "since": seen.since.isoformat(),
        "update": seen.update,
        "error": seen.error,
        "last_success": seen.last_success.isoformat() if seen.last_success else None,
        "todo": todo,
    }


def _call(url: str, waiting: dict[str, Any]) -> bool:
    """Whether it was taken: any 2xx. The answer's body is not read."""
    try:
        with (
            session(url) as caller,
            caller.post(
                url, json=waiting, timeout=SECONDS, allow_redirects=False, stream=True
            ) as answer,
        ):
            taken = 200 <= answer.status_code < 300
            reason = f"it answers {answer.status_code}"
    except (requests.RequestException, SoftTimeLimitExceeded) as error:
        taken, reason = False, type(error).__name__
    if taken:
        log.info("told", id=waiting["id"], state=waiting["state"])
    else:
        log.warning("not told; tried again later", id=waiting["id"], reason=reason)
    return taken
