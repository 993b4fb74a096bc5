"""Scripted faults: their kinds, how they are read, and which of them are active."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import MISSING, asdict, dataclass, field, fields
from math import isfinite
from threading import Lock
from typing import Any, ClassVar

from logs.redaction import plain

PREFIX = "/api/v3"


class FaultError(ValueError):
    """An invalid fault; the message names the value and what is allowed."""


def _rule(check: Callable[[Any], bool], allowed: str, default: Any = MISSING) -> Any:
    return field(default=default, metadata={"check": check, "allowed": allowed})


def _integer(minimum: int, maximum: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and minimum <= value <= maximum


def _number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or isfinite(value)


def _seconds(value: object) -> bool:
    return isinstance(value, int | float) and _number(value) and 0 <= value <= 600


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """The base of all faults; `kind` is its name in JSON."""

    kind: ClassVar[str]

    def __post_init__(self) -> None:
        for rule in fields(self):
            value = getattr(self, rule.name)
            if not rule.metadata["check"](value):
                shown = repr(value)
                shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
                allowed = rule.metadata["allowed"]
                raise FaultError(f"{self.kind}: {rule.name} is {shown}: allowed are {allowed}")


@dataclass(frozen=True, kw_only=True)
class RequestFault(Fault):
    """Applies to the next `times` requests (None: until cleared) whose path begins with `path`."""

    times: int | None = _rule(
        lambda v: v is None or (type(v) is int and v >= 1), "whole numbers from 1, or null", 1
    )
    path: str | None = _rule(
        lambda v: v is None or (isinstance(v, str) and v.startswith("/")),
        "a path beginning with /, or null",
        None,
    )

    def applies_to(self, path: str) -> bool:
        """Returns whether the fault applies to `path`; a leading `/api/v3` makes no difference."""
        return self.path is None or without_prefix(path).startswith(without_prefix(self.path))


@dataclass(frozen=True, kw_only=True)
class RateLimited(RequestFault):
    """Answers 429 in one of three forms; `retry_after` is in seconds, None omits the header."""

    kind: ClassVar[str] = "rate_limited"
    retry_after: int | None = _rule(
        lambda v: v is None or _integer(0, 86_400)(v), "whole seconds from 0 to 86400, or null", 60
    )
    form: str = _rule(
        lambda v: isinstance(v, str) and v in {"json", "html", "text"}, "html, json, text", "json"
    )


@dataclass(frozen=True, kw_only=True)
class ServerError(RequestFault):
    """Answers an HTML page with status 500, 502, 503 or 504."""

    kind: ClassVar[str] = "server_error"
    status: int = _rule(
        lambda v: type(v) is int and v in {500, 502, 503, 504}, "500, 502, 503, 504", 500
    )


@dataclass(frozen=True, kw_only=True)
class Slow(RequestFault):
    """Waits `delay` seconds, then answers as of that later moment."""

    kind: ClassVar[str] = "slow"
    delay: float = _rule(_seconds, "seconds from 0 to 600")


@dataclass(frozen=True, kw_only=True)
class Trickle(RequestFault):
    """Sends the body in pieces of `chunk` bytes, with `delay` seconds between them."""

    kind: ClassVar[str] = "trickle"
    chunk: int = _rule(_integer(1, 1_000_000), "whole bytes from 1 to 1000000", 16)
    delay: float = _rule(_seconds, "seconds from 0 to 600", 0.05)


@dataclass(frozen=True, kw_only=True)
class Cut(RequestFault):
    """Closes the connection once the share `keep` of the announced body is sent."""

    kind: ClassVar[str] = "cut"
    keep: float = _rule(lambda v: _number(v) and 0 <= v < 1, "numbers from 0 to below 1", 0.5)


@dataclass(frozen=True, kw_only=True)
class Body(RequestFault):
    """Answers any text with any status and content type."""

    kind: ClassVar[str] = "body"
    body: str = _rule(lambda v: isinstance(v, str), "texts")
    status: int = _rule(_integer(200, 599), "whole numbers from 200 to 599", 200)
    content_type: str = _rule(
        lambda v: _text(v) and v.isascii() and v.isprintable(),
        "printable ASCII texts",
        "application/json; charset=utf-8",
    )


@dataclass(frozen=True, kw_only=True)
class CoinFault(Fault):
    """Applies to one coin, by its id, until cleared."""

    coin: str = _rule(_text, "coin ids")


@dataclass(frozen=True, kw_only=True)
class NullPrice(CoinFault):
    """Sets the row's current_price to null."""

    kind: ClassVar[str] = "null_price"


@dataclass(frozen=True, kw_only=True)
class Frozen(CoinFault):
    """Stops the row from changing from the moment the fault is set."""

    kind: ClassVar[str] = "frozen"


@dataclass(frozen=True, kw_only=True)
class Retired(CoinFault):
    """Removes the coin from every page and list; its chart is not found."""

    kind: ClassVar[str] = "retired"


@dataclass(frozen=True, kw_only=True)
class Price(CoinFault):
    """Sets the row's current_price to `value`, with a new last_updated at every request."""

    kind: ClassVar[str] = "price"
    value: int | float = _rule(_number, "finite numbers (a body fault can send any other text)")


KINDS: dict[str, type[Fault]] = {
    cls.kind: cls
    for cls in (
        RateLimited, ServerError, Slow, Trickle, Cut, Body, NullPrice, Frozen, Retired, Price
    )
}  # fmt: skip


def without_prefix(path: str) -> str:
    """Returns the path without a leading `/api/v3`."""
    return path.removeprefix(PREFIX) if path.startswith(f"{PREFIX}/") else path


def read_faults(text: str | bytes) -> list[Fault]:
    """Reads the faults of a JSON list of objects, each with its `kind` and that kind's fields.

    Raises FaultError for anything else, including bad UTF-8 and numbers too long to read.
    """
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise FaultError(f"faults are not JSON: {plain(error)}") from error
    return parse_faults(document)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def parse_faults(document: object) -> list[Fault]:
    """Reads the faults of a decoded JSON document, as `read_faults` does."""
    if not isinstance(document, list):
        raise FaultError(f"faults are a {type(document).__name__}: a list of objects is needed")
    return [_parse(entry, f"faults[{place}]") for place, entry in enumerate(document)]


def _parse(entry: object, where: str) -> Fault:
    if not isinstance(entry, dict):
        raise FaultError(f"{where} is a {type(entry).__name__}: an object is needed")
    values = dict(entry)
    kind = values.pop("kind", None)
    cls = KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise FaultError(f"{where}: kind is {kind!r}: allowed are {', '.join(sorted(KINDS))}")
    rules = {rule.name: rule for rule in fields(cls)}
    known = ", ".join(sorted(rules))
    for name in values:
        if name not in rules:
            raise FaultError(f"{where}: {kind} has no {name!r}: allowed are {known}")
    for name, rule in rules.items():
        if rule.default is MISSING and name not in values:
            allowed = rule.metadata["allowed"]
            raise FaultError(f"{where}: {kind} needs {name}: allowed are {allowed}")
    try:
        return cls(**values)
    except FaultError as error:
        raise FaultError(f"{where}: {error}") from None


@dataclass(frozen=True)
class CoinFaults:
    """The coin faults of one moment; `frozen` has the time of each, in milliseconds since 1970."""

    retired: frozenset[str] = frozenset()
    null_price: frozenset[str] = frozenset()
    frozen: dict[str, int] = field(default_factory=dict)
    price: dict[str, int | float] = field(default_factory=dict)


class FaultRegistry:
    """The active faults. It may be used by many threads at once."""

    def __init__(self, faults: Iterable[Fault] = (), now: int = 0) -> None:
        """`now` is when the faults were set, in milliseconds since 1970."""
        self._lock = Lock()
        self._request_faults: list[tuple[RequestFault, int | None]] = []
        self._coins = CoinFaults()
        self._coin_faults: dict[tuple[str, str], tuple[CoinFault, int]] = {}
        self._stamp = 0
        self.add(faults, now)

    def add(self, faults: Iterable[Fault], now: int) -> None:
        """Adds faults; a second one of the same kind on the same coin replaces the first."""
        with self._lock:
            for fault in faults:
                if isinstance(fault, RequestFault):
                    self._request_faults.append((fault, fault.times))
                elif isinstance(fault, CoinFault):
                    self._coin_faults[fault.kind, fault.coin] = fault, now
            found = [fault for fault, _ in self._coin_faults.values()]
            self._coins = CoinFaults(
                retired=frozenset(f.coin for f in found if isinstance(f, Retired)),
                null_price=frozenset(f.coin for f in found if isinstance(f, NullPrice)),
                frozen={
                    f.coin: at for f, at in self._coin_faults.values() if isinstance(f, Frozen)
                },
                price={f.coin: f.value for f in found if isinstance(f, Price)},
            )

    def clear(self) -> None:
        """Removes all faults."""
        with self._lock:
            self._request_faults.clear()
            self._coin_faults.clear()
            self._coins = CoinFaults()

    def next_fault(self, path: str) -> RequestFault | None:
        """Returns the oldest fault that applies to a request for `path`, and counts its use."""
        with self._lock:
            for place, (fault, left) in enumerate(self._request_faults):
                if fault.applies_to(path):
                    if left == 1:
                        del self._request_faults[place]
                    elif left is not None:
                        self._request_faults[place] = (fault, left - 1)
                    return fault
        return None

    def coins(self) -> CoinFaults:
        """Returns the coin faults of this moment; later changes do not alter the result."""
        return self._coins

    def stamp(self, now: int) -> int:
        """Returns `now`, or the least later time that exceeds every stamp before."""
        with self._lock:
            self._stamp = max(now, self._stamp + 1)
            return self._stamp

    def document(self) -> list[dict[str, Any]]:
        """Returns the active faults in the form that sets them; `times` is how many are left."""
        with self._lock:
            left = [
                {"kind": f.kind, **asdict(f), "times": times} for f, times in self._request_faults
            ]
            coins = [{"kind": f.kind, **asdict(f)} for f, _ in self._coin_faults.values()]
            return left + coins
