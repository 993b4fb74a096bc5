"""The calls to the source that a selection and a schedule need, beside those that are allowed."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from croniter import croniter

PAGE = 250  # coins in one call
MONTH = timedelta(days=31)
TURN = timedelta(seconds=75)  # a minute for which the calls are used up, and the sweep after it
SAMPLE = 300  # slots whose distance is measured

# (calls a minute, calls a month): https://www.coingecko.com/en/api/pricing. Without a key the
# limit goes by address, is low and is not stated; nothing is counted by the month.
PLANS: dict[str | None, tuple[int, int | None]] = {
    None: (5, None),
    "demo": (30, 10_000),
    "pro": (500, 500_000),
}
# What is offered when a schedule needs too many calls, the most frequent first.
SCHEDULES = {
    "*/20 * * * *": "every 20 minutes",
    "*/30 * * * *": "every 30 minutes",
    "0 * * * *": "every hour",
    "0 */2 * * *": "every 2 hours",
    "0 */4 * * *": "every 4 hours",
    "0 */8 * * *": "every 8 hours",
    "0 0 * * *": "once a day",
}


@dataclass(frozen=True)
class CoinSelection:
    """Which coins are collected: `ids` by name, and the `top` coins by market cap (0: none)."""

    ids: tuple[str, ...]
    top: int


@dataclass(frozen=True)
class Budget:
    """Calls allowed in any minute and in a month of 31 days; None: no monthly limit is known."""

    per_minute: int
    per_month: int | None

    @classmethod
    def of(cls, plan: str | None, per_minute: int | None, per_month: int | None) -> "Budget":
        """A plan's limits, but for those that are given."""
        minute, month = PLANS[plan]
        return cls(per_minute or minute, per_month or month)

    def allows(self, calls: int, rate: "Rate") -> bool:
        """Whether so many calls at each update are within both limits.

        An update may wait for its calls, but not until the next one begins.
        """
        at_once = calls * rate.a_minute <= self.per_minute
        a_month = math.ceil(calls * rate.a_month)
        return (at_once or self.duration(calls) <= rate.shortest) and (
            self.per_month is None or a_month <= self.per_month
        )

    def duration(self, calls: int) -> timedelta:
        """How long an update of so many calls takes at most, when it has to wait for some."""
        return math.ceil(calls / self.per_minute) * TURN


@dataclass(frozen=True)
class Rate:
    """Updates of a schedule: the most in one minute, the mean of 31 days, the shortest time between
    two."""

    a_minute: int
    a_month: float
    shortest: timedelta


def calls_an_update(selection: CoinSelection) -> int:
    """Pages of `/coins/markets`: those of the ids, and those of the top N."""
    return math.ceil(len(selection.ids) / PAGE) + math.ceil(selection.top / PAGE)


@lru_cache(maxsize=32)
def rate(schedule: str) -> Rate:
    """How often a cron schedule fires, by its next 300 slots."""
    cron = croniter(schedule, datetime.now(UTC), second_at_beginning=True)
    slots = [cron.get_next(datetime) for _ in range(SAMPLE + 1)]
    in_a_minute = 1
    while in_a_minute < SAMPLE and any(
        later - slot < timedelta(minutes=1)
        for slot, later in zip(slots, slots[in_a_minute:], strict=False)
    ):
        in_a_minute += 1
    shortest = min(later - slot for slot, later in pairwise(slots))
    return Rate(in_a_minute, MONTH / ((slots[-1] - slots[0]) / SAMPLE), shortest)


def refusal(selection: CoinSelection, schedule: str, budget: Budget) -> str | None:
    """Why more calls are needed than allowed, with the nearest that fits; None if they fit."""
    calls, updates = calls_an_update(selection), rate(schedule)
    if budget.allows(calls, updates):
        return None
    minutes = budget.duration(calls) / timedelta(minutes=1)
    needed = f"{calls * updates.a_minute:,} calls a minute, or {minutes:.0f} minutes for each"
    allowed = f"{budget.per_minute:,} a minute"
    if budget.per_month is not None:
        needed += f", and {math.ceil(calls * updates.a_month):,} in 31 days"
        allowed += f" and {budget.per_month:,} a month"
    return (
        f"{_coins(selection)} every {_every(updates)} need more calls than the source allows: "
        f"{calls} calls an update (one for {PAGE} coins) x {updates.a_month:,.0f} updates make "
        f"{needed}; allowed are {allowed} "
        "(COINGECKO_CALLS_PER_MINUTE, COINGECKO_CALLS_PER_MONTH). "
        f"{_nearest(selection, schedule, budget)}"
    )


def _nearest(selection: CoinSelection, schedule: str, budget: Budget) -> str:
    """The largest top:N with this schedule, and the most frequent schedule with these coins."""
    offers = []
    by_id = calls_an_update(CoinSelection(selection.ids, 0))
    updates = rate(schedule)
    pages = 0
    while budget.allows(by_id + pages + 1, updates):
        pages += 1
    if pages and selection.top:
        offers.append(f"top:{pages * PAGE} with this CRON_SCHEDULE")
    calls = calls_an_update(selection)
    for expression, words in SCHEDULES.items():
        slower = rate(expression)
        if slower.a_month < updates.a_month and budget.allows(calls, slower):
            offers.append(f"these coins with CRON_SCHEDULE={expression} ({words})")
            break
    if not offers:
        return "Fewer coins, or another plan, are needed"
    return f"Within them are: {'; or '.join(offers)}"


def _coins(selection: CoinSelection) -> str:
    parts = []
    if selection.ids:
        parts.append(f"{len(selection.ids):,} coins by id")
    if selection.top:
        parts.append(f"the top {selection.top:,}")
    return " and ".join(parts)


def _every(updates: Rate) -> str:
    seconds = MONTH.total_seconds() / updates.a_month
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
