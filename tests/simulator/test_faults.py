"""Faults: read with clear errors."""

import json
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.faults import (
    Body,
    Cut,
    Fault,
    FaultError,
    FaultRegistry,
    Frozen,
    NullPrice,
    Price,
    RateLimited,
    Retired,
    ServerError,
    Slow,
    Trickle,
    parse_faults,
    read_faults,
)

EVERY: list[Fault] = [
    RateLimited(retry_after=None, form="html", times=3, path="/coins"),
    ServerError(status=504),
    Slow(delay=0.5, times=None),
    Trickle(chunk=3, delay=0),
    Cut(keep=0),
    Body(body="NaN", status=200, content_type="text/plain"),
    NullPrice(coin="a"),
    Frozen(coin="a"),
    Retired(coin="b"),
    Price(coin="a", value=-1e308),
]


def test_every_kind_comes_back_from_its_own_document() -> None:
    registry = FaultRegistry(EVERY)
    assert read_faults(json.dumps(registry.document())) == EVERY


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "faults are not JSON: Expecting property name"),
        ("{}", "faults are a dict: a list of objects is needed"),
        ("[3]", r"faults\[0\] is a int: an object is needed"),
        ('[{"kind": "slow", "delay": 1}, {}]', r"faults\[1\]: kind is None: allowed are body, cut"),
        ('[{"kind": ["slow"]}]', r"kind is \['slow'\]: allowed are"),
        ('[{"kind": "slow"}]', r"faults\[0\]: slow needs delay: allowed are seconds from 0 to 600"),
        ('[{"kind": "slow", "delay": "1"}]', "slow: delay is '1': allowed are seconds"),
        ('[{"kind": "slow", "delay": true}]', "slow: delay is True: allowed are seconds"),
        ('[{"kind": "slow", "delay": 1e999}]', "slow: delay is inf: allowed are seconds"),
        ('[{"kind": "slow", "delay": 1, "tims": 2}]', "slow has no 'tims': allowed are delay, pa"),
        ('[{"kind": "cut", "times": 0}]', "cut: times is 0: allowed are whole numbers from 1"),
        ('[{"kind": "cut", "times": 1.0}]', "cut: times is 1.0: allowed are whole numbers from 1"),
        ('[{"kind": "cut", "keep": 1}]', "cut: keep is 1: allowed are numbers from 0 to below 1"),
        ('[{"kind": "cut", "path": "coins"}]', "cut: path is 'coins': allowed are a path begin"),
        ('[{"kind": "trickle", "chunk": 0}]', "trickle: chunk is 0: allowed are whole bytes"),
        ('[{"kind": "server_error", "status": 501}]', "status is 501: allowed are 500, 502, 503"),
        ('[{"kind": "rate_limited", "form": "xml"}]', "form is 'xml': allowed are html, json, te"),
        ('[{"kind": "rate_limited", "retry_after": 1.5}]', "retry_after is 1.5: allowed are whole"),
        ('[{"kind": "body", "body": 1}]', "body: body is 1: allowed are texts"),
        ('[{"kind": "body", "body": "", "content_type": "a\\nb"}]', "content_type is 'a.*allowed"),
        ('[{"kind": "frozen", "coin": ""}]', "frozen: coin is '': allowed are coin ids"),
        ('[{"kind": "frozen"}]', "frozen needs coin: allowed are coin ids"),
        ('[{"kind": "price", "coin": "a", "value": "1"}]', "value is '1': allowed are finite numb"),
        ('[{"kind": "price", "coin": "a", "value": NaN}]', "not JSON: NaN is not a JSON number"),
        ('[{"kind": "price", "coin": "a", "value": 1e999}]', "value is inf: allowed are finite"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(FaultError, match=message):
        read_faults(text)


@pytest.mark.parametrize("text", [b"\xff", "[" * 100_000, "[" + "9" * 5_000 + "]"])
def test_hostile_text_ends_in_a_fault_error(text: str | bytes) -> None:
    with pytest.raises(FaultError, match="faults are not JSON"):
        read_faults(text)


TEXTS = st.text("/a\n\x00é🏮", max_size=5)
ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
JSON = ATOMS | st.lists(ATOMS, max_size=2) | st.dictionaries(TEXTS, ATOMS, max_size=2)
NAMES = st.sampled_from([*(f.kind for f in EVERY), "x"])
FIELDS = st.sampled_from(["times", "path", "delay", "coin", "value", "status", "keep", "body"])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(NAMES, st.dictionaries(FIELDS, JSON))
def test_nothing_but_fault_errors_comes_of_bad_values(kind: str, values: dict[str, object]) -> None:
    try:
        faults = parse_faults([{"kind": kind, **values}])
    except FaultError:
        return
    assert parse_faults(FaultRegistry(faults).document()) == faults


def test_a_fault_strikes_as_often_as_it_says() -> None:
    registry = FaultRegistry([Slow(delay=0, times=2), Cut()])
    kinds = [fault and fault.kind for fault in (registry.next_fault("/x") for _ in range(4))]
    assert kinds == ["slow", "slow", "cut", None]


def test_the_times_left_are_shown() -> None:
    registry = FaultRegistry([Slow(delay=0, times=2)])
    registry.next_fault("/x")
    assert [entry["times"] for entry in registry.document()] == [1]


def test_a_fault_without_end_lasts_until_cleared() -> None:
    registry = FaultRegistry([Cut(times=None)])
    assert all(registry.next_fault("/x") for _ in range(50))
    registry.clear()
    assert registry.next_fault("/x") is None
    assert registry.document() == []


@pytest.mark.parametrize(
    ("wanted", "path", "struck"),
    [
        ("/coins/markets", "/api/v3/coins/markets", True),
        ("/api/v3/coins/markets", "/coins/markets", True),
        ("/coins", "/coins/bitcoin/market_chart", True),
        ("/coins/markets", "/coins/list", False),
        ("/simple", "/api/v3/ping", False),
        (None, "/ping", True),
    ],
)
def test_a_path_is_matched_by_its_beginning(wanted: str | None, path: str, struck: bool) -> None:
    assert (FaultRegistry([Cut(path=wanted)]).next_fault(path) is not None) == struck


def test_no_time_is_used_twice_by_threads_at_once() -> None:
    registry = FaultRegistry([Cut(times=500)])
    taken: list[object] = []

    def take() -> None:
        taken.extend(fault for fault in (registry.next_fault("/x") for _ in range(200)) if fault)

    threads = [Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 500


def test_coin_faults_add_up_and_the_newest_of_a_kind_counts() -> None:
    registry = FaultRegistry([Price(coin="a", value=1), Frozen(coin="a")], now=5)
    before = registry.coins()
    registry.add([Price(coin="a", value=2), NullPrice(coin="b"), Retired(coin="c")], now=9)
    faults = registry.coins()
    assert faults.price == {"a": 2}
    assert len(registry.document()) == 4
    assert faults.frozen == {"a": 5}
    assert faults.null_price == {"b"}
    assert faults.retired == {"c"}
    assert before.price == {"a": 1}
    registry.add([Frozen(coin="a")], now=12)
    assert registry.coins().frozen == {"a": 12}
    registry.clear()
    assert registry.coins().frozen == {}


def test_stamps_are_never_the_same() -> None:
    registry = FaultRegistry()
    assert [registry.stamp(now) for now in (10, 10, 9, 50, 50)] == [10, 11, 12, 50, 51]
