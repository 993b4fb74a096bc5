"""How far an update is on its way."""

from datetime import UTC, datetime
from typing import Any

STAGES = ("waiting", "postponed", "fetching", "storing", "ended")
FETCHING = 0.8  # the part of the way that the source's pages are; storing them takes the rest


def progress(update: dict[str, Any]) -> tuple[str, float]:
    """An update of the ledger: what happens to it now, and roughly its share of the way, 0 to 1."""
    if update["state"] == "received":
        wait = update.get("not_before")
        return ("postponed" if wait and wait > datetime.now(UTC) else "waiting"), 0.0
    if update["state"] != "running":
        return "ended", 1.0
    run = told(update)
    if run.get("stage") == "storing":
        return "storing", FETCHING
    return "fetching", FETCHING * run.get("share", 0)


def told(update: dict[str, Any]) -> dict[str, Any]:
    """What the present run has said of itself; nothing of an earlier one."""
    run: dict[str, Any] = update.get("run") or {}
    is_present = update["state"] == "running" and run.get("fence") == update["fence"]
    return run if is_present else {}
