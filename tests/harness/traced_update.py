"""An update as the ledger has it, for `./koinx trace`."""

from datetime import UTC, datetime, timedelta
from typing import Any

from api_client.updates import HOPS

BEGIN = datetime(2026, 11, 23, 4, tzinfo=UTC)


def an_update(reached: int = len(HOPS), **known: Any) -> dict[str, Any]:
    """One that got to so many hops, half a second each."""
    at = (BEGIN + timedelta(seconds=number / 2) for number in range(reached))
    hops = {name: when.isoformat() for name, when in zip(HOPS, at, strict=False)}
    return {
        "id": "2026-11-23T04:00Z",
        "trigger": "schedule",
        "state": "done",
        "stage": "ended",
        "hops": hops,
        "counts": {},
        "finished_at": hops.get("finished"),
        "not_before": None,
        "stopped_before": None,
        "error": None,
    } | known
