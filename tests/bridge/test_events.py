"""Events: what is written can be read, and whatever else comes is refused with its reason."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.events import MAX_BYTES, MalformedEvent, UpdateFinished, UpdateRequested

NOON = datetime(2026, 11, 22, 12, 0, 0, 123000, tzinfo=UTC)
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9:._-]{0,63}", fullmatch=True)
ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
JSON = st.recursive(
    ATOMS, lambda some: st.lists(some) | st.dictionaries(st.text(), some), max_leaves=8
)
KNOWN = st.fixed_dictionaries(
    {}, optional={"trigger": st.just("update") | JSON, "id": JSON, "timestamp": JSON | ATOMS}
)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose local time is not UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        yield
    time.tzset()


@given(st.none() | IDS, st.none() | st.datetimes(timezones=st.just(UTC)))
def test_a_requested_update_comes_back_as_it_was(name: str | None, moment: datetime | None) -> None:
    event = UpdateRequested(name, moment)
    assert UpdateRequested.decode(event.encode()) == event


def test_what_is_sent_is_the_seeds_payload_with_the_time_in_utc() -> None:
    moment = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert json.loads(UpdateRequested("2026-11-22T12:00Z", moment).encode()) == {
        "trigger": "update",
        "timestamp": "2026-11-22T12:00:00.123000+00:00",
        "id": "2026-11-22T12:00Z",
    }


@pytest.mark.parametrize(
    ("payload", "event"),
    [
        (b'{"trigger":"update"}', UpdateRequested()),
        (
            b'{"trigger":"update","timestamp":"2026-11-22T12:00:00.123Z"}',  # Date.toISOString
            UpdateRequested(timestamp=NOON),
        ),
        (
            b'{"trigger":"update","timestamp":"2026-11-22T12:00:00.123"}',
            UpdateRequested(timestamp=NOON),
        ),
        (b'{"trigger":"update","id":null,"timestamp":null}', UpdateRequested()),
        (b'{"trigger":"update","from":"elsewhere"}', UpdateRequested()),
    ],
)
def test_the_seeds_payload_is_an_event(
    elsewhere: None, payload: bytes, event: UpdateRequested
) -> None:
    assert UpdateRequested.decode(payload) == event


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'{"trigger":"other"}', 'trigger is "other", only "update" is known'),
        (b"{}", 'trigger is null, only "update" is known'),
        (b'{"trigger":["update"]}', 'trigger is ["update"], only "update" is known'),
        (b"null", "not a JSON object but null"),
        (b'["update"]', 'not a JSON object but ["update"]'),
        (b'"' + b"x" * 99 + b'"', 'not a JSON object but "' + "x" * 76 + "..."),
        (b"", "not valid JSON: JSONDecodeError"),
        (b"\x9c\xff{}", "not valid JSON: UnicodeDecodeError"),
        (b"9" * 5000, "not valid JSON: ValueError"),
        (b'{"trigger":' + b"[" * 30_000, "not valid JSON: RecursionError"),
        (b"x" * 1024 * 1024, f"1048576 bytes, an event has at most {MAX_BYTES}"),
        (b'{"trigger":"update","id":""}', 'id is "", it must match [A-Za-z0-9][A-Za-z0-9:._-]'),
        (b'{"trigger":"update","id":7}', "id is 7, it must match"),
        (b'{"trigger":"update","id":"a b"}', 'id is "a b", it must match'),
        (b'{"trigger":"update","id":"a\\n"}', r'id is "a\n", it must match'),
        (b'{"trigger":"update","id":"%s"}' % (b"a" * 65), 'id is "aaa'),
        (b'{"trigger":"update","timestamp":"soon"}', 'timestamp is "soon", not an ISO-8601 time'),
        (
            b'{"trigger":"update","timestamp":1795348800}',
            "timestamp is 1795348800, not an ISO-8601",
        ),
        (b'{"trigger":"update","timestamp":"0001-01-01T00:00:00+23:00"}', "timestamp is "),
    ],
)
def test_what_is_no_event_is_refused_with_its_value(payload: bytes, reason: str) -> None:
    with pytest.raises(MalformedEvent) as refused:
        UpdateRequested.decode(payload)
    assert str(refused.value).startswith(reason)


def test_nesting_of_any_depth_is_refused() -> None:
    # At some depths what was read is too deep to be written into the reason.
    for depth in range(1, 1100):
        nested = b"[" * depth + b"]" * depth
        for payload in (nested, b'{"trigger":%s}' % nested):
            with pytest.raises(MalformedEvent):
                UpdateRequested.decode(payload)


@given(st.binary(max_size=300) | (JSON | KNOWN).map(lambda value: json.dumps(value).encode()))
@example(b'{"trigger": "update", "timestamp": "\\ud800"}')
@example(b'{"trigger": NaN}')
def test_any_bytes_are_an_event_or_malformed(payload: bytes) -> None:
    for kind in (UpdateRequested, UpdateFinished):
        try:
            event = kind.decode(payload)
        except MalformedEvent as refused:
            assert len(str(refused)) < 200
        else:
            assert isinstance(event, kind)


@given(IDS, st.sampled_from(["done", "failed", "missed"]), st.integers(0, 20_000))
def test_a_finished_update_comes_back_as_it_was(name: str, state: str, stored: int) -> None:
    event = UpdateFinished(name, state, stored)
    assert UpdateFinished.decode(event.encode()) == event


@pytest.mark.parametrize("payload", [b"{}", b"null", b'{"id":"a","state":"done","stored":"1"}'])
def test_what_is_no_finished_update_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedEvent, match=r"not a finished update: |not a JSON object but null"):
        UpdateFinished.decode(payload)
