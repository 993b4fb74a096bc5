"""Hostile events: messages on `crypto.update` that are none."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import nats

from bench.harness.services import wait_until
from bench.harness.system import System

GOOD = b'{"trigger":"update","timestamp":"2026-11-22T08:30:00.000Z"}'
ODD_IDS: tuple[Any, ...] = (
    *("", " ", "a b", "a\nb", "a\x00b", "-a", ".a", "$where", "a/b", "ä", "\ud800", "a" * 65),
    *(0, 1.5, True, [], {}, ["a"], {"$gt": ""}),
)
ODD_TIMES: tuple[Any, ...] = (
    0,
    True,
    [],
    {},
    "",
    "now",
    "2026-13-01T00:00:00Z",
    "2026-11-22T25:00Z",
    "\x00",
)
OTHERS: tuple[Any, ...] = (
    "other",
    "UPDATE",
    "update ",
    "",
    None,
    True,
    1,
    1e300,
    [],
    ["update"],
    {"a": "update"},
)

Message = tuple[bytes, dict[str, str]]


def _random(dice: random.Random) -> bytes:
    return dice.randbytes(dice.randrange(300))


def _cut(dice: random.Random) -> bytes:
    return GOOD[: dice.randrange(len(GOOD))]


def _deep(dice: random.Random) -> bytes:
    depth = dice.choice((900, 1100, 10_000, 30_000))
    start, end = dice.choice(((b"[", b"]"), (b'{"trigger":', b"}")))
    if len(start) * depth > 60_000:
        depth = 900
    return start * depth + dice.choice((b"1", b"")) + end * depth


def _huge(dice: random.Random) -> bytes:
    size = dice.choice((65_537, 200_000, 1_000_000))
    return b'{"trigger":"update","x":"' + b"a" * size + b'"}'


def _typed(dice: random.Random) -> bytes:
    return json.dumps(dice.choice((None, True, 0, -1.5, "update", [], ["trigger"], [{}]))).encode()


def _spoilt(dice: random.Random) -> bytes:
    name, values = dice.choice((("id", ODD_IDS), ("timestamp", ODD_TIMES), ("trigger", OTHERS)))
    return json.dumps({"trigger": "update", name: dice.choice(values)}).encode()


def _future(dice: random.Random) -> bytes:
    slot = f"20{dice.randint(30, 99)}-01-01T00:00Z"  # a slot of most schedules, of NEVER too
    return json.dumps({"trigger": "update", "id": slot}).encode()


def _odd_text(dice: random.Random) -> bytes:
    return dice.choice(
        (
            GOOD.decode().encode("utf-16")[:-1],
            GOOD + b"\x00",
            GOOD + GOOD,
            b"\xff" + GOOD,
            GOOD.replace(b'"', b"'"),
            b'{"trigger":' + b"9" * 5000 + b"}",
            b'{"trigger":NaN}',
            b'{"trigger":"update","trigger":"other"}',
            b"<html><body>update</body></html>",
            b"",
        )
    )


KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    *(_random, _cut, _typed, _spoilt, _spoilt, _future, _odd_text),
)


def messages(seed: int) -> Iterator[Message]:
    """Malformed messages without end, with their headers; the same for the same seed."""
    dice = random.Random(seed)
    # JetStream keeps 128 MB: of the large ones a few are enough.
    for number, large in enumerate((_deep, _huge) * 10_000):
        yield large(dice), {}
        for _ in range(49):
            yield dice.choice(KINDS)(dice), _headers(dice, number)


def _headers(dice: random.Random, number: int) -> dict[str, str]:
    return dice.choice(
        (
            {},
            {},
            {"X-Odd": "ä\t" * 50},
            {"Content-Type": "text/html", "traceparent": "x"},
            {"Nats-Msg-Id": f"hostile-{number}-{dice.getrandbits(64):x}"},
        )
    )


@dataclass(frozen=True)
class Result:
    """What came of so many messages; seconds until all were set aside, and of the next good one."""

    sent: int
    set_aside: int
    seconds: float
    good_seconds: float
    new_updates: int
    lost_processes: list[str]


def strike(system: System, count: int, seed: int) -> Result:
    """Sends messages to a running system, then one good event; what came of them."""
    simulator = system.market()
    processes = {one.pid: " ".join(one.cmdline()[:4]) for one in system.processes()}
    dead, updates = _dead(system), _updates(system)
    begun = time.monotonic()
    asyncio.run(_send(system.server("nats"), count, seed))
    # Redeliveries end in the same letter: more than were sent would be a fault.
    wait_until(lambda: _dead(system) >= dead + count, "all to be set aside", 60 + count / 20)
    seconds = time.monotonic() - begun
    simulator.fault("price", coin="bitcoin", value=71234.5)
    good = time.monotonic()
    asyncio.run(_publish(system.server("nats"), [(b'{"trigger":"update","id":"good"}', {})]))
    wait_until(
        lambda: system.get("/stats?coin=bitcoin").json().get("price") == 71234.5, "the good one"
    )
    good_seconds = time.monotonic() - good
    left = {one.pid for one in system.processes()}
    return Result(
        sent=count,
        set_aside=_dead(system) - dead,
        seconds=seconds,
        good_seconds=good_seconds,
        new_updates=_updates(system) - updates,
        lost_processes=[name for pid, name in processes.items() if pid not in left],
    )


async def _send(url: str, count: int, seed: int) -> None:
    source = messages(seed)
    for start in range(0, count, 500):
        await _publish(url, [next(source) for _ in range(min(500, count - start))])


async def _publish(url: str, batch: list[Message]) -> None:
    client = await nats.connect(url)
    js = client.jetstream()
    for data, headers in batch:
        # Each is acknowledged: what the stream refused would not be set aside.
        await js.publish("crypto.update", data, headers=headers or None)
    await client.close()


def _dead(system: System) -> int:
    return int(system.get("/ready").json()["dead_letters"])


def _updates(system: System) -> int:
    answer = system.get("/v1/updates?page_size=1")
    return int(json.loads(answer.headers["X-Pagination"])["total"])
