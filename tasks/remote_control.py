"""What a worker can be asked and told beyond Celery's own: `celery -A tasks inspect|control`."""

from typing import Any

from celery.utils.imports import import_from_cwd
from celery.worker.control import control_command, inspect_command
from celery.worker.state import active_requests, reserved_requests

UPDATES, INGEST = "updates", "tasks.ingest.ingest"


@inspect_command()
def open_updates(state: Any) -> Any:
    """The updates of the ledger that are not closed yet, by id; the same from every worker."""
    return _asked("open_updates")


@control_command()
def drain(state: Any) -> dict[str, str]:
    """Take no new updates, and finish those in hand; add_consumer updates ends it."""
    state.consumer.call_soon(state.consumer.cancel_task_queue, UPDATES)
    requests = {*active_requests, *reserved_requests}
    in_hand = sum(request.name == INGEST for request in requests)
    return {"ok": f"takes no new updates, {in_hand} in hand"}


@control_command()
def pause_repairs(state: Any) -> Any:
    """Stop the mending of history, in the whole system, until resume_repairs."""
    return _asked("pause_repairs")


@control_command()
def resume_repairs(state: Any) -> Any:
    """Let the mending of history go on."""
    return _asked("resume_repairs")


def _asked(name: str) -> Any:
    # Beat and the API know the commands as well, and beat has no use for MongoDB: 18 MB.
    # The program `celery` has this folder in its path only while it looks for the app.
    return getattr(import_from_cwd("tasks.ledger_commands"), name)()
