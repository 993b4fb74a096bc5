"""Hostile answers of the source, and what may come of them."""

import json
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.database import Database

from bench.harness.services import SimulatorControl

Document = dict[str, Any]
Fault = dict[str, Any]
# Name of an update to what the ledger says of it when it has ended.
Carry = Callable[[str], Document]

IDS = ("bitcoin", "ethereum", "litecoin", "dogecoin", "solana")
ODD_IDS: tuple[Any, ...] = (
    *("a\nb", "a\x00b", "", " ", "\t", "a" * 128, "a" * 129, "$where", "a.b", "é", "\u200b"),
    *("__proto__", "🚀", "<script>", "../x", None, 0, True, [], {}, {"$gt": ""}),
)
TOKENS = (
    *("NaN", "Infinity", "-Infinity", "-0.0", "1e308", "1e400", "5e-324", "-1", "0", "null"),
    *(
        "true",
        '"1"',
        '""',
        "[]",
        "{}",
        "[1]",
        '{"$numberDouble":"NaN"}',
        "9" * 400,
        "0x10",
        "\u0661",
    ),
    *("0." + "1" * 400, "9" * 5000, "18446744073709551616", "-9223372036854775809"),
)
TIMES: tuple[Any, ...] = (
    *("now", "", "2026-13-01", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "+1"),
    *("1969-12-31T00:00:00Z", "2026-11-22T08:30:00", 0, None, True, [], "2099-01-01T00:00:00Z"),
)
FIELDS = (
    *("market_cap", "total_volume", "price_change_percentage_24h", "market_cap_rank", "name"),
    *("symbol", "image"),
)


def _now(dice: random.Random) -> str:
    moment = datetime.now(UTC) - timedelta(microseconds=dice.randrange(10**9))
    return moment.isoformat(timespec="milliseconds")


def _row(dice: random.Random, coin: Any = None) -> Fault:
    return {
        "id": coin or dice.choice(IDS),
        "symbol": "x",
        "name": "X",
        "current_price": dice.uniform(0, 1e5),
        "last_updated": _now(dice),
    }


def _any(dice: random.Random, depth: int = 0) -> Any:
    if depth > 4 or dice.random() < 0.5:
        return dice.choice((None, True, 0, -1, 1.5, "", "bitcoin", "\u0000", 10**25, _now(dice)))
    if dice.random() < 0.5:
        return [_any(dice, depth + 1) for _ in range(dice.randrange(6))]
    keys = ("id", "current_price", "last_updated", "name", "error", "status", "$gt", "")
    return {dice.choice(keys): _any(dice, depth + 1) for _ in range(dice.randrange(6))}


def _any_json(dice: random.Random) -> str:
    return json.dumps(_any(dice))


def _any_rows(dice: random.Random) -> str:
    return json.dumps([_any(dice) for _ in range(9)] + [_row(dice)])


def _html(dice: random.Random) -> str:
    return "<!DOCTYPE html><html><body>" + "x" * dice.randrange(5000) + "</body></html>"


def _cut(dice: random.Random) -> str:
    text = json.dumps([_row(dice) for _ in range(20)])
    return text[: dice.randrange(1, len(text))]


def _deep(dice: random.Random) -> str:
    depth = dice.choice((100, 900, 1000, 1020, 1100, 50_000))
    start, end = dice.choice((("[", "]"), ('{"error":', "}"), ('{"status":', "}"), ('{"a":', "}")))
    text = start * depth + "1" + end * depth
    return dice.choice((text, f'[{{"id":"bitcoin","current_price":{text}}}]'))


def _number(dice: random.Random) -> str:
    row = json.dumps(_row(dice) | {"current_price": 0})
    bad = row.replace('"current_price": 0', f'"current_price": {dice.choice(TOKENS)}')
    return f"[{bad}, {json.dumps(_row(dice, 'cardano'))}]"


def _typed(dice: random.Random) -> str:
    spoilt = {name: _any(dice) for name in FIELDS if dice.random() < 0.5}
    return json.dumps([_row(dice) | spoilt, _row(dice) | {dice.choice(FIELDS): "x" * 5000}])


def _timed(dice: random.Random) -> str:
    rows = [_row(dice, coin) | {"last_updated": dice.choice(TIMES)} for coin in IDS]
    return json.dumps([*rows, _row(dice, "cardano")])


def _odd_ids(dice: random.Random) -> str:
    rows = [_row(dice) | {"id": dice.choice(ODD_IDS)} for _ in range(6)]
    return json.dumps(rows, ensure_ascii=dice.random() < 0.5)


def _doubles(dice: random.Random) -> str:
    return json.dumps([_row(dice, "bitcoin") for _ in range(20)])


def _many(dice: random.Random) -> str:
    return json.dumps([_row(dice, f"coin-{dice.getrandbits(40)}") for _ in range(1000)])


def _huge(dice: random.Random) -> str:
    return "[" + " " * 5_000_001 + json.dumps(_row(dice)) + "]"


BODIES: tuple[Callable[[random.Random], str], ...] = (
    *(_any_json, _any_rows, _html, _cut, _deep, _number, _number, _typed, _timed, _odd_ids),
    *(_doubles, _many),
)


def answers(seed: int) -> Iterator[tuple[str, Fault]]:
    """Faults for the simulator without end, with their names; the same kinds for the same seed.

    (Times of rows are of the moment they are made, or they would be no new quotes.)
    """
    dice = random.Random(seed)
    turn = 0
    while True:
        for make in BODIES:
            status = 200 if dice.random() < 0.8 else dice.choice((201, 204, 304, 400, 403, 451))
            yield make.__name__.strip("_"), _body(make(dice), status, dice)
        yield "status", _body(_deep(dice), dice.choice((401, 404, 408, 429, 500, 503)), dice)
        price = dice.choice((0, -1, -0.0, 1e308, 5e-324, 10**400))
        yield from (
            ("slow", {"kind": "slow", "delay": 0.2, "times": 1}),
            ("trickle", {"kind": "trickle", "chunk": 4000, "delay": 0.001, "times": 1}),
            ("cut off", {"kind": "cut", "keep": dice.random(), "times": None}),
            ("null_price", {"kind": "null_price", "coin": "bitcoin"}),
            ("price", {"kind": "price", "coin": "bitcoin", "value": price}),
        )
        if turn % 10 == 0:
            yield "huge", _body(_huge(dice), 200, dice)
        turn += 1


def _body(text: str, status: int, dice: random.Random) -> Fault:
    types = ("application/json; charset=utf-8", "text/html", "application/octet-stream")
    fault = {"kind": "body", "status": status, "times": None, "content_type": dice.choice(types)}
    return fault | {"body": text}


@dataclass
class Tally:
    """How many answers of which kind, how the updates ended, and what was wrong with them."""

    kinds: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    quotes: int = 0
    named: int = 0
    faults: list[str] = field(default_factory=list)


def strike(
    simulator: SimulatorControl, database: Database[Document], carry: Carry, count: int, seed: int
) -> Tally:
    """Gives each answer to an update of its own, and judges what became of it."""
    tally = Tally()
    ever: set[tuple[str, float | None]] = set()
    for number, (kind, fault) in zip(range(count), answers(seed), strict=False):
        simulator.clear()
        simulator.fault(**fault)
        begun = datetime.now(UTC) - timedelta(milliseconds=1)
        served = simulator.served(10**17)["next"]
        update = carry(f"hostile-{number}")
        rows = given(fault) + [
            (row["id"], row["price"]) for row in simulator.served(served)["rows"]
        ]
        # A price that is held is stored by a later update.
        ever |= {(coin, _float(price)) for coin, price in rows if isinstance(coin, str)}
        quotes = list(database["quotes"].find({"recorded_at": {"$gte": begun}}))
        tally.kinds[kind] += 1
        tally.states[update["state"]] += 1
        tally.quotes += len(quotes)
        tally.named += len(update.get("left_out") or [])
        for wrong in _faults(update, quotes, rows, ever):
            tally.faults.append(f"{kind} {number}: {wrong}: {str(fault)[:300]}")
    simulator.clear()
    return tally


def given(fault: Fault) -> list[tuple[Any, Any]]:
    """The (id, price) pairs that a body really has, read by another decoder than the client's."""
    if fault["kind"] != "body" or fault["status"] != 200:
        return []
    try:
        found = json.loads(fault["body"])
    except (ValueError, RecursionError):
        found = _rows(fault["body"])
    if not isinstance(found, list):
        return []
    return [(row.get("id"), row.get("current_price")) for row in found if isinstance(row, dict)]


def _rows(body: str) -> list[Any]:
    """The rows of a list of which one cannot be read."""
    found = []
    for text in re.split(r"(?<=[}\]]), (?=[{\[])", body.removeprefix("[").removesuffix("]")):
        with suppress(ValueError, RecursionError):
            found.append(json.loads(text))
    return found


def _faults(
    update: Document,
    quotes: list[Document],
    rows: list[tuple[Any, Any]],
    served: set[tuple[str, float | None]],
) -> Iterator[str]:
    if update["state"] not in ("done", "failed"):
        yield f"the update is {update['state']}"
    if update["state"] == "failed" and not update["error"]:
        yield "failed without a reason"
    if update["state"] == "failed" and quotes:
        yield "quotes of a failed update"
    for quote in quotes:
        coin, price = quote["_id"]["coin"], quote["price"]
        if type(price) is not float or not math.isfinite(price) or price < 0:
            yield f"the price of {coin!r} is {price!r}"
        elif (coin, price) not in served:
            yield f"nobody served {price!r} for {coin!r}"
    named = {one["coin"] for name in ("left_out", "ticks") for one in update.get(name) or []}
    stored = {quote["_id"]["coin"] for quote in quotes}
    # A failed call names itself; of one that is kept, each row is a quote or has a name.
    if update["state"] == "done" and not update["error"]:
        for coin, _ in rows:
            if isinstance(coin, str) and 0 < len(coin) <= 128 and coin.isprintable():
                if coin not in named | stored and not update["counts"]["unchanged"]:
                    yield f"nothing is said of {coin!r}"
            elif not named - stored:
                yield f"nothing is said of a row with the id {coin!r}"


def _float(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
