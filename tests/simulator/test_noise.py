"""Noise: the same at every asking, and spread evenly."""

import statistics

import pytest

from simulator.noise import cell, hash64, stream_of, uniform


def test_the_finishing_steps_are_those_of_splitmix64() -> None:
    # The first three numbers of the reference implementation, seeded with 0.
    step = 0x9E3779B97F4A7C15
    assert hash64(0, 1) == 0xE220A8397B1DCDAF
    assert hash64(step, 1) == hash64(0, 2) == 0x6E789E6AA1B965F4
    assert hash64(0, 3) == 0x06C45D188009454F


def test_a_stream_follows_from_seed_and_name_alone() -> None:
    assert stream_of(1, "bitcoin") == stream_of(1, "bitcoin")
    names = [(seed, name) for seed in range(100) for name in ("bitcoin", "ethereum")]
    assert len({stream_of(*name) for name in names}) == 200


def test_units_are_spread_evenly_from_0_to_1() -> None:
    units = [uniform(7, k) for k in range(10_000)]
    assert 0 <= min(units) < 0.01
    assert 0.99 < max(units) <= 1
    assert statistics.fmean(units) == pytest.approx(0.5, abs=0.02)


def test_where_a_cell_ends_the_next_begins() -> None:
    for index in range(-50, 50):
        left, way = cell(7, index)
        assert -1 <= left <= 1
        assert left + way == pytest.approx(cell(7, index + 1)[0])
