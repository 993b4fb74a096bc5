"""One repair from its claim to its end: what is empty, the charts that reach it, what they fill."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from logs.redaction import plain
from market.gap_repair.matching import empty_slots, mend
from market.gap_repair.queue import Repair, Repairs
from market.schedule.slots import Schedule
from market.sources.coingecko_charts import DAY, days_back, parse_chart
from market.sources.http import Deadline, SourceError
from market.storage.quote_history import QuoteHistory

CHART_SECONDS = 30.0
REST_SECONDS = 300.0  # after a failure that does not say when to ask again; each costs calls
HOURLY = timedelta(days=90)
MOST = 50_000  # records of a stretch that are read
EDGE = timedelta(minutes=1)  # a chart's first point lies up to its jitter inside its length


class Charts(Protocol):
    """Where charts come from."""

    def chart(self, coin: str, currency: str, *, days: int, deadline: Deadline) -> Any: ...


def carry_out(
    repair: Repair,
    *,
    repairs: Repairs,
    history: QuoteHistory,
    charts: Charts,
    schedule: Schedule,
    currency: str,
    label: str,
) -> None:
    """Fills the empty slots of a claimed repair and ends it, or puts it back to be tried again.

    Points are stored as they come, so that a repair that dies goes on where it stopped. Raises
    SourceError, after putting the repair back, when the next repair would fail as well: of this
    one alone is only a coin that the source does not know, and an answer that is no chart.
    """
    empty = _empty(repair, history, schedule)
    filled: Counter[str] = Counter()
    left = empty
    try:
        for length in (DAY, HOURLY, None):
            now = datetime.now(UTC)
            reached = [slot for slot in left if length is None or slot >= now - length + EDGE]
            if not reached:
                continue
            days = days_back(reached[0], now)
            deadline = Deadline(CHART_SECONDS)
            reply = charts.chart(repair.coin, currency, days=days, deadline=deadline)
            mended = mend(schedule, reached, parse_chart(reply, now))
            repairs.keep(repair, mended, source=label, now=datetime.now(UTC))
            filled.update(str(one.resolution) for one in mended)
            known = set(reached)
            left = [slot for slot in left if slot not in known]
    except SourceError as error:
        now = datetime.now(UTC)
        if not error.unknown:
            repairs.postpone(repair, str(error), error.retry_after or REST_SECONDS, now)
            raise
        repairs.fail(repair, str(error), now)
        return
    except ValueError as error:
        repairs.postpone(repair, plain(error), None, datetime.now(UTC))
        return
    repairs.finish(repair, empty=len(empty), mended=dict(filled), now=datetime.now(UTC))


def _empty(repair: Repair, history: QuoteHistory, schedule: Schedule) -> list[datetime]:
    """The slots of the stretch without any quote, recorded or repaired.

    Where originals are no longer kept, no slot is known to be empty.
    """
    margin = schedule.interval(repair.start)
    start, kept_from = repair.start, history.kept_from(repair.coin)
    if kept_from is not None:
        # The first slot that is kept may have its quote shortly before, where it is gone.
        start = max(start, kept_from + margin)
    if start >= repair.end:
        return []
    records = history.records(
        repair.coin,
        start=start - margin,
        end=repair.end + margin,
        limit=MOST,
        repaired=True,
    )
    return empty_slots(schedule, start, repair.end, [record.at for record in records])
