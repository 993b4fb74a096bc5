"""Plans the call budget: the calls that coins and schedule need, and those that are allowed."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from croniter import croniter

PAGE = 250  # coins in one call
MONTH = timedelta(days=31)
TURN = timedelta(seconds=75)  # a minute whose calls are used up, and the sweep that follows
SAMPLE = 300  # slots of a schedule that are measured

# (calls per minute, calls per month): https://www.coingecko.com/en/api/pricing. Without a key
# CoinGecko limits by IP address; that limit is low, not published, and not monthly.
PLANS: dict[str | None, tuple[int, int | None]] = {
    None: (5, None),
    "demo": (30, 10_000),
    "pro": (500, 500_000),
}
# Suggested when a schedule needs too many calls, the most frequent first.
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
    """The coins to collect: those of `ids`, and the `top` coins by market cap (0: none)."""

    ids: tuple[str, ...]
    top: int


@dataclass(frozen=True)
class Budget:
    """The calls allowed per minute and per month of 31 days; None: no monthly limit."""

    per_minute: int
    per_month: int | None

    @classmethod
    def of(cls, plan: str | None, per_minute: int | None, per_month: int | None) -> "Budget":
        """Returns a plan's limits, replaced by those that are given."""
        minute, month = PLANS[plan]
        return cls(per_minute or minute, per_month or month)

    def allows(self, calls: int, rate: "Rate") -> bool:
        """Returns whether so many calls per update stay within both limits.

        An update may wait for its calls, but must end before the next one starts.
        """
        fits_minute = calls * rate.per_minute <= self.per_minute
        return (fits_minute or self.duration(calls) <= rate.shortest) and (
            self.per_month is None or math.ceil(calls * rate.per_month) <= self.per_month
        )

    def duration(self, calls: int) -> timedelta:
        """Returns the longest time that an update with so many calls may take."""
        return math.ceil(calls / self.per_minute) * TURN


@dataclass(frozen=True)
class Rate:
    """How often a schedule fires."""

    per_minute: int  # at most
    per_month: float  # of 31 days, on average
    shortest: timedelta  # between two updates


def calls_per_update(selection: CoinSelection) -> int:
    """Counts the pages of `/coins/markets`: for the ids, and for the top N."""
    return math.ceil(len(selection.ids) / PAGE) + math.ceil(selection.top / PAGE)


@lru_cache(maxsize=32)
def rate(schedule: str) -> Rate:
    """Measures how often a cron schedule fires, from its next 300 slots."""
    cron = croniter(schedule, datetime.now(UTC), second_at_beginning=True)
    slots = [cron.get_next(datetime) for _ in range(SAMPLE + 1)]
    per_minute = 1
    while per_minute < SAMPLE and any(
        later - slot < timedelta(minutes=1)
        for slot, later in zip(slots, slots[per_minute:], strict=False)
    ):
        per_minute += 1
    shortest = min(later - slot for slot, later in pairwise(slots))
    return Rate(per_minute, MONTH / ((slots[-1] - slots[0]) / SAMPLE), shortest)


def budget_error(selection: CoinSelection, schedule: str, budget: Budget) -> str | None:
    """Explains why the calls exceed the budget, and what would fit; None if they fit."""
    calls, updates = calls_per_update(selection), rate(schedule)
    if budget.allows(calls, updates):
        return None
    minutes = budget.duration(calls) / timedelta(minutes=1)
    needed = f"{calls * updates.per_minute:,} calls a minute, or {minutes:.0f} minutes per update"
    allowed = f"{budget.per_minute:,} calls a minute"
    if budget.per_month is not None:
        needed += f", and {math.ceil(calls * updates.per_month):,} in 31 days"
        allowed += f" and {budget.per_month:,} a month"
    return (
        f"{_coins(selection)} every {_every(updates)} need more calls than the source allows: "
        f"{calls} calls per update (one per {PAGE} coins) x {updates.per_month:,.0f} updates are "
        f"{needed}; the source allows {allowed} "
        "(COINGECKO_CALLS_PER_MINUTE, COINGECKO_CALLS_PER_MONTH). "
        f"{_suggestion(selection, schedule, budget)}"
    )


def _suggestion(selection: CoinSelection, schedule: str, budget: Budget) -> str:
    """Suggests the largest top:N for this schedule, and the most frequent schedule."""
    offers = []
    by_id = calls_per_update(CoinSelection(selection.ids, 0))
    updates = rate(schedule)
    pages = 0
    while budget.allows(by_id + pages + 1, updates):
        pages += 1
    if pages and selection.top:
        offers.append(f"top:{pages * PAGE} with this CRON_SCHEDULE")
    calls = calls_per_update(selection)
    for expression, words in SCHEDULES.items():
        slower = rate(expression)
        if slower.per_month < updates.per_month and budget.allows(calls, slower):
            offers.append(f"these coins with CRON_SCHEDULE={expression} ({words})")
            break
    if not offers:
        return "Use fewer coins, or a larger plan"
    return f"Use {', or '.join(offers)}"


def _coins(selection: CoinSelection) -> str:
    parts = []
    if selection.ids:
        parts.append(f"{len(selection.ids):,} coins by id")
    if selection.top:
        parts.append(f"the top {selection.top:,}")
    return " and ".join(parts)


def _every(updates: Rate) -> str:
    seconds = MONTH.total_seconds() / updates.per_month
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
