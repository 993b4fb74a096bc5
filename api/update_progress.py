"""How far an update is on its way, and where it stopped."""

from datetime import UTC, datetime
from typing import Any

STAGES = ("waiting", "postponed", "fetching", "storing", "ended")
HOPS = ("published", "streamed", "received", "started", "claimed", "fetched", "stored")
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


def stopped_before(update: dict[str, Any]) -> str | None:
    """The hop that an update is on its way to, or that a failed one did not get to.

    None once it is done. The hops of an earlier try are in the ledger as well, so those of an open
    update do not say how far it is.
    """
    if update["state"] == "done":
        return None
    stage, _ = progress(update)
    open_at = {"waiting": "started", "postponed": "fetched", "fetching": "fetched"}
    if stage != "ended":
        return open_at.get(stage, "stored")
    if update["state"] == "failed":
        # What was stored is not lost when the source gave nothing: the hops go on without quotes.
        return "fetched"
    return next((hop for hop in HOPS if hop not in update["hops"]), None)


def told(update: dict[str, Any]) -> dict[str, Any]:
    """What the present run has said of itself; nothing of an earlier one."""
    run: dict[str, Any] = update.get("run") or {}
    is_present = update["state"] == "running" and run.get("fence") == update["fence"]
    return run if is_present else {}
