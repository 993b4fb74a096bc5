"""Runs one repair: finds its empty slots, fetches charts that reach them, stores the points."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from logs.redaction import plain
from market.gap_repair.matching import empty_slots, match_points
from market.gap_repair.queue import Repair, RepairQueue
from market.schedule.slots import Schedule
from market.sources.coingecko import DAY, days_back, parse_chart
from market.sources.http import Deadline, SourceError
from market.storage.quote_history import QuoteHistory

CHART_SECONDS = 30.0
RETRY_SECONDS = 300.0  # after a failure that does not say when to retry; each costs calls
HOURLY = timedelta(days=90)
MAX_RECORDS = 50_000  # read of one range
EDGE = timedelta(minutes=1)  # a chart's first point lies up to its jitter inside its length


class Charts(Protocol):
    """A source of charts."""

    def chart(self, coin: str, currency: str, *, days: int, deadline: Deadline) -> Any: ...


def run_repair(
    repair: Repair,
    *,
    repairs: RepairQueue,
    history: QuoteHistory,
    charts: Charts,
    schedule: Schedule,
    currency: str,
    label: str,
) -> None:
    """Fills the empty slots of a claimed repair, then ends it or puts it back.

    Points are stored as they come, so a repair whose worker died continues where it stopped. Raises
    LeaseLost. Raises SourceError, after putting the repair back, when the next repair would fail
    as well: only an unknown coin and an invalid chart concern this repair alone.
    """
    empty = unfilled = _empty_slots(repair, history, schedule)
    repaired: Counter[str] = Counter()
    try:
        for length in (DAY, HOURLY, None):
            now = datetime.now(UTC)
            reached = [slot for slot in unfilled if length is None or slot >= now - length + EDGE]
            if not reached:
                continue
            days = days_back(reached[0], now)
            deadline = Deadline(CHART_SECONDS)
            reply = charts.chart(repair.coin, currency, days=days, deadline=deadline)
            found = match_points(schedule, reached, parse_chart(reply, now))
            repairs.store(repair, found, source=label, now=datetime.now(UTC))
            repaired.update(str(one.resolution) for one in found)
            unfilled = [slot for slot in unfilled if slot < reached[0]]
    except SourceError as error:
        now = datetime.now(UTC)
        if not error.unknown:
            repairs.postpone(repair, str(error), error.retry_after or RETRY_SECONDS, now)
            raise
        repairs.fail(repair, str(error), now)
    except ValueError as error:
        repairs.postpone(repair, plain(error), None, datetime.now(UTC))
    else:
        now = datetime.now(UTC)
        repairs.finish(repair, empty=len(empty), repaired=dict(repaired), now=now)


def _empty_slots(repair: Repair, history: QuoteHistory, schedule: Schedule) -> list[datetime]:
    """Returns the slots of the range without any quote, recorded or repaired.

    Where original quotes are no longer kept, no slot counts as empty.
    """
    margin = schedule.interval(repair.start)
    start, kept_from = repair.start, history.kept_from(repair.coin)
    if kept_from is not None:
        # The first slot that is kept may have its quote shortly before, where it is deleted.
        start = max(start, kept_from + margin)
    if start >= repair.end:
        return []
    records = history.records(
        repair.coin,
        start=start - margin,
        end=repair.end + margin,
        limit=MAX_RECORDS,
        repaired=True,
    )
    return empty_slots(schedule, start, repair.end, [record.at for record in records])
