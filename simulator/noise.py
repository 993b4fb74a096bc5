"""Noise that nothing remembers: each number follows from a stream and a place in it."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

MASK = (1 << 64) - 1
_CELLS = 1 << 17


def stream_of(seed: int, name: str) -> int:
    """64 bits that tell this name's stream from every other."""
    return int.from_bytes(blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "big")


def hashed(stream: int, index: int) -> int:
    """64 bits for a place on a lattice; the finishing steps are SplitMix64's."""
    x = (stream + index * 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & MASK
    return x ^ x >> 31


def unit(stream: int, index: int) -> float:
    """A number from 0 to 1."""
    return hashed(stream, index) / 2**64


@lru_cache(maxsize=_CELLS)
def cell(stream: int, index: int) -> tuple[float, float]:
    """The lattice value left of a cell, from -1 to 1, and the way to the one on its right."""
    left = hashed(stream, index) / 2**63 - 1
    return left, hashed(stream, index + 1) / 2**63 - 1 - left
