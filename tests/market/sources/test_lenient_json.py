"""JSON that is not quite valid: each row by itself, and what is no list is refused as before."""

import json
import math
import time
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.sources.lenient_json import Unreadable, loads

DEEP = "[" * 5000 + "]" * 5000


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        ("1e400", math.inf),
        ("-Infinity", -math.inf),
        ("9" * 5000, math.inf),
        ("9" * 30, 10**30 - 1),
        (r'"\ud800"', "\ud800"),
        ('"a\x01\tb"', "a\x01\tb"),
        (r'"\u0000"', "\x00"),
    ],
)
def test_a_bad_value_is_read_as_what_it_is(bad: str, found: Any) -> None:
    body = f'[{{"id": "a", "price": {bad}}}, {{"id": "b"}}]'.encode()
    assert loads(body) == [{"id": "a", "price": found}, {"id": "b"}]


def test_nan_and_bad_utf_8_are_read_too() -> None:
    row, other = loads(b'\xef\xbb\xbf[{"id": "a\xff", "price": NaN}, 1]\n')
    assert (row["id"], math.isnan(row["price"]), other) == ("a\udcff", True, 1)


@pytest.mark.parametrize("bad", [DEEP, "1.", "01", "undefined", "tru", "'x'", "[1,]", "1 2", ""])
def test_a_row_that_is_not_json_keeps_its_id_and_loses_no_other(bad: str) -> None:
    body = f'[{{"id": "a", "x": "[{{,"}}, {{"id": "b", "price": {bad}}}, {{"id": "c"}}]'
    first, second, third = loads(body.encode())
    assert (first["id"], third["id"]) == ("a", "c")
    assert isinstance(second, Unreadable)
    assert second.id == "b"
    assert second.reason.startswith("its row is not valid JSON: ")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        "[",
        "[1, 2",
        '[{"id": "a"}',
        '["a]',
        "[1] x",
        "]",
        "[" * 99_999,
        f'{{"a":{DEEP}}}',
    ],
)
def test_what_is_not_whole_or_no_json_is_refused(body: str) -> None:
    with pytest.raises(ValueError):
        loads(body.encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text() | st.floats(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)


@given(JSON)
def test_what_a_strict_reader_takes_is_read_alike(document: Any) -> None:
    text = json.dumps(document)
    try:
        strict = orjson.loads(text)
    except orjson.JSONDecodeError:
        return
    assert loads(text.encode()) == strict


@given(st.lists(JSON, min_size=1), st.data())
def test_each_row_is_read_whatever_stands_beside_it(rows: list[Any], data: st.DataObject) -> None:
    texts = [json.dumps(row, allow_nan=True) for row in rows]
    place = data.draw(st.integers(0, len(rows)))
    body = ", ".join([*texts[:place], '{"id": "bad", "x": 1.}', *texts[place:]])
    found = loads(f"[{body}]".encode())
    bad = found.pop(place)
    assert isinstance(bad, Unreadable)
    assert bad.id == "bad"
    assert json.dumps(found) == json.dumps(rows)


@given(st.binary())
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    for one in (body, b"[" + body + b"]"):
        with suppress(ValueError):
            loads(one)


@pytest.mark.parametrize("body", [b'["' + b'\\"' * 1_000_000, b"[" + b"[1," * 300_000])
def test_a_hostile_body_takes_no_longer_than_its_length_allows(body: bytes) -> None:
    begun = time.process_time()
    with pytest.raises(ValueError, match="not whole"):
        loads(body)
    assert time.process_time() - begun < 5
