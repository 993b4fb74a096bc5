"""Adds our own commands to the workers: `celery -A tasks inspect|control …`."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from celery.worker.control import control_command, inspect_command
from celery.worker.state import active_requests, reserved_requests

from settings import load

if TYPE_CHECKING:
    from pymongo.database import Database

UPDATES, INGEST = "updates", "tasks.ingest.ingest"
SECONDS = 0.8  # so that the reply arrives within the second that a command is waited for
MAX_UPDATES = 100
SHOWN = ("state", "trigger", "received_at", "not_before", "worker", "tries", "error")


@inspect_command()
def open_updates(state: Any) -> dict[str, Any]:
    """The updates of the ledger that are not closed yet, by id; the same from every worker."""

    def find(database: "Database[dict[str, Any]]") -> dict[str, Any]:
        from market.ledger.ledger import OPEN, Ledger  # noqa: PLC0415 - see _with_database

        ledger = Ledger(database)
        found = [one for kind in OPEN for one in ledger.newest(state=kind, limit=MAX_UPDATES)]
        return {one["_id"]: {name: _plain(one.get(name)) for name in SHOWN} for one in found}

    return _with_database(find)


@control_command()
def drain(state: Any) -> dict[str, str]:
    """Take no new updates, and finish the current ones; add_consumer updates ends it."""
    state.consumer.call_soon(state.consumer.cancel_task_queue, UPDATES)
    requests = {*active_requests, *reserved_requests}
    running = sum(request.name == INGEST for request in requests)
    return {"ok": f"takes no new updates, {running} in hand"}


@control_command()
def pause_repairs(state: Any) -> dict[str, Any]:
    """Pause gap repair in the whole system, until resume_repairs."""

    def pause(database: "Database[dict[str, Any]]") -> dict[str, str]:
        from market.gap_repair.queue import RepairQueue  # noqa: PLC0415 - see _with_database

        repairs = RepairQueue(database)
        repairs.pause(datetime.now(UTC))
        return {"ok": f"repairs are paused since {_plain(repairs.paused_since())}"}

    return _with_database(pause)


@control_command()
def resume_repairs(state: Any) -> dict[str, Any]:
    """Resume gap repair."""

    def resume(database: "Database[dict[str, Any]]") -> dict[str, str]:
        from market.gap_repair.queue import RepairQueue  # noqa: PLC0415 - see _with_database

        RepairQueue(database).resume()
        return {"ok": "repairs go on"}

    return _with_database(resume)


def _with_database(
    command: Callable[["Database[dict[str, Any]]"], dict[str, Any]],
) -> dict[str, Any]:
    """Runs a command on the database; this process forks, so no connection stays open in it."""
    # Beat and the API load this module too, and beat has no use for MongoDB: 18 MB. In a worker the
    # tasks have imported these modules; `celery` removes this folder from its path after its start.
    from pymongo import MongoClient  # noqa: PLC0415
    from pymongo.errors import DuplicateKeyError, PyMongoError  # noqa: PLC0415

    settings = load()
    milliseconds = int(SECONDS * 1000)
    try:
        with MongoClient[dict[str, Any]](
            settings.server("mongodb_uri"),
            tz_aware=True,
            timeoutMS=milliseconds,
            serverSelectionTimeoutMS=milliseconds,
            w="majority",
        ) as client:
            return command(client[settings.database])
    except DuplicateKeyError:
        return {"ok": "repairs are paused, by another worker at this moment"}
    except PyMongoError as error:
        # Only the kind: an address in a message may contain a password.
        return {"error": f"MongoDB does not answer ({type(error).__name__})"}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
