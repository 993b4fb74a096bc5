"""What is asked of quotes that are no longer kept: refused, or said."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from api.errors import refuse
from api.extensions import Services

KEPT_FROM = "X-Kept-From"
NOTED = {
    KEPT_FROM: {
        "description": "Only where the retention deleted some of what was asked for: quotes before "
        "this time are no longer kept. Candles of an hour and more are, of all times",
        "schema": {"type": "string", "format": "date-time"},
        "example": "2026-10-21T00:00:00+00:00",
    }
}


def check_as_of(services: Services, coins: Iterable[str], as_of: datetime | None) -> None:
    """Refuses with a 410 a time of which it can't be told any more what was known then."""
    if as_of is None:
        return
    days = services.settings.retention
    # MongoDB's clock, as the retention goes by: this host's may be off.
    edges = [services.ledger.now() - timedelta(days=days)] if days else []
    marks = services.marks.all(coins).values()
    edges += [mark.exact_from for mark in marks if mark.exact_from]
    oldest = max(edges, default=as_of)
    if as_of < oldest:
        refuse(
            410,
            f"as_of is {as_of.isoformat()}: the quotes of that time are no longer kept. The oldest "
            f"that can be told is {_ceiled(oldest)}; candles of an hour and more are there of all "
            "times (RETENTION says for how many days quotes are kept)",
        )


def gone_before(
    services: Services, coins: Iterable[str] | None, start: datetime | None
) -> datetime | None:
    """The time before which some originals of these coins, or of any, are gone; None where that
    lies before `start`."""
    marks = services.marks.all(coins).values()
    latest = max((mark.kept_from for mark in marks if mark.kept_from), default=None)
    return None if latest is None or (start is not None and start >= latest) else latest


def noted(
    services: Services, coins: Iterable[str] | None, start: datetime | None
) -> dict[str, str]:
    """The header that says so, for an answer of what is not before `start`."""
    gone = gone_before(services, coins, start)
    return {KEPT_FROM: gone.isoformat()} if gone else {}


def _ceiled(moment: datetime) -> str:
    """A time of whole seconds that is still allowed a minute later."""
    return (moment.replace(microsecond=0) + timedelta(minutes=2)).isoformat()
