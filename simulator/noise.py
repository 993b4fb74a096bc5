"""Deterministic noise: each number is a pure function of a stream and a place in it."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

MASK = (1 << 64) - 1
_CELLS = 1 << 17


def stream_of(seed: int, name: str) -> int:
    """Returns 64 bits that identify the stream of this name."""
    return int.from_bytes(blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "big")


def hash64(stream: int, index: int) -> int:
    """Returns 64 bits for a place on a lattice, mixed by the last steps of SplitMix64."""
    x = (stream + index * 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & MASK
    return x ^ x >> 31


def uniform(stream: int, index: int) -> float:
    """Returns a number from 0 to 1."""
    return hash64(stream, index) / 2**64


@lru_cache(maxsize=_CELLS)
def cell(stream: int, index: int) -> tuple[float, float]:
    """Returns the lattice value left of a cell, from -1 to 1, and the step to the next value."""
    left = hash64(stream, index) / 2**63 - 1
    return left, hash64(stream, index + 1) / 2**63 - 1 - left
