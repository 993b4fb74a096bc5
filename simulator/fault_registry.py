"""The faults that are set at the moment, used up by the requests that they strike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import Any

from simulator.faults import CoinFault, Fault, Frozen, NullPrice, Price, RequestFault, Retired


@dataclass(frozen=True)
class CoinFaults:
    """The coin faults of one moment; `frozen` says since when, in milliseconds since 1970."""

    retired: frozenset[str] = frozenset()
    null_price: frozenset[str] = frozenset()
    frozen: dict[str, int] = field(default_factory=dict)
    price: dict[str, int | float] = field(default_factory=dict)


class FaultBook:
    """The faults that are set now. Requests of many threads may ask it at once."""

    def __init__(self, faults: Iterable[Fault] = (), now: int = 0) -> None:
        """`now` is when they were set, in milliseconds since 1970."""
        self._lock = Lock()
        self._requests: list[tuple[RequestFault, int | None]] = []
        self._coins = CoinFaults()
        self._others: list[CoinFault] = []
        self._stamp = 0
        self.add(faults, now)

    def add(self, faults: Iterable[Fault], now: int) -> None:
        """Set these besides those already set; a second one of a kind on a coin replaces it."""
        with self._lock:
            for fault in faults:
                if isinstance(fault, RequestFault):
                    self._requests.append((fault, fault.times))
                elif isinstance(fault, CoinFault):
                    self._set(fault, now)

    def _set(self, fault: CoinFault, now: int) -> None:
        held = self._coins
        same = [f for f in self._others if (f.kind, f.coin) == (fault.kind, fault.coin)]
        self._others = [f for f in self._others if f not in same] + [fault]
        frozen = {fault.coin: now} if isinstance(fault, Frozen) else {}
        self._coins = CoinFaults(
            retired=frozenset(f.coin for f in self._others if isinstance(f, Retired)),
            null_price=frozenset(f.coin for f in self._others if isinstance(f, NullPrice)),
            frozen=held.frozen | frozen,
            price={f.coin: f.value for f in self._others if isinstance(f, Price)},
        )

    def clear(self) -> None:
        """Take all of them back."""
        with self._lock:
            self._requests = []
            self._others = []
            self._coins = CoinFaults()

    def take(self, path: str) -> RequestFault | None:
        """The oldest fault that strikes a request for `path`; one of its times is used up."""
        with self._lock:
            for place, (fault, left) in enumerate(self._requests):
                if fault.strikes(path):
                    if left == 1:
                        del self._requests[place]
                    elif left is not None:
                        self._requests[place] = (fault, left - 1)
                    return fault
        return None

    def coins(self) -> CoinFaults:
        """The coin faults as they are now; later changes do not reach what is returned."""
        return self._coins

    def stamp(self, now: int) -> int:
        """`now`, or as little later as makes it later than every stamp before."""
        with self._lock:
            self._stamp = max(now, self._stamp + 1)
            return self._stamp

    def document(self) -> list[dict[str, Any]]:
        """What is set, in the form that can be set again; `times` are those still left."""
        with self._lock:
            left = [{"kind": f.kind, **asdict(f), "times": times} for f, times in self._requests]
            return left + [{"kind": f.kind, **asdict(f)} for f in self._others]
