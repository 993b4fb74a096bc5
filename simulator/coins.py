"""Which coins the made-up market has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import log

from simulator.coin_data import KNOWN, ODD
from simulator.noise import hashed, stream_of, unit
from simulator.timestamps import DAY, HOUR

TOP = 100
"""The ranks up to this are all somebody's, and their rows are complete."""

_SYLLABLES = "bacodifeguhajikalominaorpaqurosa"
_SUFFIXES = ("", "", "-2", "-token", "-network", "-finance", "-[old]", "-protocol")
_STALE_HOURS = (2, 7, 19, 23, 26, 40, 90, 458)


@dataclass(frozen=True, slots=True, eq=False)
class Coin:
    """What does not change about a coin. `base` is the logarithm of its usual price in USD."""

    id: str
    symbol: str
    name: str
    stream: int
    base: float
    volatility: float
    pegged: bool
    wrapped: bool
    cap: float
    supply: float
    volume: float
    lag: int
    new: bool
    listed: int
    rank: int | None = None
    wide_rank: int | None = None


def coins_of(seed: int, count: int) -> list[Coin]:
    """The first `count` coins, by market cap; those without one come last.

    About a hundred that everybody knows, then made-up ones, the odd ones first.
    """
    found = [*_known(seed), *_odd(seed)][:count]
    found += [_made_up(seed, n) for n in range(count - len(found))]
    found.sort(key=lambda c: -c.cap)
    ranked = []
    rank = wide = 0
    for coin in found:
        if not coin.cap:
            ranked.append(coin)
            continue
        # Behind the well-known ones some ranks are nobody's.
        gap = int(rank > TOP and hashed(coin.stream, 1) % 17 == 0)
        wide += 1 + gap
        rank += 0 if coin.wrapped else 1 + gap
        ranked.append(replace(coin, rank=None if coin.wrapped else rank, wide_rank=wide))
    return ranked


def _listed(stream: int) -> int:
    return (16_100 + hashed(stream, 2) % 2_900) * DAY


def _known(seed: int) -> Iterable[Coin]:
    for place, line in enumerate(KNOWN.splitlines()):
        coin_id, symbol, name, price, cap, volume, flags = line.split("|")
        stream = stream_of(seed, coin_id)
        calm = 0.025 if place < 10 else 0.04
        yield Coin(
            id=coin_id, symbol=symbol, name=name, stream=stream, base=log(float(price)),
            volatility=0.0006 if flags == "s" else calm, pegged=flags == "s", wrapped=flags == "w",
            cap=float(cap) * 1e6, supply=float(cap) * 1e6 / float(price),
            volume=float(volume) * 1e6, lag=0, new=False,
            listed=15_823 * DAY if coin_id == "bitcoin" else _listed(stream),
        )  # fmt: skip


def _odd(seed: int) -> Iterable[Coin]:
    for place, line in enumerate(ODD.splitlines()):
        coin_id, symbol, name, price, hours, flags = line.split("|")
        stream = stream_of(seed, coin_id)
        cap = 0.0 if "z" in flags else 3e8 - place * 7e6
        # A coin at 2e-10 has to stay about there, so the smallest moves like a calm one.
        yield Coin(
            id=coin_id, symbol=symbol, name=name, stream=stream, base=log(float(price)),
            volatility=0.005 if float(price) < 1e-9 else 0.06, pegged=False, wrapped=False,
            cap=cap, supply=cap / float(price), volume=0.0 if "v" in flags else 3e5,
            lag=int(hours) * HOUR, new="n" in flags, listed=_listed(stream),
        )  # fmt: skip


def _syllable(place: int) -> str:
    return _SYLLABLES[2 * place : 2 * place + 2]


def _made_up(seed: int, place: int) -> Coin:
    """The coin of this place behind the odd ones; its id depends on the place alone."""
    letters = hashed(0xC01, place)
    word = "".join(_syllable(letters >> shift & 15) for shift in (0, 4, 8))
    suffix = _SUFFIXES[letters >> 12 & 7]
    coin_id = f"{word}{place}{suffix}"
    stream = stream_of(seed, coin_id)
    price = 10 ** (2 - 9 * unit(stream, 3) ** 1.5)
    cap = 2.4e8 * (100 / (100 + place)) ** 2.2
    kind = letters >> 16
    return Coin(
        id=coin_id, symbol=word[:4], name=f"{word.title()} {suffix.strip('-').title()}".strip(),
        stream=stream, base=log(price), volatility=0.04 + 0.06 * unit(stream, 4), pegged=False,
        wrapped=False, cap=0.0 if kind % 19 == 0 else cap, supply=cap / price,
        volume=0.0 if kind % 23 == 0 else cap * 10 ** (-1 - 4 * unit(stream, 5)),
        lag=_STALE_HOURS[kind >> 20 & 7] * HOUR if kind % 29 == 0 else 0,
        new=kind % 31 == 0, listed=_listed(stream),
    )  # fmt: skip
