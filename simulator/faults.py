"""Scripted faults: what the simulator shall do wrong, and for how many requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field, fields
from math import isfinite
from typing import Any, ClassVar

from logs.redaction import plain

PREFIX = "/api/v3"


class FaultError(ValueError):
    """A fault that cannot be: the message names the value and says what is allowed."""


def _rule(check: Callable[[Any], bool], allowed: str, default: Any = MISSING) -> Any:
    return field(default=default, metadata={"check": check, "allowed": allowed})


def _whole(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= most


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
    """The root of all faults; `kind` is the name in JSON."""

    kind: ClassVar[str]

    def __post_init__(self) -> None:
        for rule in fields(self):
            value = getattr(self, rule.name)
            if not rule.metadata["check"](value):
                raise FaultError(_refusal(self.kind, rule, value))


def _refusal(kind: str, rule: Field[Any], value: object) -> str:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return f"{kind}: {rule.name} is {shown}: allowed are {rule.metadata['allowed']}"


@dataclass(frozen=True, kw_only=True)
class RequestFault(Fault):
    """Strikes the next `times` requests (None: until cleared) whose path begins with `path`."""

    times: int | None = _rule(
        lambda v: v is None or (type(v) is int and v >= 1), "whole numbers from 1, or null", 1
    )
    path: str | None = _rule(
        lambda v: v is None or (isinstance(v, str) and v.startswith("/")),
        "a path beginning with /, or null",
        None,
    )

    def strikes(self, path: str) -> bool:
        """Whether a request for `path` is meant; `/api/v3` before either makes no difference."""
        return self.path is None or bare(path).startswith(bare(self.path))


@dataclass(frozen=True, kw_only=True)
class RateLimited(RequestFault):
    """429 in one of its three forms; `retry_after` in seconds, None: without the header."""

    kind: ClassVar[str] = "rate_limited"
    retry_after: int | None = _rule(
        lambda v: v is None or _whole(0, 86_400)(v), "whole seconds from 0 to 86400, or null", 60
    )
    form: str = _rule(
        lambda v: isinstance(v, str) and v in {"json", "html", "text"}, "html, json, text", "json"
    )


@dataclass(frozen=True, kw_only=True)
class ServerError(RequestFault):
    """An HTML page with a status of 500, 502, 503 or 504."""

    kind: ClassVar[str] = "server_error"
    status: int = _rule(
        lambda v: type(v) is int and v in {500, 502, 503, 504}, "500, 502, 503, 504", 500
    )


@dataclass(frozen=True, kw_only=True)
class Slow(RequestFault):
    """`delay` seconds pass before the answer, which is then of that later moment."""

    kind: ClassVar[str] = "slow"
    delay: float = _rule(_seconds, "seconds from 0 to 600")


@dataclass(frozen=True, kw_only=True)
class Trickle(RequestFault):
    """The body comes `chunk` bytes at a time with `delay` seconds between."""

    kind: ClassVar[str] = "trickle"
    chunk: int = _rule(_whole(1, 1_000_000), "whole bytes from 1 to 1000000", 16)
    delay: float = _rule(_seconds, "seconds from 0 to 600", 0.05)


@dataclass(frozen=True, kw_only=True)
class Cut(RequestFault):
    """The connection closes when the part `keep` of the promised body has been sent."""

    kind: ClassVar[str] = "cut"
    keep: float = _rule(lambda v: _number(v) and 0 <= v < 1, "numbers from 0 to below 1", 0.5)


@dataclass(frozen=True, kw_only=True)
class Body(RequestFault):
    """Any text as the body, with any status and content type."""

    kind: ClassVar[str] = "body"
    body: str = _rule(lambda v: isinstance(v, str), "texts")
    status: int = _rule(_whole(200, 599), "whole numbers from 200 to 599", 200)
    content_type: str = _rule(
        lambda v: _text(v) and v.isascii() and v.isprintable(),
        "printable ASCII texts",
        "application/json; charset=utf-8",
    )


@dataclass(frozen=True, kw_only=True)
class CoinFault(Fault):
    """Lies on one coin, by its id, until cleared."""

    coin: str = _rule(_text, "coin ids")


@dataclass(frozen=True, kw_only=True)
class NullPrice(CoinFault):
    """The row's current_price is null."""

    kind: ClassVar[str] = "null_price"


@dataclass(frozen=True, kw_only=True)
class Frozen(CoinFault):
    """The row stands still from the moment the fault was set."""

    kind: ClassVar[str] = "frozen"


@dataclass(frozen=True, kw_only=True)
class Retired(CoinFault):
    """The coin is in no page and no list, and its chart is not found."""

    kind: ClassVar[str] = "retired"


@dataclass(frozen=True, kw_only=True)
class Price(CoinFault):
    """The row's current_price is `value`, with a new last_updated at every request."""

    kind: ClassVar[str] = "price"
    value: int | float = _rule(_number, "finite numbers (a body fault can send any other text)")


KINDS: dict[str, type[Fault]] = {
    cls.kind: cls
    for cls in (
        RateLimited, ServerError, Slow, Trickle, Cut, Body, NullPrice, Frozen, Retired, Price
    )
}  # fmt: skip


def bare(path: str) -> str:
    """The path without `/api/v3` before it."""
    return path.removeprefix(PREFIX) if path.startswith(f"{PREFIX}/") else path


def read_faults(text: str | bytes) -> list[Fault]:
    """The faults of a JSON list of objects, each with its `kind` and that kind's fields.

    Raises FaultError for anything else, bad UTF-8 and numbers too long to read included.
    """
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise FaultError(f"faults are not JSON: {plain(error)}") from error
    return parse_faults(document)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def parse_faults(document: object) -> list[Fault]:
    """As `read_faults`, from what the JSON decoded to."""
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
