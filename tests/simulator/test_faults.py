"""Faults: read with clear errors."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.fault_registry import FaultBook
from simulator.faults import (
    Body,
    Cut,
    Fault,
    FaultError,
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
    book = FaultBook(EVERY)
    assert read_faults(json.dumps(book.document())) == EVERY


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
        ('[{"kind": "price", "coin": "a", "value": NaN}]', "not JSON: NaN is no JSON number"),
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
    assert parse_faults(FaultBook(faults).document()) == faults
