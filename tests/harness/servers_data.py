"""Processes and updates for the tests of the Servers page."""

from datetime import UTC, datetime, timedelta
from typing import Any

from api_client.client import Update
from supervisor.control import Detail

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def a_process(**known: Any) -> Detail:
    process: Detail = {
        "name": "api",
        "state": "running",
        "ready": True,
        "pid": 7,
        "url": "http://127.0.0.1:3000",
        "uptime_s": 75.2,
        "restarts": 1,
        "cpu_percent": 1.25,
        "rss_bytes": 125 * 1024**2,
        "exit_code": None,
        "fingerprint": None,
    }
    process.update(known)  # type: ignore[typeddict-item]
    return process


def an_update(**known: Any) -> Update:
    hops = {"streamed": NOW, "finished": NOW + timedelta(seconds=0.25)}
    ended = NOW + timedelta(seconds=0.25)
    fields: dict[str, Any] = {
        "id": "u1",
        "trigger": "schedule",
        "state": "done",
        "stage": "ended",
        "progress": 1.0,
        "slot": None,
        "received_at": NOW,
        "finished_at": ended,
        "hops": hops,
        "counts": {"stored": 1200},
        "error": None,
    }
    return Update(**fields | known)
