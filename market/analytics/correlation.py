"""Computes the correlation of coins' log returns."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, combinations
from operator import mul, sub

from market.analytics.statistics import Undefined, log_returns
from market.schedule.slots import SlotGrid
from market.storage.quote_history import Record

LEAST_RETURNS = 10  # then one in twenty pairs of independent coins exceeds 0.63
STEADY = 1e-12  # returns that differ by a smaller share than this differ by rounding


@dataclass(frozen=True, slots=True)
class Pair:
    """Two coins' correlation, or None with the `reason`.

    `slots` are those in which both have a price, oldest first; there is one return fewer.
    """

    a: str
    b: str
    slots: Sequence[int]
    correlation: float | None
    reason: str | None

    @property
    def returns(self) -> int:
        """The number of pairs of returns that it is based on."""
        return max(len(self.slots) - 1, 0)


def by_slot(records: Sequence[Record], grid: SlotGrid) -> dict[int, float]:
    """Returns prices by their nearest slot; of several in one slot the nearest one counts.

    Even within one update the times of two coins are minutes apart, so without slots they would
    have no time in common.
    """
    nearest: dict[int, Record] = {}
    for record in records:
        slot = grid.nearest(record.at)
        other = nearest.setdefault(slot, record)
        if other is not record:
            time = grid.time(slot)
            nearest[slot] = min(other, record, key=lambda one: abs(one.at - time))
    return {slot: record.price for slot, record in nearest.items()}


def correlations(prices: Mapping[str, Mapping[int, float]]) -> Iterator[Pair]:
    """Yields Pearson's correlation of the log returns of each pair of coins, in order of `prices`.

    `prices` are by coin and slot. A pair's returns go from each slot that both coins have to the
    next one, so they cover the same times even if one coin has a gap. Pearson, Notes on regression
    and inheritance in the case of two parents, Proc. R. Soc. 58 (1895).
    """
    coins = [_Coin(name, by_slot) for name, by_slot in prices.items()]
    for a, b in combinations(coins, 2):
        slots = a.common(b)
        try:
            correlation, reason = _correlation(a.returns(slots), b.returns(slots)), None
        except Undefined as undefined:
            correlation, reason = None, str(undefined)
        yield Pair(a.name, b.name, slots, correlation, reason)


@dataclass(frozen=True, slots=True)
class _Returns:
    """Returns minus their mean, with the root of the sum of their squares."""

    apart: Sequence[float]
    length: float


class _Coin:
    """A coin's log prices. It caches the returns over all its slots, which most pairs need."""

    def __init__(self, name: str, prices: Mapping[int, float]) -> None:
        self.name = name
        self._prices = prices
        self._slots = sorted(prices)

    def common(self, other: "_Coin") -> Sequence[int]:
        """Returns the slots that both coins have, oldest first."""
        both = self._prices.keys() & other._prices.keys()
        whole = (coin._slots for coin in (self, other) if len(coin._slots) == len(both))
        return next(whole, None) or sorted(both)

    def returns(self, slots: Sequence[int]) -> _Returns:
        """Returns the log returns over some of its slots. Raises Undefined if they do not vary."""
        count = max(len(slots) - 1, 0)
        if count < LEAST_RETURNS:
            raise Undefined(f"needs at least {LEAST_RETURNS} returns in common, there are {count}")
        return self._whole if len(slots) == len(self._slots) else self._over(slots)

    @cached_property
    def _whole(self) -> _Returns:
        return self._over(self._slots)

    @cached_property
    def _levels(self) -> Mapping[int, float]:
        """Log prices relative to the first one: small, so their differences keep their digits."""
        try:
            returns = log_returns([self._prices[slot] for slot in self._slots])
        except Undefined as undefined:
            raise Undefined(f"{self.name}: {undefined}") from None
        return dict(zip(self._slots, accumulate(returns, initial=0.0), strict=True))

    def _over(self, slots: Sequence[int]) -> _Returns:
        levels = [self._levels[slot] for slot in slots]
        returns = list(map(sub, levels[1:], levels))
        mean = math.fsum(returns) / len(returns)
        apart = [each - mean for each in returns]
        if max(map(abs, apart)) <= STEADY * max(map(abs, returns)):
            raise Undefined(
                f"{self.name}: its returns are all the same, so that nothing moves with them"
            )
        return _Returns(apart, math.sqrt(math.fsum(map(mul, apart, apart))))


def _correlation(a: _Returns, b: _Returns) -> float:
    product = math.fsum(map(mul, a.apart, b.apart)) / a.length / b.length
    return max(-1.0, min(1.0, product))  # rounding may leave 1.0000000000000002
