"""Refuses queries for quotes that retention has deleted, or notes them in a header."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from api.errors import refuse
from api.extensions import Services

KEPT_FROM = "X-Kept-From"
KEPT_FROM_DOC = {
    KEPT_FROM: {
        "description": "Only if retention has deleted some of the requested quotes: the time from "
        "which quotes are kept. Candles of an hour and longer cover all times",
        "schema": {"type": "string", "format": "date-time"},
        "example": "2026-10-21T00:00:00+00:00",
    }
}


def check_as_of(services: Services, coins: Iterable[str], as_of: datetime | None) -> None:
    """Refuses with a 410 a time at which it is no longer known what was stored."""
    if as_of is None:
        return
    days = services.settings.retention
    # By MongoDB's clock, as retention itself: this host's clock may be off.
    limits = [services.ledger.now() - timedelta(days=days)] if days else []
    marks = services.marks.all(coins).values()
    limits += [mark.exact_from for mark in marks if mark.exact_from]
    oldest = max(limits, default=as_of)
    if as_of < oldest:
        # In whole seconds, and still allowed a minute later
        allowed = (oldest.replace(microsecond=0) + timedelta(minutes=2)).isoformat()
        refuse(
            410,
            f"as_of is {as_of.isoformat()}: the quotes of that time have been deleted. "
            f"The oldest time allowed is {allowed}; candles of an hour and longer cover all times "
            "(RETENTION sets for how many days quotes are kept)",
        )


def deleted_before(
    services: Services, coins: Iterable[str] | None, start: datetime | None
) -> datetime | None:
    """Returns the time before which some quotes of these coins, or of any coin, have been deleted;
    None if it is not after `start`."""
    marks = services.marks.all(coins).values()
    latest = max((mark.kept_from for mark in marks if mark.kept_from), default=None)
    return None if latest is None or (start is not None and start >= latest) else latest


def kept_from_header(
    services: Services, coins: Iterable[str] | None, start: datetime | None
) -> dict[str, str]:
    """Returns the header for a response that covers the time from `start`; empty if all is kept."""
    deleted = deleted_before(services, coins, start)
    return {KEPT_FROM: deleted.isoformat()} if deleted else {}
